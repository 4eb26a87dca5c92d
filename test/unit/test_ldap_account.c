/* An account as a directory has it: filters that nobody can widen, and what attributes mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/verifiers/ldap_account.h"

static struct backend_config backend = { .host = "mail1.x.test" };
static struct site_config sites[] = {
    {.name = "north", .backends = &backend, .n_backends = 1, .port = { 143, 110 } },
    { .name = "south",              .backends = &backend,                   .n_backends = 0}
};
static struct value_config values[] = {
    {"*/cn=MAIL7",            "south"},
    { "CN=DB?,CN=InfoStore*", "north"}
};
static struct config house = { .accounts.default_domain = "x.test", .sites = sites, .n_sites = COUNT_OF(sites) };
static struct name_rules names;
static struct verifier_config settings = { .sites = values, .n_sites = COUNT_OF(values) };
static struct verifier v = { .config = &settings, .house = &house, .names = &names };

/* ---- the filter ---- */

static const struct {
    const char *pattern, *login, *filter;
} filters[] = {
    {"(mail=%u)",                   "anna@x.test",        "(mail=anna@x.test)"                               },
    { "(&(uid=%n)(o=%d)(p=100%%))", "anna@x.test",        "(&(uid=anna)(o=x.test)(p=100%))"                  },
    { "(|(a=%u)(b=%u))",            "anna",               "(|(a=anna)(b=anna))"                              },
    { "(uid=%n)(o=%d)",             "anna",               "(uid=anna)(o=)"                                   },
    { "(mail=%u)",                  "*",                  "(mail=\\2a)"                                      },
    { "(mail=%u)",                  "a)(uid=*))(|(uid=*", "(mail=a\\29\\28uid=\\2a\\29\\29\\28|\\28uid=\\2a)"},
    { "(mail=%u)",                  "a\\2a%u\x01\x7f",    "(mail=a\\5c2a%u\\01\\7f)"                         },
    { "(mail=%u)",                  "\xc3\xa4@x",         "(mail=\xc3\xa4@x)"                                },
};

static void filters_hold_names_that_end_nothing(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        struct buf filter;
        buf_init(&filter, 512);
        assert_true(ldap_account_filter(span_of(filters[i].pattern), span_of(filters[i].login), &filter));
        assert_string_equal(filter.at, filters[i].filter);
        buf_fini(&filter);
    }
}

static void a_filter_that_does_not_fit_is_none(void **state UNUSED)
{
    struct buf filter;
    buf_init(&filter, 16);
    assert_false(ldap_account_filter(SPAN("(mail=%u)"), SPAN("anna@example.test"), &filter));
    buf_fini(&filter);
}

/* ---- attributes ---- */

#define T(literal)                                                                                                     \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
#define SID(rid) T("\x01\x05\0\0\0\0\0\x05\x15\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0" rid)
#define USER SID("\x4c\x04\0\0")

