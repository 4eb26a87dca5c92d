/* What a token server answers (RFC 7662). The reader of JSON is jansson. */
#include "auth/verifiers/verify_oauth.h"

#include "test/fuzz/fuzz.h"

static const struct config house;
static struct name_rules rules;
static const struct verifier_config verifier_config = { .name_claim = "username", .scope = "mail", .audience = "imap" };
static const struct verifier verifier = { .house = &house, .config = &verifier_config, .names = &rules };
static bool is_compiled_in;

void fuzz_start(void)
{
    const char *wrong;
    struct buf why;
    buf_init(&why, 1024);
    is_compiled_in = introspection_open(&why);
    FUZZ_REQUIRE(name_rules_init(&rules, &house, &wrong));
    buf_fini(&why);
}

void fuzz_one(struct span input)
{
    static char anna[] = "anna@example.com";
    const struct attempt attempt = { .login = anna };
    struct http_answer answer;
    struct judgement j = { 0 };
    http_answer_init(&answer);
    answer.status = 200;
    if (is_compiled_in && buf_add(&answer.body, input)) {
        introspection_read(&verifier, &attempt, &answer, &j);
        FUZZ_REQUIRE(j.is == JUDGED_YES || j.is == JUDGED_NO || j.is == JUDGED_DOWN);
        bool named = span_contains_nocase(input, SPAN("username")) || span_has(input, '\\');
        FUZZ_REQUIRE(j.is != JUDGED_YES || named);
    }
    judgement_fini(&j);
    http_answer_fini(&answer);
}
