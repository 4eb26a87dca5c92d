/* What an answer to a token introspection (RFC 7662) means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/verifiers/verify_oauth.h"

static struct config house = { .accounts.default_domain = "x.test" };
static struct name_rules names;
static struct verifier_config settings = { .name_claim = "username", .scope = "mail imap", .audience = "front" };
static struct verifier v = { .config = &settings, .house = &house, .names = &names };
static char login[] = "anna@x.test";
static const struct attempt attempt = { .mechanism = SASL_OAUTHBEARER, .login = login };

#define GOOD "\"active\": true, \"username\": \"anna@x.test\", \"scope\": \"openid imap mail\", \"aud\": \"front\""
#define NEVER "\"exp\": 99999999999"

/* clang-format off */
static const struct {
    long status;
    const char *body;
    enum judged is;
} rows[] = {
    { 200, "{" GOOD "}", JUDGED_YES },
    { 200, "{" GOOD ", " NEVER ", \"nbf\": 1}", JUDGED_YES },
    { 200, "{\"active\": true, \"username\": \"Anna\", \"scope\": \"mail imap\", \"aud\": [\"back\", \"front\"]}", JUDGED_YES },
    { 200, "{\"active\": false}", JUDGED_NO },
    { 200, "{\"active\": false, \"username\": \"anna@x.test\", \"scope\": \"mail imap\", \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"bert@x.test\", \"scope\": \"mail imap\", \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"a b c@@\", \"scope\": \"mail imap\", \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": \"mail\", \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": \"mailimap imap\", \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": [\"mail\", \"imap\"], \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"aud\": \"front\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": \"mail imap\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": \"mail imap\", \"aud\": \"fron\"}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": \"mail imap\", \"aud\": [\"Front\", 7, null]}", JUDGED_NO },
    { 200, "{\"active\": true, \"username\": \"anna\", \"scope\": \"mail imap\", \"aud\": {\"front\": 1}}", JUDGED_NO },
    { 200, "{" GOOD ", \"exp\": 1}", JUDGED_NO },
    { 200, "{" GOOD ", \"exp\": 1.5}", JUDGED_NO },
    { 200, "{" GOOD ", \"nbf\": 99999999999}", JUDGED_NO },
    { 200, "{\"active\": true, \"scope\": \"mail imap\", \"aud\": \"front\"}", JUDGED_DOWN },
    { 200, "{\"active\": true, \"username\": 7, \"scope\": \"mail imap\", \"aud\": \"front\"}", JUDGED_DOWN },
    { 200, "{\"active\": \"true\", \"username\": \"anna\"}", JUDGED_DOWN },
    { 200, "{\"active\": 1, \"username\": \"anna\"}", JUDGED_DOWN },
    { 200, "{" GOOD ", \"active\": false}", JUDGED_DOWN }, /* twice: who knows which one counts */
    { 200, "{\"active\": true, \"username\": \"anna\\u0000@x.test\"}", JUDGED_DOWN },
    { 200, "{}", JUDGED_DOWN },
    { 200, "[" "{" GOOD "}" "]", JUDGED_DOWN },
    { 200, "{" GOOD "} x", JUDGED_DOWN },
    { 200, "{" GOOD, JUDGED_DOWN },
    { 200, "true", JUDGED_DOWN },
    { 200, "", JUDGED_DOWN },
    { 401, "{" GOOD "}", JUDGED_DOWN },
    { 302, "{" GOOD "}", JUDGED_DOWN },
    { 204, "{" GOOD "}", JUDGED_DOWN },
};
/* clang-format on */

static enum judged judge(long status, struct span body)
{
    struct http_answer answer;
    struct judgement j = { 0 };
    http_answer_init(&answer);
    answer.status = status;
    assert_true(buf_add(&answer.body, body));
    introspection_read(&v, &attempt, &answer, &j);
    enum judged is = j.is;
    judgement_fini(&j);
    http_answer_fini(&answer);
    return is;
}

static void answers_mean(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(judge(rows[i].status, span_of(rows[i].body)), rows[i].is);
}

/* What was cut off or broken on its way lets nobody in. */
static void a_damaged_answer_is_never_a_yes(void **state UNUSED)
{
    char text[256];
    struct span good = span_of(rows[0].body);
    assert_true(good.n < sizeof text);
    for (size_t n = 0; n < good.n; n++)
        assert_int_not_equal(judge(200, span_first(good, n)), JUDGED_YES);
    for (size_t i = 0; i < good.n; i++) {
        memcpy(text, good.at, good.n);
        text[i] = '\0';
        assert_int_not_equal(judge(200, span_bytes(text, good.n)), JUDGED_YES);
    }
}

static int set_up(void **state UNUSED)
{
    const char *wrong;
    struct buf why;
    buf_init(&why, 1024);
    bool good = name_rules_init(&names, &house, &wrong) && introspection_open(&why);
    buf_fini(&why);
    return good ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    name_rules_fini(&names);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean),
        cmocka_unit_test(a_damaged_answer_is_never_a_yes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
