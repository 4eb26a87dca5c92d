/* Accounts that never sign in: patterns against canonical names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/names/deny.h"

static const char *list[] = { "administrator",     "Guest",     "*-test",    "a??z@*",
                              "*@old.example.com", "root@CORP", "sv?*@x.org" };
static struct domain_config domains[] = {
    {.name = "CORP", .is = "example.com"}
};
static const struct config config = {
    .accounts = {.domains = domains, .n_domains = 1, .deny = { .at = list, .n = COUNT_OF(list) }}
};

static const struct {
    const char *name;
    bool denied;
} names[] = {
    {"administrator",                 true },
    { "administrator@x.org",          true },
    { "administrator+a@x.org",        true },
    { "administrators@x.org",         false},
    { "guest@example.com",            true },
    { "guesthouse@example.com",       false},
    { "load-test",                    true },
    { "load-test@x.org",              true },
    { "load-test2@x.org",             false},
    { "-test@x.org",                  true },
    { "abcz@x.org",                   true },
    { "a\xc3\xb6\xe2\x82\xacz@x.org", true }, /* two characters, five bytes */
    { "abcdz@x.org",                  false},
    { "abcz",                         false}, /* the pattern wants a domain */
    { "anybody@old.example.com",      true },
    { "anybody@new.example.com",      false},
    { "root@example.com",             true },
    { "root@x.org",                   false},
    { "svc@x.org",                    true },
    { "sv@x.org",                     false},
    { "anna@x.org",                   false},
    { "+@x.org",                      false},
};

static void denied_names(void **state UNUSED)
{
    struct name_rules rules;
    struct deny deny;
    const char *wrong;
    assert_true(name_rules_init(&rules, &config, &wrong));
    assert_true(deny_init(&deny, &rules, &config, &wrong));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (deny_has(&deny, span_of(names[i].name)) != names[i].denied)
            fail_msg("%s", names[i].name);
    deny_fini(&deny);
    name_rules_fini(&rules);
}

static void one(const char *pattern, const char *name, bool denied)
{
    const char *at[] = { pattern };
    const struct config with = {
        .accounts.deny = {.at = at, .n = 1}
    };
    struct name_rules rules;
    struct deny deny;
    const char *wrong;
    assert_true(name_rules_init(&rules, &with, &wrong));
    assert_true(deny_init(&deny, &rules, &with, &wrong));
    assert_int_equal(deny_has(&deny, span_of(name)), denied);
    deny_fini(&deny);
    name_rules_fini(&rules);
}

static void stars(void **state UNUSED)
{
    one("**", "anna@x.org", true);
    one("*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x", false);
    one("a*b*c", "axxbxxc@x", true);
    one("a*b*c", "axxcxxb@x", false);
    one("?", "a", true);
    one("?", "ab", false);
}

static void unusable(void **state UNUSED)
{
    static const char *const bad[] = { "a b", "x@", "@x", "x@y z", "x@-y", "a\x7f" };
    static const struct name_rules rules;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *at[] = { "guest", bad[i] };
        const struct config with = {
            .accounts.deny = {.at = at, .n = 2}
        };
        struct deny deny;
        const char *wrong;
        assert_false(deny_init(&deny, &rules, &with, &wrong));
        assert_string_equal(wrong, bad[i]);
        assert_true(deny_has(&deny, SPAN("guest")));
        deny_fini(&deny);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denied_names),
        cmocka_unit_test(stars),
        cmocka_unit_test(unusable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
