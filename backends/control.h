/* What an admin asks of the backends process, and orders: sites, members, where a mailbox would go now. */
#ifndef BACKENDS_CONTROL_H
#define BACKENDS_CONTROL_H

#include "proxy/net/ipc.h"

/* Answers one MSG_CONTROL. False: the channel is of no use any more. */
bool backends_control(struct ipc *main_channel, struct message *m) MUST_CHECK;

#endif
