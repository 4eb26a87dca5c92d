/* The members of a site as one mailbox would meet them, for whoever wants to know: no dial comes from this. */
#ifndef BACKENDS_MEMBERS_LINEUP_H
#define BACKENDS_MEMBERS_LINEUP_H

#include "backends/members/site.h"

/* Fills order with numbers of members, the first choice first, as a dial would take them: those that take no new
 * mailboxes are left out. Returns how many. The loop's clock must run (loop_init). */
size_t lineup(const struct site *site, enum protocol protocol, struct span mailbox, uint8_t order[BACKENDS_MAX]);

#endif
