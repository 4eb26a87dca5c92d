/* What main holds: there is one house in the process, so it is not passed around. */
#ifndef PROXY_SUPERVISOR_HOUSE_H
#define PROXY_SUPERVISOR_HOUSE_H

#include "proxy/supervisor/generation.h"
#include "proxy/supervisor/lock.h"

enum phase { PHASE_START, PHASE_SERVE, PHASE_STOP };

/* Everything that processes need who belong together: what is in force, or what a change is about to bring. */
struct reign {
    struct settings *settings;
    struct generation *fronts;
    struct child *helpers[ROLES]; /* only ROLE_AUTH and ROLE_BACKENDS; in a coming reign NULL where the old ones stay */
};

struct house {
    const char *file; /* the configuration */
    enum phase phase;
    int64_t started_ms;
    struct reign now, coming;
    struct lock lock;
    int tables[ROLES]; /* what auth and backends have learned: main keeps it and never reads it; -1: nothing */
    int exit_status;
};

extern struct house house;

/* Is that helper the one that this front asks? One of the coming reign is introduced to all fronts in one go when it
 * comes into force: it answers when all that it has met have told what they hold. */
bool house_belong(const struct child *front, const struct child *helper);

/* Give them a channel between each other. */
void house_connect(struct child *front, struct child *helper);

#endif
