/* proxy/net/loop.h and deadline.h on a clock that only the simulator moves. Deadlines are searched for, not sorted:
 * a world has few of them, and another way is what a second implementation is for. */
#include <stdlib.h>

#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum { QUEUES_MAX = 64, ALARMS_MAX = 1024 };

static int64_t now;
static struct list later = { &later, &later };
static struct deadline_queue *queues[QUEUES_MAX];
static struct alarm *alarms[ALARMS_MAX];
static size_t n_queues, n_alarms;
static bool stopped;
void (*clock_life)(void);

/* ---- the loop ---- */

void loop_init(void)
{
}

void loop_run(void)
{
    clock_life();
}

void loop_stop(void)
{
    stopped = true;
}

int64_t loop_now_ms(void)
{
    return now;
}

void loop_refresh(void)
{
}

void loop_later(struct later *l, void (*fn)(struct later *l))
{
    if (l->link.next != NULL && !list_empty(&l->link))
        return;
    l->fn = fn;
    list_init(&l->link);
    list_add(&later, &l->link);
}

void loop_never(struct later *l)
{
    if (l->link.next != NULL)
        list_remove(&l->link);
}

bool clock_stopped(void)
{
    return stopped;
}

bool clock_run_later(void)
{
    if (list_empty(&later))
        return false;
    struct later *l = OWNER_OF(later.next, struct later, link);
    list_remove(&l->link);
    l->fn(l);
    return true;
}

/* ---- queues ---- */

void deadline_queue_init(struct deadline_queue *q, int64_t stay_ms, void (*expired)(struct deadline *))
{
    *q = (struct deadline_queue){ .stay_ms = stay_ms, .expired = expired };
    list_init(&q->waiting);
    SIM_REQUIRE(n_queues < QUEUES_MAX);
    queues[n_queues++] = q;
}

void deadline_init(struct deadline *d)
{
    list_init(&d->link);
}

void deadline_start(struct deadline_queue *q, struct deadline *d)
{
    SIM_REQUIRE(list_empty(&d->link));
    d->at_ms = now + q->stay_ms;
    list_add(&q->waiting, &d->link);
    q->n++;
}

static bool waits_in(const struct deadline_queue *q, const struct deadline *d)
{
    LIST_EACH(link, &q->waiting)
        if (link == &d->link)
            return true;
    return false;
}

void deadline_stop(struct deadline_queue *q, struct deadline *d)
{
    if (list_empty(&d->link))
        return;
    SIM_REQUIRE(waits_in(q, d));
    list_remove(&d->link);
    q->n--;
}

void deadline_again(struct deadline_queue *q, struct deadline *d)
{
    deadline_stop(q, d);
    deadline_start(q, d);
}

/* ---- alarms ---- */

bool alarm_set(struct alarm *a, int64_t after_ms, void (*ring)(struct alarm *))
{
    alarm_clear(a);
    SIM_REQUIRE(n_alarms < ALARMS_MAX);
    a->at_ms = now + (after_ms > 0 ? after_ms : 0);
    a->ring = ring;
    alarms[n_alarms++] = a;
    a->place = n_alarms;
    return true;
}

void alarm_clear(struct alarm *a)
{
    if (a->place == 0)
        return;
    SIM_REQUIRE(a->place <= n_alarms && alarms[a->place - 1] == a);
    struct alarm *last = alarms[--n_alarms];
    alarms[a->place - 1] = last;
    last->place = a->place;
    a->place = 0;
}

/* ---- time ---- */

void clock_begin(void)
{
    now += 24 * HOUR;
    stopped = false;
}

int64_t clock_next(void)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < n_queues; i++)
        if (!list_empty(&queues[i]->waiting)) {
            int64_t at = OWNER_OF(queues[i]->waiting.next, struct deadline, link)->at_ms;
            next = at < next ? at : next;
        }
    for (size_t i = 0; i < n_alarms; i++)
        next = alarms[i]->at_ms < next ? alarms[i]->at_ms : next;
    return next;
}

static bool ring_one(void)
{
    for (size_t i = 0; i < n_queues; i++) {
        struct deadline_queue *q = queues[i];
        struct deadline *d = list_empty(&q->waiting) ? NULL : OWNER_OF(q->waiting.next, struct deadline, link);
        if (d == NULL || d->at_ms > now)
            continue;
        deadline_stop(q, d);
        q->expired(d);
        return true;
    }
    for (size_t i = 0; i < n_alarms; i++)
        if (alarms[i]->at_ms <= now) {
            struct alarm *a = alarms[i];
            alarm_clear(a);
            a->ring(a);
            return true;
        }
    return false;
}

void clock_advance(int64_t to_ms)
{
    enum { RINGS_MOST = 1000 }; /* at one moment: a timer that sets itself anew without end is a busy loop */
    SIM_REQUIRE(to_ms >= now);
    now = to_ms;
    for (int i = 0; ring_one(); i++)
        SIM_REQUIRE(i < RINGS_MOST);
}

size_t clock_waiting(void)
{
    size_t n = n_alarms;
    for (size_t i = 0; i < n_queues; i++)
        n += queues[i]->n;
    return n;
}
