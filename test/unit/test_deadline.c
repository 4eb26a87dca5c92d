/* Queues of equal stays, the heap of stays that vary, and the one timer behind both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

/* ---- a loop that runs for so long ---- */

static struct alarm run_end;

static void on_run_end(struct alarm *a UNUSED)
{
    loop_stop();
}

static void run_for(int64_t ms)
{
    loop_refresh();
    assert_true(alarm_set(&run_end, ms, on_run_end));
    loop_run();
}

/* ---- queues ---- */

struct guest {
    struct deadline stay;
    int64_t expired_ms; /* 0: not yet */
    int times;
};

enum { GUESTS = 5 };
static struct guest guests[GUESTS];
static struct deadline_queue queue;
static int order[64];
static size_t n_order;

static void on_expired(struct deadline *d)
{
    struct guest *g = OWNER_OF(d, struct guest, stay);
    g->expired_ms = loop_now_ms();
    g->times++;
    order[n_order++ % COUNT_OF(order)] = (int)(g - guests);
}

static void queue_begin(int64_t stay_ms)
{
    loop_refresh();
    deadline_queue_init(&queue, stay_ms, on_expired);
    memset(guests, 0, sizeof guests);
    n_order = 0;
    for (size_t i = 0; i < GUESTS; i++)
        deadline_init(&guests[i].stay);
}

/* The queue stays linked in the one list of all: it ends as it began. */
static void queue_end(void)
{
    assert_int_equal(queue.n, 0);
    assert_true(list_empty(&queue.waiting));
    list_remove(&queue.all_queues);
}

static void who_starts_first_expires_first(void **state UNUSED)
{
    queue_begin(20);
    for (size_t i = 0; i < 3; i++)
        deadline_start(&queue, &guests[i].stay);
    int64_t began = loop_now_ms();
    assert_int_equal(queue.n, 3);
    run_for(30);
    assert_int_equal(n_order, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(order[i], i);
        assert_true(guests[i].expired_ms >= began + 20);
        assert_true(list_empty(&guests[i].stay.link)); /* already out */
    }
    queue_end();
}

static void a_stopped_one_never_expires(void **state UNUSED)
{
    queue_begin(10);
    for (size_t i = 0; i < 3; i++)
        deadline_start(&queue, &guests[i].stay);
    deadline_stop(&queue, &guests[0].stay);
    deadline_stop(&queue, &guests[0].stay); /* twice is nothing */
    deadline_stop(&queue, &guests[4].stay); /* nor one that never waited */
    assert_int_equal(queue.n, 2);
    run_for(30);
    assert_int_equal(guests[0].times, 0);
    assert_int_equal(n_order, 2);
    queue_end();
}

static void again_moves_to_the_tail(void **state UNUSED)
{
    queue_begin(50);
    for (size_t i = 0; i < 3; i++)
        deadline_start(&queue, &guests[i].stay);
    deadline_again(&queue, &guests[0].stay);
    deadline_again(&queue, &guests[0].stay); /* now it is the last: the same */
    assert_int_equal(queue.n, 3);
    run_for(60);
    assert_int_equal(n_order, 3);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[2], 0);
    queue_end();
}

/* A session whose idle limit has just expired may still make progress. */
static void again_starts_one_that_does_not_wait(void **state UNUSED)
{
    queue_begin(10);
    deadline_start(&queue, &guests[0].stay);
    run_for(20);
    assert_int_equal(guests[0].times, 1);
    deadline_again(&queue, &guests[0].stay);
    assert_int_equal(queue.n, 1);
    run_for(20);
    assert_int_equal(guests[0].times, 2);
    deadline_again(&queue, &guests[1].stay);
    deadline_stop(&queue, &guests[1].stay);
    queue_end();
}

static void on_expired_again(struct deadline *d)
{
    on_expired(d);
    if (OWNER_OF(d, struct guest, stay)->times < 3)
        deadline_start(&queue, d);
}

