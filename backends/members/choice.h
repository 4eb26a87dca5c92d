/* Which member of a site a mailbox goes to: weighted rendezvous hashing, so that many front ends agree without
 * talking, and so that only the mailboxes of a member that leaves have to move. Pure functions. */
#ifndef BACKENDS_MEMBERS_CHOICE_H
#define BACKENDS_MEMBERS_CHOICE_H

#include "config/config.h"

struct choice_member {
    struct span name; /* "host:port", lower case */
    int64_t weight;
    bool standby;
    bool skip;          /* not to be considered: tried already, or takes no new mailboxes */
    bool avoided;       /* by health */
    int64_t returns_ms; /* when it is avoided: the moment from which it may be tried again */
};

/* The members worth trying, best first: healthy ones, healthy standbys, then those that are avoided, the one that
 * returns soonest first (a login must not fail while something might work). Returns how many.
 *   n        at most BACKENDS_MAX
 *   mailbox  at == NULL: no affinity, a random order in proportion to the weights */
size_t choice_order(const struct choice_member *members, size_t n, struct span mailbox, uint8_t order[BACKENDS_MAX]);

/* -log2(hash / 2^64) as a fixed-point number with 32 bits behind the point, never 0: the smaller one wins when it is
 * divided by the weight. Integers only, so that every machine comes to the same order. */
uint64_t choice_distance(uint64_t hash);

#endif
