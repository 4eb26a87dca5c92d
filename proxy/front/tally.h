/* What this front has done since it was born: counters for metrics, which only grow. */
#ifndef PROXY_FRONT_TALLY_H
#define PROXY_FRONT_TALLY_H

#include "proxy/base/json.h"
#include "proxy/front/outcome.h"

enum { TALLY_BUCKETS = 9 };

struct tally {
    uint64_t accepted[PROTOCOLS], turned_away; /* connections */
    uint64_t logins[PROTOCOLS];                /* that succeeded */
    uint64_t failures[PROTOCOLS][OUTCOMES];
    uint64_t ms_sum,
        ms_buckets[TALLY_BUCKETS]; /* of logins that succeeded; each bucket for itself, the last is the rest */
    uint64_t up_bytes, down_bytes; /* of sessions that have ended */
};

extern struct tally tally;

void tally_login(enum protocol protocol, int64_t ms);
void tally_write(struct json *j); /* as members of an object */

#endif
