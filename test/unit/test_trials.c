/* What a login came to, from its verdict and from what is heard of it later: held against somebody, or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/guesses/trials.h"
#include "proxy/net/loop.h"

static const struct config config = {
    .auth = {.guesses_per_account = 60, .guesses_per_address = 120, .known_address_days = 30},
    .limits.site_login_timeout_s = 30,
};
static const struct guess_facts facts = {
    .account = {"anna@x", 6},
      .client.family = AF_INET, .mark = 7
};

enum heard { NOTHING, ACCEPTED, REFUSED, UNREACHABLE, LEFT, CHANNEL_ENDED };

static const struct {
    enum verdict_status verdict;
    bool verified;
    enum heard heard;
    unsigned failures;
    bool known;
} cases[] = {
    {VERDICT_REFUSED,       false, NOTHING,       1, false},
    { VERDICT_DENIED,       false, NOTHING,       1, false},
    { VERDICT_UNAVAILABLE,  false, NOTHING,       0, false},
    { VERDICT_ADDRESS_FULL, false, NOTHING,       0, false},
    { VERDICT_OK,           false, NOTHING,       0, false},
    { VERDICT_OK,           false, ACCEPTED,      0, true },
    { VERDICT_OK,           false, REFUSED,       1, false},
    { VERDICT_OK,           false, UNREACHABLE,   0, false},
    { VERDICT_OK,           false, LEFT,          1, false},
    { VERDICT_OK,           false, CHANNEL_ENDED, 0, false},
    { VERDICT_OK,           true,  ACCEPTED,      0, true },
    { VERDICT_OK,           true,  REFUSED,       1, false},
    { VERDICT_OK,           true,  UNREACHABLE,   0, false},
    { VERDICT_OK,           true,  LEFT,          0, false},
};

static void hear(struct trials *t, enum heard heard)
{
    static const enum login_result results[] = {
        [ACCEPTED] = LOGIN_ACCEPTED, [REFUSED] = LOGIN_REFUSED, [UNREACHABLE] = LOGIN_UNREACHABLE
    };
    trials_result(t, 99, LOGIN_REFUSED); /* of no login here */
    if (heard == LEFT)
        trials_left(t, 5);
    else if (heard == ACCEPTED || heard == REFUSED || heard == UNREACHABLE)
        trials_result(t, 5, results[heard]);
    trials_left(t, 5); /* as every login that has a result also leaves */
}

static void what_it_came_to(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct penalties p;
        struct cache cache = { 0 };
        struct trials t;
        struct guess g;
        bool shared;
        struct msg_verdict verdict = { .status = (uint8_t)cases[i].verdict, .verified = cases[i].verified };
        assert_true(penalties_open(&p, &config, -1, &shared));
        trials_init(&t, &p, &cache);
        assert_int_equal(penalties_weigh(&p, &facts, loop_now_ms(), &g), GUESS_JUDGE);
        trials_add(&t, 5, &verdict, &g, NULL);
        if (cases[i].heard != NOTHING && cases[i].heard != CHANNEL_ENDED)
            hear(&t, cases[i].heard);
        trials_fini(&t);
        struct penalties_view view = penalties_look(&p, &facts, loop_now_ms());
        if (view.of_account != cases[i].failures || view.of_address != cases[i].failures ||
            view.known != cases[i].known)
            fail_msg("row %zu: %u and %u failures, %s", i, view.of_account, view.of_address,
                     view.known ? "known" : "unknown");
        assert_int_equal(flights_of(&p.flights, g.account), 0);
        assert_int_equal(flights_of(&p.flights, g.block), 0);
        penalties_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_it_came_to) };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
