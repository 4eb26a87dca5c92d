/* Leaky buckets: what is in one as time passes, and which one has to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/guesses/buckets.h"

enum { WAYS = 4, LEAK = 30, F = BUCKET_FAILURE };

static struct bucket places[2 * WAYS];
static const struct buckets one_set = { places, 1, WAYS }, two_sets = { places, 2, WAYS };

static int clear(void **state)
{
    (void)state;
    memset(places, 0, sizeof places);
    return 0;
}

static void what_is_in_one(void **state)
{
    static const struct {
        uint32_t at_s;
        uint16_t mark;
        uint32_t level; /* afterwards */
    } steps[] = {
        {1000,  1, F            },
        { 1000, 2, 2 * F        },
        { 1000, 1, 2 * F        }, /* the same one again */
        { 1120, 2, F            }, /* one in two minutes has leaked */
        { 1180, 3, F + F / 2    },
        { 1180, 0, 2 * F + F / 2}, /* an unknown mark is always another */
        { 1180, 0, 3 * F + F / 2},
        { 9999, 3, 0            }, /* long ago, and still known */
        { 9999, 4, F            },
        { 9000, 5, 2 * F        }, /* a clock that goes back mends nothing */
    };
    (void)state;
    struct bucket *b = buckets_get(&one_set, 7, LEAK, 1000);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        bucket_fail(b, steps[i].mark, LEAK, steps[i].at_s);
        assert_int_equal(bucket_level(b, LEAK, steps[i].at_s), steps[i].level);
    }
    assert_true(bucket_has_mark(b, 2));
    assert_false(bucket_has_mark(b, 0));
    assert_false(bucket_has_mark(b, 6));
    assert_false(bucket_has_mark(NULL, 1));
    assert_int_equal(bucket_level(NULL, LEAK, 0), 0);
}

static void what_is_said_again_is_not_forgotten(void **state)
{
    (void)state;
    struct bucket *b = buckets_get(&one_set, 7, LEAK, 0);
    bucket_fail(b, 1, LEAK, 0);
    for (uint16_t mark = 2; mark < 200; mark++) {
        bucket_fail(b, mark, LEAK, 0);
        if (mark % 2 == 0)
            bucket_fail(b, 1, LEAK, 0);
    }
    assert_int_equal(bucket_level(b, LEAK, 0), 199 * F);
    assert_true(bucket_has_mark(b, 199));
    assert_false(bucket_has_mark(b, 199 - BUCKET_MARKS));
}

static void one_is_never_fuller_than_full(void **state)
{
    (void)state;
    struct bucket *b = buckets_get(&one_set, 7, LEAK, 0);
    for (unsigned i = 0; i < 2 * BUCKET_MOST / BUCKET_FAILURE; i++)
        bucket_fail(b, 0, LEAK, 0);
    assert_int_equal(bucket_level(b, LEAK, 0), BUCKET_MOST);
    b->level = UINT32_MAX; /* damage */
    assert_int_equal(bucket_level(b, LEAK, 0), BUCKET_MOST);
}

static void fill(uint64_t key, unsigned failures, uint32_t now_s)
{
    struct bucket *b = buckets_get(&one_set, key, LEAK, now_s);
    for (unsigned i = 0; i < failures; i++)
        bucket_fail(b, 0, LEAK, now_s);
}

static void the_lightest_goes(void **state)
{
    (void)state;
    fill(1, 9, 100);
    fill(2, 2, 100);
    fill(3, 1, 100);
    fill(4, 1, 110);
    fill(5, 1, 120); /* of two as light the one left alone longer: 3 */
    assert_non_null(buckets_find(&one_set, 1, 1));
    assert_non_null(buckets_find(&one_set, 2, 2));
    assert_null(buckets_find(&one_set, 3, 3));
    assert_non_null(buckets_find(&one_set, 4, 4));
    assert_non_null(buckets_find(&one_set, 5, 5));
    for (uint64_t key = 100; key < 10100; key++) /* a flood of names, one failure each */
        fill(key, 1, 130);
    assert_int_equal(bucket_level(buckets_find(&one_set, 1, 1), LEAK, 130), 9 * F - 30 * LEAK);
    assert_int_equal(bucket_level(buckets_find(&one_set, 2, 2), LEAK, 130), 2 * F - 30 * LEAK);
}

static void a_key_stays_in_its_set(void **state)
{
    (void)state;
    for (uint64_t key = 1; key < 100; key++) {
        uint64_t hash = key << 16;
        struct bucket *b = buckets_get(&two_sets, hash, LEAK, 0);
        assert_true(b >= places + WAYS * (key % 2) && b < places + WAYS * (key % 2 + 1));
        assert_ptr_equal(buckets_find(&two_sets, hash, hash), b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_in_one, clear),
        cmocka_unit_test_setup(what_is_said_again_is_not_forgotten, clear),
        cmocka_unit_test_setup(one_is_never_fuller_than_full, clear),
        cmocka_unit_test_setup(the_lightest_goes, clear),
        cmocka_unit_test_setup(a_key_stays_in_its_set, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
