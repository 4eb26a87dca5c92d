/* What an auth_http server answers: lines of headers. */
#include "auth/verifiers/verify_http.h"

#include "test/fuzz/fuzz.h"

static struct backend_config backends[] = { { .host = "10.0.0.1" } };
static struct site_config sites[] = {
    {.name = "north", .backends = backends, .n_backends = 1}
};
static const struct config house = { .sites = sites, .n_sites = 1 };
static const struct verifier_config verifier_config = { 0 };
static const struct verifier verifier = { .house = &house, .config = &verifier_config };

void fuzz_start(void)
{
}

void fuzz_one(struct span input)
{
    struct http_answer answer;
    struct judgement j = { 0 };
    const struct attempt attempt = { .protocol = IMAP };
    http_answer_init(&answer);
    answer.status = fuzz_choice(&input, 8) == 7 ? 404 : 200;
    if (buf_add(&answer.headers, input)) {
        auth_http_read(&verifier, &attempt, &answer, &j);
        bool said_ok = span_contains_nocase(input, SPAN("auth-status:"));
        FUZZ_REQUIRE(j.is != JUDGED_YES || (said_ok && answer.status == 200));
        FUZZ_REQUIRE(j.is == JUDGED_YES || j.is == JUDGED_NO || j.is == JUDGED_DOWN);
        FUZZ_REQUIRE(j.password.n <= SASL_PASSWORD_MAX);
    }
    judgement_fini(&j);
    http_answer_fini(&answer);
}
