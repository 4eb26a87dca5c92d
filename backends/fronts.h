/* The channels to the fronts: what they ask is dialled, what they report feeds health and places, what they hold when
 * this process is born is taken in. All visits of a front end with its channel. */
#ifndef BACKENDS_FRONTS_H
#define BACKENDS_FRONTS_H

#include "backends/members/site.h"

struct fronts_events {
    void (*held)(void); /* one more has listed all it holds */
    void (*gone)(void); /* the channel of one is closed */
};

/* config and events must outlive it. Until fronts_may_dial nothing that is asked is begun. */
void fronts_open(const struct config *config, const struct fronts_events *events);
void fronts_close(void);

bool fronts_add(int fd) MUST_CHECK; /* fd is ours, whatever is returned; false: no memory, or too many */
void fronts_may_dial(void);
bool fronts_all_held(void);

struct fronts_gauges {
    size_t fronts, dials, visits; /* visits: dials under way and sessions that hold a member */
};
struct fronts_gauges fronts_gauges(void);
size_t fronts_visits_of(const struct member *m, enum protocol protocol); /* sessions and logins that hold it */

#endif
