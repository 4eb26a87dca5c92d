/* The sentences that users see: every outcome in both protocols, to the last octet. Mail programs decide by the code
 * whether to throw a password away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/front/outcome.h"

#define DOWN "Your mailbox cannot be reached at the moment. Your password was not the problem; please try again later."

static const struct {
    struct outcome outcome;
    const char *imap, *pop3;
} cases[] = {
    {{ .kind = OUTCOME_REFUSED },
     "NO [AUTHENTICATIONFAILED] Authentication failed.",                                                                           "-ERR [AUTH] Authentication failed."                                                                       },
 /* Whatever was the reason: byte for byte the same. */
    { { .kind = OUTCOME_REFUSED, .why = "unknown", .code = { "X", 1 }, .text = { "no such user", 12 } },
     "NO [AUTHENTICATIONFAILED] Authentication failed.",                                                                           "-ERR [AUTH] Authentication failed."                                                                       },
    { { .kind = OUTCOME_UNAVAILABLE, .why = "timeout" },                                                 "NO [UNAVAILABLE] " DOWN, "-ERR [SYS/TEMP] " DOWN                                                                                    },
    { { .kind = OUTCOME_TLS_FIRST },
     "NO [PRIVACYREQUIRED] TLS is required first.",                                                                                "-ERR [SYS/PERM] TLS is required first."                                                                   },
    { { .kind = OUTCOME_TOO_MANY, .sessions_max = 50 },
     "NO [UNAVAILABLE] Too many mail programs are connected (50). Your password is right; close one and try again.",               "-ERR [IN-USE] Too many mail programs are connected (50). Your password is right; close one and try again."},
    { { .kind = OUTCOME_SAYS, .code = { "EXPIRED", 7 }, .text = { "Your password has expired.", 26 } },
     "NO [EXPIRED] Your password has expired.",                                                                                    "-ERR [EXPIRED] Your password has expired."                                                                },
    { { .kind = OUTCOME_SAYS, .code = { "LIMIT", 5 } },
     "NO [LIMIT] The mail server says no.",                                                                                        "-ERR [LIMIT] The mail server says no."                                                                    },
};

static void sentences(void **state UNUSED)
{
    struct buf to;
    buf_init(&to, 1024);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (enum protocol p = 0; p < PROTOCOLS; p++) {
            struct span want = span_of(p == IMAP ? cases[i].imap : cases[i].pop3);
            buf_clear(&to);
            assert_true(outcome_write(&cases[i].outcome, p, &to));
            if (!span_eq(buf_span(&to), want))
                fail_msg("got %.*s", SPAN_ARG(buf_span(&to)));
        }
    buf_fini(&to);
}

static void without_room_there_is_no_half_truth(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t room = 0; room < span_of(cases[i].imap).n; room++) {
            struct buf to;
            buf_init(&to, room);
            assert_false(outcome_write(&cases[i].outcome, IMAP, &to));
            buf_fini(&to);
        }
}

static void each_has_a_word_for_the_log(void **state UNUSED)
{
    for (int kind = 0; kind < OUTCOMES; kind++) {
        assert_non_null(outcome_results[kind]);
        for (const char *c = outcome_results[kind]; *c != '\0'; c++)
            assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
        for (int other = 0; other < kind; other++)
            assert_string_not_equal(outcome_results[kind], outcome_results[other]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(without_room_there_is_no_half_truth),
        cmocka_unit_test(each_has_a_word_for_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
