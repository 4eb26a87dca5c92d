/* Rules of what guessing costs: limits that would never let anybody in again, answers that nobody would be there to
 * hear, and a cache with nothing in it. */
#include "config/check.h"

/* One guess an hour has no half that could come at once. */
static void check_guesses(const struct check *k, const char *name, const int64_t *guesses)
{
    if (*guesses == 1)
        report_error(k->report, check_line(k, guesses, NULL), "auth.%s: 1 found, expected 0 (any number) or at least 2",
                     name);
}

static void check_longest(const struct check *k)
{
    const struct config *c = k->config;
    int64_t longest_ms = (c->auth.delay_points_max + 1) * c->auth.failure_step_ms;
    if (c->auth.delay_points_max > 0 && longest_ms > c->limits.login_timeout_s * SECOND)
        report_warning(k->report, check_line(k, &c->auth.delay_points_max, &c->auth.failure_step_ms),
                       "auth.delay_points_max: %lld found, with which a refusal may wait %lld s; after "
                       "limits.login_timeout_s, %lld s, the connection is ended without an answer",
                       (long long)c->auth.delay_points_max, (long long)(longest_ms / SECOND),
                       (long long)c->limits.login_timeout_s);
}

static void check_cache(const struct check *k)
{
    const struct config *c = k->config;
    bool judges = false;
    for (size_t i = 0; i < c->auth.n_verifiers; i++)
        judges = judges || c->auth.verifiers[i].driver != VERIFIER_SITE;
    if (c->auth.cache_s > 0 && !judges)
        report_warning(k->report, check_line(k, &c->auth.cache_s, NULL),
                       "auth.cache_s: %lld found with driver = \"site\" alone, which is asked for each login",
                       (long long)c->auth.cache_s);
}

void check_guessing(const struct check *k)
{
    check_guesses(k, "guesses_per_account", &k->config->auth.guesses_per_account);
    check_guesses(k, "guesses_per_address", &k->config->auth.guesses_per_address);
    check_longest(k);
    check_cache(k);
}
