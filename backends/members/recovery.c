/* Recovery: a clock of turns for each site. A turn that was given is used or lost; nobody gives one back. */
#include "backends/members/recovery.h"

#include "proxy/net/loop.h"

enum { RECOVERY_MS = 30 * SECOND };

static struct {
    int64_t turn_us;                     /* when the next login may go there */
    int64_t trouble_since_ms[PROTOCOLS]; /* 0: all its members are up, as far as anybody asked */
} sites[SITES_MAX];

static bool is_in_trouble(const struct site *site, enum protocol p)
{
    for (size_t i = 0; i < site->n_members; i++)
        if (member_look(&site->members[i], p).state != HEALTH_UP)
            return true;
    return false;
}

static bool is_recovering(const struct site *site, enum protocol p)
{
    int64_t *since_ms = &sites[site->number].trouble_since_ms[p];
    if (!is_in_trouble(site, p))
        *since_ms = 0;
    else if (*since_ms == 0)
        *since_ms = loop_now_ms();
    return *since_ms != 0 && loop_now_ms() - *since_ms < RECOVERY_MS;
}

int64_t recovery_wait(const struct site *site, enum protocol p, int64_t a_second, int64_t patience_ms)
{
    int64_t now_us = loop_now_ms() * 1000, *turn_us = &sites[site->number].turn_us;
    if (a_second == 0 || !is_recovering(site, p))
        return 0;
    if (*turn_us < now_us)
        *turn_us = now_us;
    int64_t wait_ms = (*turn_us - now_us) / 1000;
    if (wait_ms > patience_ms)
        return -1;
    *turn_us += 1000000 / a_second;
    return wait_ms;
}
