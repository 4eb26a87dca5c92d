/* What an admin asks of a front: its gauges, who is on, to end sessions, to write down what they say. */
#ifndef PROXY_FRONT_CONTROL_H
#define PROXY_FRONT_CONTROL_H

#include "proxy/net/messages.h"

/* Answers one MSG_CONTROL to main. */
void front_control(struct message *m);

#endif
