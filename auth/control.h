/* What an admin asks of the auth process: its gauges, where a login would go now; and to forgive. */
#ifndef AUTH_CONTROL_H
#define AUTH_CONTROL_H

#include "auth/guesses/penalties.h"
#include "auth/verdict.h"
#include "proxy/net/ipc.h"

/* Answers one MSG_CONTROL. False: the channel is of no use any more. */
bool auth_control(const struct policy *policy, struct penalties *penalties, size_t fronts, struct ipc *main_channel,
                  struct message *m) MUST_CHECK;

#endif