/* clang-format off */
static const struct {
    enum ldap_preset preset;
    struct span name, site, site_too, user, options, control, sid;
    enum judged is;
    const char *own_name, *home;
} rows[] = {
    { .is = JUDGED_YES },
    { .name = T("anna@x.test"), .is = JUDGED_YES },
    { .name = T("Anna"), .is = JUDGED_YES },                                          /* the same account */
    { .name = T("a.b@x.test"), .is = JUDGED_YES, .own_name = "a.b@x.test" },
    { .name = T("a b@@x"), .is = JUDGED_DOWN },
    { .name = T(""), .is = JUDGED_DOWN },
    { .name = T("a\0b"), .is = JUDGED_DOWN },
    { .site = T("MAIL1.x.test"), .is = JUDGED_YES, .home = "north" },
    { .site = T("north"), .is = JUDGED_YES, .home = "north" },
    { .site = T("elsewhere"), .is = JUDGED_YES },
    { .user = T("b\0x"), .is = JUDGED_DOWN },
    { .options = T("protocols=imap"), .is = JUDGED_YES },
    { .control = T("514"), .sid = SID("\xf4\x01\0\0"), .is = JUDGED_YES },            /* means nothing elsewhere */
    { .preset = PRESET_AD, .control = T("512"), .sid = USER, .is = JUDGED_YES },
    { .preset = PRESET_AD, .control = T("66048"), .sid = USER, .is = JUDGED_YES },
    { .preset = PRESET_AD, .control = T("514"), .sid = USER, .is = JUDGED_NO },
    { .preset = PRESET_AD, .control = T("66050"), .sid = USER, .is = JUDGED_NO },
    { .preset = PRESET_AD, .control = T("512"), .sid = SID("\xf4\x01\0\0"), .is = JUDGED_DENIED }, /* 500 */
    { .preset = PRESET_AD, .control = T("512"), .sid = SID("\xf5\x01\0\0"), .is = JUDGED_DENIED }, /* 501 */
    { .preset = PRESET_AD, .control = T("514"), .sid = SID("\xf4\x01\0\0"), .is = JUDGED_DENIED },
    { .preset = PRESET_AD, .control = T("512"), .sid = SID("\xf4\x01\x01\0"), .is = JUDGED_YES },
    { .preset = PRESET_AD, .control = T("x"), .sid = USER, .is = JUDGED_DOWN },
    { .preset = PRESET_AD, .control = T("512"), .sid = T("\x01\x05"), .is = JUDGED_DOWN },
    { .preset = PRESET_AD, .control = T("512"), .is = JUDGED_DOWN },
    { .preset = PRESET_AD, .sid = USER, .is = JUDGED_DOWN },
    { .preset = PRESET_AD, .control = T("512"), .sid = USER,
      .site = T("/o=X/ou=AG/cn=Configuration/cn=Servers/cn=mail7"), .is = JUDGED_YES, .home = "south" },
    { .preset = PRESET_AD, .control = T("512"), .sid = USER, .site = T("/o=X/cn=MAIL9"),
      .site_too = T("CN=DB3,CN=InfoStore,O=X"), .is = JUDGED_YES, .home = "north" },
};
/* clang-format on */

static void put(struct ldap_found *f, size_t attribute, struct span value)
{
    if (value.at == NULL)
        return;
    buf_init(&f->values[attribute][0], 1024);
    assert_true(buf_add(&f->values[attribute][0], value));
    f->n[attribute] = 1;
}

static void attributes_mean(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ldap_found f = { 0 };
        struct judgement j = { 0 };
        settings.preset = rows[i].preset;
        put(&f, ACCOUNT_NAME, rows[i].name);
        put(&f, ACCOUNT_SITE, rows[i].site);
        put(&f, ACCOUNT_SITE_TOO, rows[i].site_too);
        put(&f, ACCOUNT_USER, rows[i].user);
        put(&f, ACCOUNT_OPTIONS, rows[i].options);
        put(&f, ACCOUNT_CONTROL, rows[i].control);
        put(&f, ACCOUNT_SID, rows[i].sid);
        ldap_account_read(&v, IMAP, SPAN("anna@x.test"), &f, &j);
        assert_int_equal(j.is, rows[i].is);
        if (j.is == JUDGED_YES) {
            assert_true(span_eq(span_of(j.name), span_of(rows[i].own_name)));
            assert_true(span_eq(span_of(j.site), span_of(rows[i].home)));
        }
        judgement_fini(&j);
        ldap_found_fini(&f);
    }
}

static void several_options_are_one_line(void **state UNUSED)
{
    struct ldap_found f = { 0 };
    struct judgement j = { 0 };
    settings.preset = PRESET_OPENLDAP;
    put(&f, ACCOUNT_OPTIONS, SPAN("protocols=imap"));
    buf_init(&f.values[ACCOUNT_OPTIONS][1], 64);
    assert_true(buf_add_text(&f.values[ACCOUNT_OPTIONS][1], "sessions=3"));
    f.n[ACCOUNT_OPTIONS] = 2;
    ldap_account_read(&v, IMAP, SPAN("anna@x.test"), &f, &j);
    assert_int_equal(j.is, JUDGED_YES);
    assert_string_equal(j.options, "protocols=imap sessions=3");
    judgement_fini(&j);
    ldap_found_fini(&f);
}

static int set_up(void **state UNUSED)
{
    const char *wrong;
    return name_rules_init(&names, &house, &wrong) ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    name_rules_fini(&names);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_hold_names_that_end_nothing),
        cmocka_unit_test(a_filter_that_does_not_fit_is_none),
        cmocka_unit_test(attributes_mean),
        cmocka_unit_test(several_options_are_one_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
