/* What an admin asks of the auth process: its gauges, and where a login would go now. */
#ifndef AUTH_CONTROL_H
#define AUTH_CONTROL_H

#include "auth/verdict.h"
#include "proxy/net/ipc.h"

/* Answers one MSG_CONTROL. False: the channel is of no use any more. */
bool auth_control(const struct policy *policy, size_t fronts, struct ipc *main_channel, struct message *m) MUST_CHECK;

#endif
