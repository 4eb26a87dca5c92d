/* SASL exchanges: each case is what a client sends, line by line, and what it comes to. After every end but a challenge
 * nothing of the exchange is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/front/exchange.h"

enum { LINES_MAX = 4 };
#define NO_INITIAL "(none)"

#define USERNAME "VXNlcm5hbWU6"
#define PASSWORD "UGFzc3dvcmQ6"
#define ANNA "YW5uYQ=="                                     /* anna */
#define SECRET "Z2VoZWlt"                                   /* geheim */
#define PLAIN_ANNA "AGFubmEAZ2VoZWlt"                       /* NUL anna NUL geheim */
#define PLAIN_BERT "YmVydABhbm5hAGdlaGVpbQ=="               /* bert NUL anna NUL geheim */
#define XOAUTH2_ANNA "dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB" /* user=anna ^A auth=Bearer tok ^A ^A */
#define BEARER_ANNA "bixhPWFubmEsAWF1dGg9QmVhcmVyIHRvawEB"  /* n,a=anna, ^A auth=Bearer tok ^A ^A */

static const struct {
    const char *title;
    enum sasl_mechanism mechanism;
    const char *initial;
    const char *lines[LINES_MAX]; /* NULL: that was all */
    const char *challenges[LINES_MAX + 1];
    enum exchange_step end;
    const char *name, *authzid, *secret;
} cases[] = {
    {"PLAIN at once",                    SASL_PLAIN,       PLAIN_ANNA,             { NULL },                { NULL },               EXCHANGE_DONE,      "anna", "",     "geheim"},
    { "PLAIN asked",                     SASL_PLAIN,       NO_INITIAL,             { PLAIN_ANNA },          { "" },                 EXCHANGE_DONE,      "anna", "",     "geheim"},
    { "PLAIN for another",               SASL_PLAIN,       PLAIN_BERT,             { NULL },                { NULL },               EXCHANGE_DONE,      "anna", "bert", "geheim"},
    { "PLAIN, an empty response",        SASL_PLAIN,       "=",                    { NULL },                { NULL },               EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "PLAIN, an empty line",            SASL_PLAIN,       NO_INITIAL,             { "" },                  { "" },                 EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "PLAIN, no base64",                SASL_PLAIN,       "!!!!",                 { NULL },                { NULL },               EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "PLAIN, spaces in it",             SASL_PLAIN,       NO_INITIAL,             { "AGFubmEA Z2VoZWlt" }, { "" },                 EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "PLAIN, a part is missing",        SASL_PLAIN,       ANNA,                   { NULL },                { NULL },               EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "PLAIN, a line end in the name",
     SASL_PLAIN,                                           "AGFuCm5hAGdlaGVpbQ==",
     { NULL },
     { NULL },
     EXCHANGE_BAD,                                                                                                                                      NULL,
     NULL,                                                                                                                                                              NULL    },
    { "PLAIN cancelled",                 SASL_PLAIN,       NO_INITIAL,             { "*" },                 { "" },                 EXCHANGE_CANCELLED, NULL,   NULL,   NULL    },
    { "a star is no initial response",   SASL_PLAIN,       "*",                    { NULL },                { NULL },               EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "LOGIN",                           SASL_LOGIN,       NO_INITIAL,             { ANNA, SECRET },        { USERNAME, PASSWORD }, EXCHANGE_DONE,      "anna", "",     "geheim"},
    { "LOGIN with its name at once",     SASL_LOGIN,       ANNA,                   { SECRET },              { PASSWORD },           EXCHANGE_DONE,      "anna", "",     "geheim"},
    { "LOGIN, an empty password",        SASL_LOGIN,       ANNA,                   { "" },                  { PASSWORD },           EXCHANGE_DONE,      "anna", "",     ""      },
    { "LOGIN, no name",
     SASL_LOGIN,                                           NO_INITIAL,
     { "", SECRET },
     { USERNAME, PASSWORD },
     EXCHANGE_BAD,                                                                                                                                      NULL,
     NULL,                                                                                                                                                              NULL    },
    { "LOGIN, NUL in the name",          SASL_LOGIN,       "YQBi",                 { SECRET },              { PASSWORD },           EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "LOGIN, NUL in the password",      SASL_LOGIN,       ANNA,                   { "YQBi" },              { PASSWORD },           EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "LOGIN cancelled at the password",
     SASL_LOGIN,                                           ANNA,
     { "*" },
     { PASSWORD },
     EXCHANGE_CANCELLED,                                                                                                                                NULL,
     NULL,                                                                                                                                                              NULL    },
    { "LOGIN, no base64",
     SASL_LOGIN,                                           NO_INITIAL,
     { ANNA, "geheim!" },
     { USERNAME, PASSWORD },
     EXCHANGE_BAD,                                                                                                                                      NULL,
     NULL,                                                                                                                                                              NULL    },
    { "XOAUTH2",                         SASL_XOAUTH2,     XOAUTH2_ANNA,           { NULL },                { NULL },               EXCHANGE_DONE,      "anna", "",     "tok"   },
    { "XOAUTH2 asked",                   SASL_XOAUTH2,     NO_INITIAL,             { XOAUTH2_ANNA },        { "" },                 EXCHANGE_DONE,      "anna", "",     "tok"   },
    { "XOAUTH2 is no PLAIN",             SASL_XOAUTH2,     PLAIN_ANNA,             { NULL },                { NULL },               EXCHANGE_BAD,       NULL,   NULL,   NULL    },
    { "OAUTHBEARER",                     SASL_OAUTHBEARER, BEARER_ANNA,            { NULL },                { NULL },               EXCHANGE_DONE,      "anna", "anna", "tok"   },
};

