/* What is being judged: distinct credentials by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/guesses/flights.h"

static void distinct_ones_count(void **state)
{
    struct flights f;
    (void)state;
    flights_init(&f);
    assert_int_equal(flights_of(&f, 1), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(flights_add(&f, 1, 7));
    assert_true(flights_add(&f, 1, 8));
    assert_true(flights_add(&f, 1, 0));
    assert_true(flights_add(&f, 1, 0)); /* unknown ones are each another */
    assert_true(flights_add(&f, 2, 7));
    assert_int_equal(flights_of(&f, 1), 4);
    assert_int_equal(flights_of(&f, 2), 1);
    assert_true(flights_have(&f, 1, 7));
    assert_false(flights_have(&f, 2, 8));
    assert_false(flights_have(&f, 1, 0));
    for (unsigned i = 0; i < 999; i++)
        flights_remove(&f, 1, 7);
    assert_int_equal(flights_of(&f, 1), 4);
    flights_remove(&f, 1, 7);
    flights_remove(&f, 1, 7); /* not there any more */
    flights_remove(&f, 1, 0);
    assert_int_equal(flights_of(&f, 1), 2);
    flights_remove(&f, 1, 0);
    flights_remove(&f, 1, 8);
    assert_int_equal(flights_of(&f, 1), 0);
    assert_int_equal(flights_of(&f, 2), 1);
    flights_fini(&f);
}

static void there_is_an_end(void **state)
{
    struct flights f;
    (void)state;
    flights_init(&f);
    for (uint16_t mark = 1; mark <= FLIGHTS_MOST; mark++)
        assert_true(flights_add(&f, 1, mark));
    assert_false(flights_add(&f, 1, FLIGHTS_MOST + 1));
    assert_false(flights_add(&f, 1, 0));
    assert_true(flights_add(&f, 1, 1)); /* no other one */
    for (unsigned i = 1; i < UINT16_MAX - 1; i++)
        assert_true(flights_add(&f, 1, 1));
    assert_false(flights_add(&f, 1, 1));
    flights_remove(&f, 1, 5);
    assert_true(flights_add(&f, 1, 0));
    assert_int_equal(flights_of(&f, 1), FLIGHTS_MOST);
    flights_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(distinct_ones_count), cmocka_unit_test(there_is_an_end) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
