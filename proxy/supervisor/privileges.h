/* Capabilities (capabilities(7)): a role has none, but for CAP_NET_ADMIN where a site's clear text must be bound to
 * IPsec, and that in the backends process alone. No library for two system calls. */
#ifndef PROXY_SUPERVISOR_PRIVILEGES_H
#define PROXY_SUPERVISOR_PRIVILEGES_H

#include "proxy/base/check.h"

bool privileges_have_net_admin(void);

/* Before leaving root: what is permitted now stays permitted until privileges_reduce. */
bool privileges_hold(void) MUST_CHECK;

/* Give up all capabilities but CAP_NET_ADMIN, and that too unless it is to be kept. One that was never there is not
 * missed here. False: errno tells. */
bool privileges_reduce(bool keep_net_admin) MUST_CHECK;

#endif