/* With no stay at all it waits for the next ring, or one ring would never end. */
static void one_may_start_anew_inside(void **state UNUSED)
{
    queue_begin(0);
    queue.expired = on_expired_again;
    deadline_start(&queue, &guests[0].stay);
    deadline_start(&queue, &guests[1].stay);
    run_for(20);
    assert_int_equal(n_order, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(order[i], i % 2);
    queue_end();
}

static void on_expired_stops_others(struct deadline *d)
{
    on_expired(d);
    deadline_stop(&queue, &guests[1].stay);
    deadline_stop(&queue, &guests[2].stay);
}

static void one_may_stop_others_inside(void **state UNUSED)
{
    queue_begin(5);
    queue.expired = on_expired_stops_others;
    for (size_t i = 0; i < 3; i++)
        deadline_start(&queue, &guests[i].stay);
    run_for(20);
    assert_int_equal(n_order, 1);
    queue_end();
}

/* ---- alarms ---- */

enum { ALARMS = 200 };
static struct ringer {
    struct alarm alarm;
    int64_t due_ms;
    bool cleared;
    int rung;
} ringers[ALARMS];
static int64_t last_due_ms;

static void on_ring(struct alarm *a)
{
    struct ringer *r = OWNER_OF(a, struct ringer, alarm);
    assert_int_equal(a->place, 0);
    assert_false(r->cleared);
    assert_true(loop_now_ms() >= r->due_ms);
    assert_true(r->due_ms >= last_due_ms);
    last_due_ms = r->due_ms;
    r->rung++;
}

/* Any mixture of setting, moving and clearing: each rings once, in the order of its moment. */
static void alarms_ring_in_order(void **state UNUSED)
{
    srandom(1);
    memset(ringers, 0, sizeof ringers);
    last_due_ms = 0;
    loop_refresh();
    for (int i = 0; i < 4 * ALARMS; i++) {
        struct ringer *r = &ringers[random() % ALARMS];
        int64_t after = random() % 40;
        r->cleared = random() % 4 == 0;
        r->due_ms = loop_now_ms() + after;
        if (r->cleared)
            alarm_clear(&r->alarm);
        else
            assert_true(alarm_set(&r->alarm, after, on_ring));
    }
    run_for(60);
    for (size_t i = 0; i < ALARMS; i++)
        assert_int_equal(ringers[i].rung, ringers[i].due_ms > 0 && !ringers[i].cleared);
}

static void on_ring_clears(struct alarm *a)
{
    OWNER_OF(a, struct ringer, alarm)->rung++;
    alarm_clear(&ringers[1].alarm);
    alarm_clear(a);
}

static void on_ring_again(struct alarm *a)
{
    struct ringer *r = OWNER_OF(a, struct ringer, alarm);
    if (++r->rung < 3)
        assert_true(alarm_set(a, 0, on_ring_again));
}

static void alarms_change_inside(void **state UNUSED)
{
    memset(ringers, 0, sizeof ringers);
    loop_refresh();
    assert_true(alarm_set(&ringers[0].alarm, 5, on_ring_clears));
    assert_true(alarm_set(&ringers[1].alarm, 6, on_ring_clears));
    assert_true(alarm_set(&ringers[2].alarm, -1, on_ring_again));
    alarm_clear(&ringers[3].alarm); /* never set */
    run_for(20);
    assert_int_equal(ringers[0].rung, 1);
    assert_int_equal(ringers[1].rung, 0);
    assert_int_equal(ringers[2].rung, 3);
}

/* An earlier moment than the one the timer stands at must move it. */
static void the_timer_moves_forward(void **state UNUSED)
{
    queue_begin(10);
    memset(ringers, 0, sizeof ringers);
    last_due_ms = 0;
    assert_true(alarm_set(&ringers[0].alarm, 1000, on_ring));
    deadline_start(&queue, &guests[0].stay);
    int64_t began = loop_now_ms();
    run_for(40);
    assert_int_equal(guests[0].times, 1);
    assert_true(guests[0].expired_ms < began + 35);
    assert_int_equal(ringers[0].rung, 0);
    alarm_clear(&ringers[0].alarm);
    queue_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_starts_first_expires_first), cmocka_unit_test(a_stopped_one_never_expires),
        cmocka_unit_test(again_moves_to_the_tail),        cmocka_unit_test(again_starts_one_that_does_not_wait),
        cmocka_unit_test(one_may_start_anew_inside),      cmocka_unit_test(one_may_stop_others_inside),
        cmocka_unit_test(alarms_ring_in_order),           cmocka_unit_test(alarms_change_inside),
        cmocka_unit_test(the_timer_moves_forward),
    };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
