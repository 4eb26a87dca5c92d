/* The schedule on which dials wait for an association: one for each peer and site, its times, and what a change does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/ipsec/ipsec_wait.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

enum { CALLS_MAX = 16, SLACK_MS = 80 };

static struct waiter {
    struct ipsec_wait wait;
    struct waiter *ends; /* whom it lets go when it is told; NULL: nobody */
    int64_t at_ms[CALLS_MAX];
    size_t n;
} waiters[4];

static int64_t began_ms;
static int site_a, site_b;

static void on_again(struct ipsec_wait *w)
{
    struct waiter *me = OWNER_OF(w, struct waiter, wait);
    if (me->n < CALLS_MAX)
        me->at_ms[me->n++] = loop_now_ms() - began_ms;
    if (me->ends != NULL)
        ipsec_wait_end(&me->ends->wait);
}

static void on_over(struct alarm *a UNUSED)
{
    loop_stop();
}

static void run_for(int64_t ms)
{
    struct alarm over = { 0 };
    assert_true(alarm_set(&over, ms, on_over));
    loop_run();
}

static struct addr peer(const char *text, uint16_t port)
{
    struct addr a;
    assert_true(addr_parse(span_of(text), port, &a));
    return a;
}

static void begin(size_t i, const void *site, const char *host, uint16_t port)
{
    struct addr a = peer(host, port);
    waiters[i] = (struct waiter){ 0 };
    assert_true(ipsec_wait_begin(&waiters[i].wait, site, &a, on_again));
}

static int end_all(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(waiters); i++)
        ipsec_wait_end(&waiters[i].wait);
    memset(waiters, 0, sizeof waiters);
    return 0;
}

static int start(void **state UNUSED)
{
    loop_refresh();
    began_ms = loop_now_ms();
    return 0;
}

static void expect_times(const struct waiter *w, const int64_t *want, size_t n)
{
    assert_int_equal(w->n, n);
    for (size_t i = 0; i < n; i++)
        assert_in_range(w->at_ms[i], want[i], want[i] + SLACK_MS);
}

static void test_times(void **state UNUSED)
{
    static const int64_t want[] = { 200, 500, 1000 };
    begin(0, &site_a, "10.0.0.2", 143);
    run_for(1150);
    expect_times(&waiters[0], want, COUNT_OF(want));
}

/* Both ports of a peer are on one schedule, and who comes late is told with the others; another site has its own. */
static void test_one_schedule(void **state UNUSED)
{
    static const int64_t want[] = { 200, 500 };
    begin(0, &site_a, "10.0.0.2", 143);
    run_for(100);
    begin(1, &site_a, "10.0.0.2", 110);
    begin(2, &site_b, "10.0.0.2", 143);
    begin(3, &site_a, "10.0.0.3", 143);
    run_for(480);
    expect_times(&waiters[0], want, 2);
    expect_times(&waiters[1], want, 2);
    assert_in_range(waiters[2].at_ms[0], 300, 300 + SLACK_MS);
    assert_in_range(waiters[3].at_ms[0], 300, 300 + SLACK_MS);
}

static void test_changes(void **state UNUSED)
{
    begin(0, &site_a, "10.0.0.2", 143);
    begin(1, &site_b, "10.0.0.3", 143);
    ipsec_wait_changed();
    ipsec_wait_changed();
    assert_int_equal(waiters[0].n, 0); /* from the loop only */
    run_for(50);
    assert_int_equal(waiters[0].n, 1);
    assert_int_equal(waiters[1].n, 1);
}

/* Whoever is told may let go of itself, of the next, of the one before, and of the last. */
static void test_ends_inside(void **state UNUSED)
{
    static const int ends[][3] = {
        {0,  1, 2},
        { 1, 2, 0},
        { 2, 0, 1},
        { 1, 0, 2}
    };
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        for (size_t w = 0; w < 3; w++)
            begin(w, &site_a, "10.0.0.2", 143);
        for (size_t w = 0; w < 3; w++)
            waiters[w].ends = &waiters[ends[i][w]];
        ipsec_wait_changed();
        run_for(10);
        for (size_t w = 0; w < 3; w++)
            assert_true(waiters[w].n <= 1);
        assert_int_equal(waiters[0].n, 1);
        end_all(NULL);
    }
}

static void test_none(void **state UNUSED)
{
    struct ipsec_wait never = { 0 };
    ipsec_wait_end(&never);
    ipsec_wait_changed();
    begin(0, &site_a, "10.0.0.2", 143);
    ipsec_wait_changed();
    end_all(NULL);
    run_for(10);
    assert_int_equal(waiters[0].n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_times, start, end_all),
        cmocka_unit_test_setup_teardown(test_one_schedule, start, end_all),
        cmocka_unit_test_setup_teardown(test_changes, start, end_all),
        cmocka_unit_test_setup_teardown(test_ends_inside, start, end_all),
        cmocka_unit_test_setup_teardown(test_none, start, end_all),
    };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
