/* Deadlines: queues whose heads expire first, one heap for the stays that vary, one libuv timer for all. The timer is
 * set for the earliest moment anybody asked for and never moved back when that one is stopped: it rings once too early
 * and is set anew, which is cheaper than a search at every stop. */
#include "proxy/net/deadline.h"

#include <stdlib.h>
#include <uv.h>

#include "proxy/net/loop.h"
#include "proxy/net/loop_uv.h"

static struct {
    bool ready;
    uv_timer_t timer;
    int64_t rings_ms; /* 0: not set */
    struct list queues;
    struct alarm **heap; /* heap[1] rings first */
    size_t n, room;
} all;

static void on_timer(uv_timer_t *timer);

static void get_ready(void)
{
    if (all.ready)
        return;
    all.ready = true;
    list_init(&all.queues);
    uv_timer_init(loop_uv(), &all.timer);
}

static void ring_at(int64_t at_ms)
{
    if (all.rings_ms != 0 && all.rings_ms <= at_ms)
        return;
    int64_t after = at_ms - loop_now_ms();
    all.rings_ms = at_ms;
    uv_timer_start(&all.timer, on_timer, after > 0 ? (uint64_t)after : 0, 0);
}

void deadline_queue_init(struct deadline_queue *q, int64_t stay_ms, void (*expired)(struct deadline *))
{
    get_ready();
    *q = (struct deadline_queue){ .stay_ms = stay_ms, .expired = expired };
    list_init(&q->waiting);
    list_add(&all.queues, &q->all_queues);
}

void deadline_init(struct deadline *d)
{
    list_init(&d->link);
}

void deadline_start(struct deadline_queue *q, struct deadline *d)
{
    d->at_ms = loop_now_ms() + q->stay_ms;
    list_add(&q->waiting, &d->link);
    q->n++;
    if (q->waiting.next == &d->link)
        ring_at(d->at_ms);
}

void deadline_again(struct deadline_queue *q, struct deadline *d)
{
    if (list_empty(&d->link)) {
        deadline_start(q, d);
        return;
    }
    d->at_ms = loop_now_ms() + q->stay_ms;
    if (q->waiting.prev == &d->link)
        return;
    list_remove(&d->link);
    list_add(&q->waiting, &d->link);
}

void deadline_stop(struct deadline_queue *q, struct deadline *d)
{
    if (list_empty(&d->link))
        return;
    list_remove(&d->link);
    q->n--;
}

/* Those that expire while this runs (a callback that starts anew with no stay) wait for the next ring. */
static void queue_expire(struct deadline_queue *q, int64_t now)
{
    size_t most = q->n;
    while (most-- > 0 && !list_empty(&q->waiting)) {
        struct deadline *d = OWNER_OF(q->waiting.next, struct deadline, link);
        if (d->at_ms > now)
            return;
        deadline_stop(q, d);
        q->expired(d);
    }
}

static void heap_put(size_t place, struct alarm *a)
{
    all.heap[place] = a;
    a->place = place;
}

static void heap_up(struct alarm *a)
{
    size_t place = a->place;
    while (place > 1 && all.heap[place / 2]->at_ms > a->at_ms) {
        heap_put(place, all.heap[place / 2]);
        place /= 2;
    }
    heap_put(place, a);
}

static void heap_down(struct alarm *a)
{
    size_t place = a->place;
    for (size_t child; (child = 2 * place) <= all.n; place = child) {
        if (child < all.n && all.heap[child + 1]->at_ms < all.heap[child]->at_ms)
            child++;
        if (all.heap[child]->at_ms >= a->at_ms)
            break;
        heap_put(place, all.heap[child]);
    }
    heap_put(place, a);
}

static bool heap_grow(void)
{
    if (all.n + 1 < all.room)
        return true;
    size_t room = all.room > 0 ? 2 * all.room : 64;
    struct alarm **heap = realloc(all.heap, room * sizeof(struct alarm *));
    if (heap == NULL)
        return false;
    all.heap = heap;
    all.room = room;
    return true;
}

bool alarm_set(struct alarm *a, int64_t after_ms, void (*ring)(struct alarm *))
{
    get_ready();
    alarm_clear(a);
    if (!heap_grow())
        return false;
    a->at_ms = loop_now_ms() + (after_ms > 0 ? after_ms : 0);
    a->ring = ring;
    a->place = ++all.n;
    heap_up(a);
    ring_at(a->at_ms);
    return true;
}

void alarm_clear(struct alarm *a)
{
    if (a->place == 0)
        return;
    size_t place = a->place;
    struct alarm *last = all.heap[all.n--];
    a->place = 0;
    if (last == a)
        return;
    heap_put(place, last);
    heap_up(last);
    heap_down(last);
}

static void heap_expire(int64_t now)
{
    size_t most = all.n;
    while (most-- > 0 && all.n > 0 && all.heap[1]->at_ms <= now) {
        struct alarm *a = all.heap[1];
        alarm_clear(a);
        a->ring(a);
    }
}

static void on_timer(uv_timer_t *timer UNUSED)
{
    int64_t now = loop_now_ms();
    all.rings_ms = 0;
    LIST_EACH(link, &all.queues)
        queue_expire(OWNER_OF(link, struct deadline_queue, all_queues), now);
    heap_expire(now);
    LIST_EACH(link, &all.queues) {
        struct deadline_queue *q = OWNER_OF(link, struct deadline_queue, all_queues);
        if (!list_empty(&q->waiting))
            ring_at(OWNER_OF(q->waiting.next, struct deadline, link)->at_ms);
    }
    if (all.n > 0)
        ring_at(all.heap[1]->at_ms);
}
