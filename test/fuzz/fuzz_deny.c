/* Accounts that never sign in: the first line is a pattern, the others are names. What a pattern without wildcards
 * denies is its own canonical form. */
#include "auth/names/deny.h"

#include <stdlib.h>

#include "test/fuzz/fuzz.h"

static const struct config bare;
static struct name_rules rules;

void fuzz_start(void)
{
    const char *wrong;
    FUZZ_REQUIRE(name_rules_init(&rules, &bare, &wrong));
}

static void ask(const struct deny *deny, struct span name)
{
    struct buf canonical;
    buf_init(&canonical, NAME_BYTES_MAX);
    if (name_canonical(&rules, name, &canonical)) {
        bool denied = deny_has(deny, buf_span(&canonical));
        FUZZ_REQUIRE(denied == deny_has(deny, buf_span(&canonical)));
    }
    buf_fini(&canonical);
}

void fuzz_one(struct span input)
{
    struct span first = fuzz_line(&input);
    char *pattern = span_copy(first);
    const char *list[] = { pattern }, *wrong = NULL;
    const struct config config = {
        .accounts.deny = {.at = list, .n = 1}
    };
    struct deny deny;
    FUZZ_REQUIRE(pattern != NULL);
    bool good = deny_init(&deny, &rules, &config, &wrong);
    FUZZ_REQUIRE(good || wrong == pattern);
    while (input.n > 0)
        ask(&deny, fuzz_line(&input));
    if (good && strpbrk(pattern, "*?") == NULL) {
        struct buf canonical;
        buf_init(&canonical, NAME_BYTES_MAX);
        if (name_canonical(&rules, span_of(pattern), &canonical) && strpbrk(pattern, "\\/") == NULL)
            FUZZ_REQUIRE(deny_has(&deny, buf_span(&canonical)));
        buf_fini(&canonical);
    }
    deny_fini(&deny);
    free(pattern);
}
