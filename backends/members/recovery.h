/* When a member dies, all its users come back at once, to the members that are left. For half a minute they are let
 * through one by one, evenly; later they have found their new places, and what comes is the day's ordinary load. */
#ifndef BACKENDS_MEMBERS_RECOVERY_H
#define BACKENDS_MEMBERS_RECOVERY_H

#include "backends/members/site.h"

/* A place in the queue of this site: how long to wait for it, in ms; 0: go at once. A place is taken only when the wait
 * is no longer than patience_ms; -1: it would be. a_second  logins that a recovering site is given; 0: any */
int64_t recovery_wait(const struct site *site, enum protocol p, int64_t a_second, int64_t patience_ms);

#endif
