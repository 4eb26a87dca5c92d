/* The breaker: each case is a history of one member, told step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/members/health.h"

enum what { FAULT, TRIAL_FAULT, SUCCESS, BEGIN, NO_BEGIN, END, LOOK };

struct step {
    int64_t at_ms;
    enum what what;
    bool changed;            /* what FAULT and SUCCESS say */
    enum health_state state; /* afterwards */
    int64_t until_ms;
};

static const struct {
    const char *name;
    size_t n;
    struct step steps[12];
} cases[] = {
    {"one fault, then it answers",
     6,  { { 0, LOOK, false, HEALTH_UP, 0 },
        { 0, FAULT, true, HEALTH_AVOIDED, 2000 },
        { 1999, LOOK, false, HEALTH_AVOIDED, 2000 },
        { 2000, LOOK, false, HEALTH_DUE, 2000 },
        { 2100, SUCCESS, true, HEALTH_UP, 0 },
        { 2101, SUCCESS, false, HEALTH_UP, 0 } }            },
    { "only one login tries",
     11, { { 0, NO_BEGIN, false, HEALTH_UP, 0 },
        { 0, FAULT, true, HEALTH_AVOIDED, 2000 },
        { 100, NO_BEGIN, false, HEALTH_AVOIDED, 2000 },
        { 2000, BEGIN, false, HEALTH_AVOIDED, 62000 },
        { 2001, NO_BEGIN, false, HEALTH_AVOIDED, 62000 },
        { 3000, TRIAL_FAULT, false, HEALTH_AVOIDED, 7000 },
        { 7000, BEGIN, false, HEALTH_AVOIDED, 67000 },
        { 7001, END, false, HEALTH_DUE, 7000 }, /* the client left: the next may try */
        { 7002, BEGIN, false, HEALTH_AVOIDED, 67002 },
        { 7500, SUCCESS, true, HEALTH_UP, 0 },
        { 8000, FAULT, true, HEALTH_AVOIDED, 10000 } }     },
    { "a hundred logins that fail together are one fault",
     6,  { { 0, FAULT, true, HEALTH_AVOIDED, 2000 },
        { 1, FAULT, false, HEALTH_AVOIDED, 2000 },
        { 1999, FAULT, false, HEALTH_AVOIDED, 2000 },
        { 2000, BEGIN, false, HEALTH_AVOIDED, 62000 },
        { 2001, FAULT, false, HEALTH_AVOIDED, 62000 }, /* a straggler does not end the trial */
        { 2002, TRIAL_FAULT, false, HEALTH_AVOIDED, 6002 } }},
    { "twice as long each time, up to a minute",
     7,  { { 0, FAULT, true, HEALTH_AVOIDED, 2000 },
        { 2000, FAULT, false, HEALTH_AVOIDED, 6000 },
        { 6000, FAULT, false, HEALTH_AVOIDED, 14000 },
        { 14000, FAULT, false, HEALTH_AVOIDED, 30000 },
        { 30000, FAULT, false, HEALTH_AVOIDED, 62000 },
        { 62000, FAULT, false, HEALTH_AVOIDED, 122000 },
        { 122000, FAULT, false, HEALTH_AVOIDED, 182000 } }  },
    { "a trial whose owner crashed ends by itself",
     3,  { { 0, FAULT, true, HEALTH_AVOIDED, 2000 },
        { 2000, BEGIN, false, HEALTH_AVOIDED, 62000 },
        { 62000, LOOK, false, HEALTH_DUE, 62000 } }         },
};

static void take(uint64_t key, const struct step *s)
{
    switch (s->what) {
    case FAULT:
    case TRIAL_FAULT:
        assert_int_equal(health_fault(key, s->what == TRIAL_FAULT, "refused", s->at_ms), s->changed);
        break;
    case SUCCESS:
        assert_int_equal(health_success(key), s->changed);
        break;
    case BEGIN:
    case NO_BEGIN:
        assert_int_equal(health_begin_trial(key, s->at_ms), s->what == BEGIN);
        break;
    case END:
        health_end_trial(key);
        break;
    case LOOK:
        break;
    }
}

static void test_histories(void **state UNUSED)
{
    assert_false(health_open(-1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (const struct step *s = cases[i].steps; s < cases[i].steps + cases[i].n; s++) {
            take(i, s);
            struct health_view view = health_look(i, s->at_ms);
            if (view.state != s->state || view.until_ms != s->until_ms)
                print_error("%s, step %td\n", cases[i].name, s - cases[i].steps);
            assert_int_equal(view.state, s->state);
            assert_int_equal(view.until_ms, s->until_ms);
        }
    }
    health_close();
}

/* What is learned survives the process; what nobody of us wrote does not. */
static void test_memory(void **state UNUSED)
{
    int fd = memfd_create("health", MFD_CLOEXEC);
    assert_true(health_open(fd));
    assert_true(health_fault(7, false, "a reason that is much longer than the room for it", 1000));
    health_close();
    assert_true(health_open(fd));
    struct health_view view = health_look(7, 1500);
    assert_int_equal(view.state, HEALTH_AVOIDED);
    assert_int_equal(view.failures, 1);
    assert_string_equal(view.why, "a reason that is much l");
    assert_int_equal(health_look(7, -1000000).state,
                     HEALTH_UP); /* a clock that began anew: nobody can have meant that */
    health_close();

    assert_true(health_open(fd));
    assert_true(health_fault(8, false, "refused", 1000));
    health_close();
    assert_int_equal(pwrite(fd, "foreign", 7, 0), 7);
    assert_true(health_open(fd));
    assert_int_equal(health_look(8, 1000).state, HEALTH_UP);
    assert_int_equal(health_fault(8, false, "refused", 1000), true);
    health_close();
    close(fd);
}

/* More members than the table holds: the ones that were asked for last are still known, and nothing grows. */
static void test_forgets_least_recent(void **state UNUSED)
{
    enum { MANY = 20000 };
    assert_false(health_open(-1));
    for (uint64_t key = 1; key <= MANY; key++)
        assert_true(health_fault(key, false, "refused", (int64_t)key / 1000));
    for (uint64_t key = MANY - 4000; key <= MANY; key++)
        assert_int_equal(health_look(key, 100).state, HEALTH_AVOIDED);
    assert_int_equal(health_look(1, 100).state, HEALTH_UP);
    health_close();
}

static void test_without_memory(void **state UNUSED)
{
    assert_int_equal(health_look(1, 0).state, HEALTH_UP);
    assert_false(health_fault(1, false, "refused", 0));
    assert_false(health_success(1));
    assert_false(health_begin_trial(1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_forgets_least_recent),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
