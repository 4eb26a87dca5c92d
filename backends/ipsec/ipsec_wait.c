/* Schedules: one for each peer that is waited for, gone with its last waiter. */
#include "backends/ipsec/ipsec_wait.h"

#include <stdlib.h>

#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

static const int64_t steps_ms[] = { 200, 300, 500, 1000 }; /* the last one again and again */

struct ipsec_schedule {
    struct list link;
    const void *site;
    struct addr peer;
    struct list waiting;
    struct alarm next;
    struct later ring;
    size_t step;
};

static struct list schedules = { &schedules, &schedules };

static void on_next(struct alarm *a);

/* Waiters may leave while they are told, all but the last of them without ending the schedule: `held` keeps that. */
static void on_ring(struct later *l)
{
    struct ipsec_schedule *s = OWNER_OF(l, struct ipsec_schedule, ring);
    struct ipsec_wait held = { .on = s };
    list_init(&held.link);
    list_add(&s->waiting, &held.link);
    while (s->waiting.next != &held.link) {
        struct ipsec_wait *w = OWNER_OF(s->waiting.next, struct ipsec_wait, link);
        list_remove(&w->link);
        list_add(&s->waiting, &w->link); /* behind `held`: it has been told */
        w->again(w);
    }
    ipsec_wait_end(&held);
}

static bool plan(struct ipsec_schedule *s)
{
    int64_t ms = steps_ms[s->step];
    if (s->step + 1 < COUNT_OF(steps_ms))
        s->step++;
    return alarm_set(&s->next, ms, on_next);
}

static void on_next(struct alarm *a)
{
    struct ipsec_schedule *s = OWNER_OF(a, struct ipsec_schedule, next);
    loop_later(&s->ring, on_ring);
    if (!plan(s))
        s->step = 0; /* no memory: they wait for a change, or for the end of their own time */
}

static struct ipsec_schedule *find(const void *site, const struct addr *peer)
{
    LIST_EACH(link, &schedules) {
        struct ipsec_schedule *s = OWNER_OF(link, struct ipsec_schedule, link);
        if (s->site == site && addr_same_host(&s->peer, peer))
            return s;
    }
    return NULL;
}

static struct ipsec_schedule *new_schedule(const void *site, const struct addr *peer)
{
    struct ipsec_schedule *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->site = site;
    s->peer = *peer;
    list_init(&s->waiting);
    list_init(&s->link);
    if (!plan(s)) {
        free(s);
        return NULL;
    }
    list_add(&schedules, &s->link);
    return s;
}

bool ipsec_wait_begin(struct ipsec_wait *w, const void *site, const struct addr *peer,
                      void (*again)(struct ipsec_wait *w))
{
    struct ipsec_schedule *s = find(site, peer);
    if (s == NULL)
        s = new_schedule(site, peer);
    if (s == NULL)
        return false;
    *w = (struct ipsec_wait){ .on = s, .again = again };
    list_init(&w->link);
    list_add(&s->waiting, &w->link);
    return true;
}

void ipsec_wait_end(struct ipsec_wait *w)
{
    struct ipsec_schedule *s = w->on;
    if (s == NULL)
        return;
    w->on = NULL;
    list_remove(&w->link);
    if (!list_empty(&s->waiting))
        return;
    alarm_clear(&s->next);
    loop_never(&s->ring);
    list_remove(&s->link);
    free(s);
}

void ipsec_wait_changed(void)
{
    LIST_EACH(link, &schedules)
        loop_later(&OWNER_OF(link, struct ipsec_schedule, link)->ring, on_ring);
}