static void is_gone(const struct exchange *x)
{
    static const struct exchange none = { 0 };
    assert_int_equal(x->mechanism, SASL_NONE);
    assert_false(x->refused || x->has_name);
    assert_ptr_equal(x->name.at, none.name.at);
}

static void check_end(size_t i, const struct exchange *x, enum exchange_step step, struct credentials *got)
{
    if (step != cases[i].end)
        fail_msg("%s: ends in %d", cases[i].title, step);
    is_gone(x);
    if (step != EXCHANGE_DONE) {
        assert_int_equal(got->secret.n, 0);
        assert_null(got->secret.at);
        return;
    }
    assert_int_equal(got->mechanism, cases[i].mechanism);
    assert_string_equal(got->name, cases[i].name);
    assert_true(span_eq(secret_span(&got->secret), span_of(cases[i].secret)));
    if (cases[i].mechanism != SASL_OAUTHBEARER)
        assert_string_equal(got->authzid, cases[i].authzid);
}

static void dialogues(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct exchange x = { 0 };
        struct credentials got = { 0 };
        const char *challenge = NULL;
        struct span initial = strcmp(cases[i].initial, NO_INITIAL) == 0 ? SPAN_NONE : span_of(cases[i].initial);
        enum exchange_step step = exchange_begin(&x, cases[i].mechanism, initial, &got, &challenge);
        for (size_t k = 0; step == EXCHANGE_CHALLENGE; k++) {
            if (cases[i].challenges[k] == NULL || cases[i].lines[k] == NULL)
                fail_msg("%s: one line more than expected is asked for", cases[i].title);
            assert_string_equal(challenge, cases[i].challenges[k]);
            assert_int_equal(x.mechanism, cases[i].mechanism);
            step = exchange_line(&x, span_of(cases[i].lines[k]), &got, &challenge);
        }
        check_end(i, &x, step, &got);
        credentials_wipe(&got);
        exchange_end(&x);
    }
}

/* The error of a refused token goes as a challenge; any line, a star too, brings the NO. */
static void a_refused_token(void **state UNUSED)
{
    static const char *const lines[] = { "", "AQ==", "*", "!!!!", PLAIN_ANNA };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        for (enum sasl_mechanism m = SASL_XOAUTH2; m <= SASL_OAUTHBEARER; m++) {
            struct exchange x = { 0 };
            struct credentials got = { 0 };
            const char *challenge = exchange_refuse(&x, m);
            struct buf error;
            buf_init(&error, 200);
            assert_true(base64_decode(span_of(challenge), &error));
            assert_true(span_starts(buf_span(&error), SPAN("{\"status\":")));
            assert_int_equal(x.mechanism, m);
            assert_int_equal(exchange_line(&x, span_of(lines[i]), &got, &challenge), EXCHANGE_REFUSED);
            is_gone(&x);
            assert_null(got.secret.at);
            buf_fini(&error);
        }
}

/* A second mechanism starts clean, whatever the first had got to. */
static void nothing_of_the_first_survives(void **state UNUSED)
{
    struct exchange x = { 0 };
    struct credentials got = { 0 };
    const char *challenge = "";
    assert_int_equal(exchange_begin(&x, SASL_LOGIN, SPAN(ANNA), &got, &challenge), EXCHANGE_CHALLENGE);
    assert_true(x.has_name);
    assert_int_equal(exchange_begin(&x, SASL_LOGIN, SPAN_NONE, &got, &challenge), EXCHANGE_CHALLENGE);
    assert_false(x.has_name);
    assert_string_equal(challenge, USERNAME);
    exchange_refuse(&x, SASL_XOAUTH2);
    assert_int_equal(exchange_begin(&x, SASL_PLAIN, SPAN(PLAIN_ANNA), &got, &challenge), EXCHANGE_DONE);
    is_gone(&x);
    credentials_wipe(&got);
}

static void credentials(void **state UNUSED)
{
    static char name[SASL_NAME_MAX + 1];
    struct credentials c = { 0 };
    memset(name, 'n', sizeof name);
    assert_true(credentials_set(&c, SASL_NONE, span_bytes(name, SASL_NAME_MAX), SPAN_NONE, SPAN("p\0q")));
    assert_int_equal(strlen(c.name), SASL_NAME_MAX);
    assert_true(credentials_set(&c, SASL_PLAIN, SPAN("b"), SPAN("c"), SPAN("p")));
    assert_string_equal(c.name, "b"); /* and nothing of the longer one */
    assert_int_equal(c.name[2], 0);
    assert_string_equal(c.authzid, "c");
    static const struct span bad[] = {
        {"",      0          },
        { name,   sizeof name},
        { "a\0b", 3          },
        { "a\rb", 3          },
        { "a\nb", 3          }
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(credentials_set(&c, SASL_NONE, bad[i], SPAN_NONE, SPAN("p")));
        assert_null(c.secret.at); /* the one before is gone as well */
        if (bad[i].n > 0)
            assert_false(credentials_set(&c, SASL_NONE, SPAN("a"), bad[i], SPAN("p")));
    }
    credentials_wipe(&c);
    credentials_wipe(&c);
    for (size_t i = 0; i < sizeof c; i++)
        assert_int_equal(((const char *)&c)[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogues),
        cmocka_unit_test(a_refused_token),
        cmocka_unit_test(nothing_of_the_first_survives),
        cmocka_unit_test(credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
