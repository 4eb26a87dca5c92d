/* What a token server answers (RFC 7662). The file is included whole: what reads it is static in it. The reader of JSON
 * is jansson. */
#include "auth/verify_oauth.c"

#include "test/fuzz/fuzz.h"

#if defined HOMEWARD_HAS_CURL && defined HOMEWARD_HAS_JANSSON
static const struct config house = { .tls.ca_file = "" };
static struct name_rules rules;
static const struct verifier_config verifier_config = {
    .ca_file = "", .name_claim = "username", .scope = "mail", .audience = "imap"
};
static struct verifier verifier = { .house = &house, .config = &verifier_config, .names = &rules };

void fuzz_start(void)
{
    const char *wrong;
    struct buf why;
    buf_init(&why, 1024);
    FUZZ_REQUIRE(name_rules_init(&rules, &house, &wrong) && open_libraries(&verifier, &why));
}

void fuzz_one(struct span input)
{
    static char anna[] = "anna@example.com";
    struct http_answer answer;
    struct judgement j = { 0 };
    const struct attempt attempt = { .login = anna };
    http_answer_init(&answer);
    answer.status = 200;
    if (buf_add(&answer.body, input)) {
        take_answer(&verifier, &attempt, &answer, &j);
        FUZZ_REQUIRE(j.is == JUDGED_YES || j.is == JUDGED_NO || j.is == JUDGED_DOWN);
        bool named = span_contains_nocase(input, SPAN("username")) || span_has(input, '\\');
        FUZZ_REQUIRE(j.is != JUDGED_YES || named);
    }
    judgement_fini(&j);
    http_answer_fini(&answer);
}
#else
void fuzz_start(void)
{
}

void fuzz_one(struct span input UNUSED)
{
}
#endif
