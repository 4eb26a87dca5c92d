/* Which addresses may be dialled at all, whatever DNS says: those inside the site's networks, only loopback ones where
 * the site's security is loopback, and never one of our own listeners, which would be a loop. */
#ifndef BACKENDS_WAYS_REACH_H
#define BACKENDS_WAYS_REACH_H

#include "config/config.h"

extern const char reach_own_listener[]; /* "own_listener" */

void reach_open(const struct config *config); /* config must outlive all use */

/* NULL: it may. Else why not: "outside_networks", "not_loopback", "bad_address" or reach_own_listener.
 *   a  with the port that would be dialled */
const char *reach_refuses(const struct site_config *site, const struct addr *a);

/* Those of the n addresses that may be dialled at this port, into `to`; returns how many. *why: the reason of the last
 * one that may not, before all others that it is our own listener; left alone when there is none. */
size_t reach_allowed(const struct site_config *site, const struct addr *addrs, size_t n, uint16_t port, struct addr *to,
                     size_t room, const char **why);

#endif
