/* The order of members: distribution by weight, stability when one leaves, and the ranks of health. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "backends/members/choice.h"

enum { MAILBOXES = 4000 };

static struct span mailbox(int i, char text[32])
{
    snprintf(text, 32, "user%d@example.com", i);
    return span_of(text);
}

static void test_distance(void **state UNUSED)
{
    static const struct {
        uint64_t hash, want;
    } cases[] = {
        {UINT64_MAX,          1                 }, /* never 0 */
        { (uint64_t)1 << 63,  (uint64_t)1 << 32 }, /* a half: 1 */
        { (uint64_t)1 << 62,  (uint64_t)2 << 32 }, /* a quarter: 2 */
        { 1,                  (uint64_t)64 << 32}, /* the least */
        { 0,                  (uint64_t)64 << 32}, /* counts as the least */
        { 0xb504f333f9de6484, (uint64_t)1 << 31 }, /* sqrt(1/2): a half */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t got = choice_distance(cases[i].hash);
        assert_in_range(got, cases[i].want - 1, cases[i].want + 1);
    }
}

static void test_weights(void **state UNUSED)
{
    struct choice_member members[3] = {
        {.name = SPAN("a:993"),  .weight = 1},
        { .name = SPAN("b:993"), .weight = 2},
        { .name = SPAN("c:993"), .weight = 5}
    };
    int first[2][3] = { { 0 } };
    uint8_t order[BACKENDS_MAX];
    char text[32];
    for (int i = 0; i < MAILBOXES; i++) {
        assert_int_equal(choice_order(members, 3, mailbox(i, text), order), 3);
        first[0][order[0]]++;
        assert_int_equal(choice_order(members, 3, SPAN_NONE, order), 3);
        first[1][order[0]]++;
    }
    for (int kind = 0; kind < 2; kind++) {
        assert_in_range(first[kind][0], 400, 600);
        assert_in_range(first[kind][1], 850, 1150);
        assert_in_range(first[kind][2], 2300, 2700);
    }
}

/* When b is gone or avoided, only its own mailboxes move, and they go where their second choice was. */
static void test_stability(void **state UNUSED)
{
    struct choice_member members[4] = {
        {.name = SPAN("a:993"),  .weight = 1},
        { .name = SPAN("b:993"), .weight = 3},
        { .name = SPAN("c:993"), .weight = 1},
        { .name = SPAN("d:993"), .weight = 2}
    };
    struct choice_member without[4], avoided[4];
    memcpy(without, members, sizeof members);
    memcpy(avoided, members, sizeof members);
    without[1].skip = true;
    avoided[1].avoided = true;
    for (int i = 0; i < MAILBOXES; i++) {
        uint8_t all[BACKENDS_MAX], left[BACKENDS_MAX], last[BACKENDS_MAX];
        char text[32];
        assert_int_equal(choice_order(members, 4, mailbox(i, text), all), 4);
        assert_int_equal(choice_order(without, 4, mailbox(i, text), left), 3);
        assert_int_equal(choice_order(avoided, 4, mailbox(i, text), last), 4);
        for (size_t from = 0, to = 0; from < 4; from++) {
            if (all[from] != 1)
                assert_int_equal(all[from], left[to++]);
        }
        assert_memory_equal(last, left, 3);
        assert_int_equal(last[3], 1);
    }
}

/* The same on every machine and in every version: other front ends rely on it. */
static void test_known_answers(void **state UNUSED)
{
    struct choice_member members[3] = {
        {.name = SPAN("imap1.north.example:993"),  .weight = 1},
        { .name = SPAN("imap2.north.example:993"), .weight = 1},
        { .name = SPAN("imap3.north.example:993"), .weight = 1}
    };
    static const uint8_t want[8] = { 2, 0, 2, 1, 1, 2, 1, 2 };
    uint8_t order[BACKENDS_MAX];
    char text[32];
    for (int i = 0; i < 8; i++) {
        choice_order(members, 3, mailbox(i, text), order);
        assert_int_equal(order[0], want[i]);
    }
}

static void test_ranks(void **state UNUSED)
{
    struct choice_member m[5] = {
        {.name = SPAN("late:1"),  .weight = 100, .avoided = true,           .returns_ms = 9000 },
        { .name = SPAN("standby:1"),                      .weight = 100,          .standby = true},
        { .name = SPAN("up:1"),                      .weight = 1              },
        { .name = SPAN("soon:1"), .weight = 1,   .avoided = true,         .standby = true, .returns_ms = 5000 },
        { .name = SPAN("tried:1"),     .weight = 100,                 .skip = true          },
    };
    static const uint8_t want[] = { 2, 1, 3, 0 };
    uint8_t order[BACKENDS_MAX];
    char text[32];
    for (int i = 0; i < 50; i++) {
        assert_int_equal(choice_order(m, 5, mailbox(i, text), order), COUNT_OF(want));
        assert_memory_equal(order, want, sizeof want);
    }
    assert_int_equal(choice_order(m, 0, SPAN("x"), order), 0);
    assert_int_equal(choice_order(m + 4, 1, SPAN("x"), order), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),      cmocka_unit_test(test_weights), cmocka_unit_test(test_stability),
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
