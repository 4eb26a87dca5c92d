/* What verifiers and an LDAP directory say of names, made into a verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/verdict.h"

static struct site_config sites[] = {
    {.name = "north",           .user_format = "%u",               .serves = { true, true }},
    {               .name = "south",      .user_format = "%n",         .serves = { true, false }                       },
    { .name = "vault", .user_format = "%u", .serves = { true, true },                        .credentials = CREDENTIALS_MASTER },
};
static const char *denied[] = { "guest" };
static struct config config = {
    .sites = sites,
    .n_sites = COUNT_OF(sites),
    .accounts = {.deny = { .at = denied, .n = 1 }, .default_domain = "x"},
    .directory.driver = DIRECTORY_LDAP,
};

/* `name` is looked for as it is canonical. */
static const struct {
    const char *name;
    struct judgement says;
} directory[] = {
    {"anna@x",  { .is = JUDGED_YES, .site = (char *)"north" }                                                     },
    { "bert@x",
     { .is = JUDGED_YES, .site = (char *)"south", .store_name = (char *)"b%u", .options = (char *)"sessions=4" }  },
    { "ab@x",   { .is = JUDGED_YES, .site = (char *)"north", .name = (char *)"anna@x" }                           },
    { "g@x",    { .is = JUDGED_YES, .site = (char *)"north", .name = (char *)"guest" }                            },
    { "bad@x",  { .is = JUDGED_YES, .site = (char *)"north", .name = (char *)"b a d@@" }                          },
    { "odd@x",  { .is = JUDGED_YES, .site = (char *)"north", .options = (char *)"color=red" }                     },
    { "off@x",  { .is = JUDGED_YES, .site = (char *)"north", .options = (char *)"protocols=imap" }                },
    { "box@x",  { .is = JUDGED_YES, .site = (char *)"south", .options = (char *)"delegates=anna@x,off@x,ghost@x" }},
    { "safe@x", { .is = JUDGED_YES, .site = (char *)"vault" }                                                     },
    { "lost@x", { .is = JUDGED_YES, .site = (char *)"nowhere" }                                                   },
    { "gone@x", { .is = JUDGED_NO }                                                                               },
    { "root@x", { .is = JUDGED_DENIED }                                                                           },
    { "down@x", { .is = JUDGED_DOWN }                                                                             },
};
static const struct judgement nothing = { .is = JUDGED_UNKNOWN };

/* Verifiers. */
static const struct judgement by_site = { .is = JUDGED_BY_SITE }, yes = { .is = JUDGED_YES }, no = { .is = JUDGED_NO },
                              unknown = { .is = JUDGED_UNKNOWN }, down = { .is = JUDGED_DOWN },
                              builtin = { .is = JUDGED_DENIED },
                              told = { .is = JUDGED_YES, .site = (char *)"south", .store_name = (char *)"%n" },
                              all = { .is = JUDGED_YES, .site = (char *)"vault", .is_all = true },
                              renamed = { .is = JUDGED_YES, .name = (char *)"Anna@x" },
                              to_guest = { .is = JUDGED_YES, .name = (char *)"guest@y" },
                              opens = { .is = JUDGED_YES, .options = (char *)"opens=bert@x" },
                              imap_only = { .is = JUDGED_YES, .options = (char *)"protocols=imap" },
                              odd = { .is = JUDGED_YES, .options = (char *)"size=9" };
static char long_name[NAME_BYTES_MAX + 2];
static struct judgement too_long = { .is = JUDGED_YES, .store_name = long_name };

/* clang-format off */
static const struct {
    const struct judgement *judgement;
    const char *name, *authzid;
    enum protocol protocol;
    enum verdict_status status;
    const char *why, *mailbox, *site, *store_name, *store_login;
    size_t asked;
} rows[] = {
    { &by_site, "anna", "", IMAP, VERDICT_OK, "", "anna@x", "north", "anna@x", "", 1 },
    { &yes, "anna", "", POP3, VERDICT_OK, "", "anna@x", "north", "anna@x", "", 1 },
    { &by_site, "bert", "", IMAP, VERDICT_OK, "", "bert@x", "south", "b%u", "", 1 },
    { &by_site, "ab", "", IMAP, VERDICT_OK, "", "anna@x", "north", "anna@x", "", 1 },
    { &by_site, "g", "", IMAP, VERDICT_DENIED, "denied", "guest@x", "", "", "", 1 },
    { &by_site, "bad", "", IMAP, VERDICT_UNAVAILABLE, "verifier_name", "bad@x", "", "", "", 1 },
    { &by_site, "odd", "", IMAP, VERDICT_UNAVAILABLE, "verifier_options", "odd@x", "", "", "", 1 },
    { &by_site, "off", "", POP3, VERDICT_REFUSED, "protocol_off", "off@x", "", "", "", 1 },
    { &by_site, "bert", "", POP3, VERDICT_REFUSED, "protocol_off", "bert@x", "", "", "", 1 },
    { &by_site, "ghost", "", IMAP, VERDICT_REFUSED, "unknown", "ghost@x", "", "", "", 1 },
    { &yes, "ghost", "", IMAP, VERDICT_REFUSED, "unknown", "ghost@x", "", "", "", 1 },
    { &by_site, "gone", "", IMAP, VERDICT_REFUSED, "disabled", "gone@x", "", "", "", 1 },
    { &yes, "gone", "", IMAP, VERDICT_REFUSED, "disabled", "gone@x", "", "", "", 1 },
    { &by_site, "root", "", IMAP, VERDICT_DENIED, "denied", "root@x", "", "", "", 1 },
    { &by_site, "down", "", IMAP, VERDICT_UNAVAILABLE, "directory_down", "down@x", "", "", "", 1 },
    { &by_site, "lost", "", IMAP, VERDICT_UNAVAILABLE, "no_site", "lost@x", "", "", "", 1 },
    { &by_site, "safe", "", IMAP, VERDICT_REFUSED, "unknown", "safe@x", "", "", "", 1 },
    { &yes, "safe", "", IMAP, VERDICT_OK, "", "safe@x", "vault", "safe@x", "", 1 },
    /* Nobody is looked for whose password is wrong, or who never signs in. */
    { &no, "anna", "", IMAP, VERDICT_REFUSED, "refused", "anna@x", "", "", "", 0 },
    { &unknown, "anna", "", IMAP, VERDICT_REFUSED, "unknown", "anna@x", "", "", "", 0 },
    { &builtin, "anna", "", IMAP, VERDICT_DENIED, "denied", "anna@x", "", "", "", 0 },
    { &down, "anna", "", IMAP, VERDICT_UNAVAILABLE, "verifier_down", "anna@x", "", "", "", 0 },
    { &yes, "guest", "", IMAP, VERDICT_DENIED, "denied", "guest@x", "", "", "", 0 },
    /* What the verifier says of the account goes before what the directory says. */
    { &told, "anna", "", IMAP, VERDICT_OK, "", "anna@x", "south", "%n", "", 1 },
    { &told, "ghost", "", IMAP, VERDICT_OK, "", "ghost@x", "south", "%n", "", 1 },
    { &told, "off", "", POP3, VERDICT_REFUSED, "protocol_off", "off@x", "", "", "", 1 },
    { &told, "gone", "", IMAP, VERDICT_REFUSED, "disabled", "gone@x", "", "", "", 1 },
    { &all, "ghost", "", IMAP, VERDICT_OK, "", "ghost@x", "vault", "ghost@x", "", 0 },
    { &renamed, "someone", "", IMAP, VERDICT_OK, "", "anna@x", "north", "anna@x", "", 1 },
    { &to_guest, "anna", "", IMAP, VERDICT_DENIED, "denied", "guest@y", "", "", "", 0 },
    { &odd, "anna", "", IMAP, VERDICT_UNAVAILABLE, "verifier_options", "anna@x", "", "", "", 0 },
    { &imap_only, "anna", "", POP3, VERDICT_REFUSED, "protocol_off", "anna@x", "", "", "", 1 },
    { &too_long, "anna", "", IMAP, VERDICT_UNAVAILABLE, "verifier_name", "anna@x", "", "", "", 1 },
    /* Delegates: of both the directory is asked, and the mailbox's home counts. */
    { &by_site, "anna", "box", IMAP, VERDICT_OK, "", "box@x", "south", "box", "anna", 2 },
    { &all, "anna", "box", IMAP, VERDICT_OK, "", "box@x", "south", "box", "anna", 2 },
    { &renamed, "an", "box", IMAP, VERDICT_OK, "", "box@x", "south", "box", "anna", 2 },
    { &by_site, "ab", "box", IMAP, VERDICT_OK, "", "box@x", "south", "box", "anna", 2 },
    { &by_site, "anna", "ab", IMAP, VERDICT_OK, "", "anna@x", "north", "anna@x", "", 1 },
    { &by_site, "bert", "box", IMAP, VERDICT_REFUSED, "delegate", "box@x", "", "", "", 2 },
    { &by_site, "off", "box", IMAP, VERDICT_OK, "", "box@x", "south", "box", "off", 2 },
    { &by_site, "ghost", "box", IMAP, VERDICT_REFUSED, "unknown", "box@x", "", "", "", 2 },
    { &yes, "ghost", "box", IMAP, VERDICT_OK, "", "box@x", "south", "box", "ghost", 2 },
    { &opens, "ghost", "bert", IMAP, VERDICT_OK, "", "bert@x", "south", "b%u", "ghost", 2 },
    { &opens, "ghost", "anna", IMAP, VERDICT_REFUSED, "delegate", "anna@x", "", "", "", 2 },
    { &by_site, "gone", "box", IMAP, VERDICT_REFUSED, "disabled", "box@x", "", "", "", 2 },
    { &by_site, "anna", "g", IMAP, VERDICT_DENIED, "denied", "guest@x", "", "", "", 1 },
    { &by_site, "g", "box", IMAP, VERDICT_DENIED, "denied", "box@x", "", "", "", 2 },
    { &by_site, "anna", "down", IMAP, VERDICT_UNAVAILABLE, "directory_down", "down@x", "", "", "", 1 },
    { &by_site, "anna", "ghost", IMAP, VERDICT_REFUSED, "unknown", "ghost@x", "", "", "", 2 },
};
/* clang-format on */

static const struct judgement *look_up(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(directory); i++)
        if (span_eq(name, span_of(directory[i].name)))
            return &directory[i].says;
    return &nothing;
}

static size_t decide(struct inquiry *q, const struct msg_ask *ask, const struct judgement *judgement)
{
    size_t asked = 0;
    if (!inquiry_begin(q, ask))
        return asked;
    for (struct span name = inquiry_hears(q, judgement); name.at != NULL; asked++)
        name = inquiry_hears(q, look_up(name));
    inquiry_end(q, judgement);
    return asked;
}

static void verdicts(void **state UNUSED)
{
    struct policy policy = { .map = NULL };
    struct inquiry q;
    memset(long_name, 'n', sizeof long_name - 1);
    assert_true(policy_init(&policy, &config));
    counts_init(&policy.counts);
    inquiry_init(&q, &policy);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct msg_ask ask = { .protocol = rows[i].protocol,
                                     .name = span_of(rows[i].name),
                                     .authzid = span_of(rows[i].authzid) };
        size_t asked = decide(&q, &ask, rows[i].judgement);
        const struct msg_verdict *v = &q.verdict;
        if (!span_eq(v->why, span_of(rows[i].why)) || v->status != rows[i].status || asked != rows[i].asked)
            fail_msg("row %zu: %.*s after %zu questions", i, SPAN_ARG(v->why), asked);
        assert_true(span_eq(v->mailbox, span_of(rows[i].mailbox)));
        assert_true(span_eq(v->site, span_of(rows[i].site)));
        assert_true(span_eq(v->store_name, span_of(rows[i].store_name)));
        assert_true(span_eq(v->store_login, span_of(rows[i].store_login)));
        assert_int_equal(v->verified, v->status == VERDICT_OK && rows[i].judgement->is == JUDGED_YES);
    }
    inquiry_fini(&q);
    counts_fini(&policy.counts);
    policy_fini(&policy);
}

/* A dry run, which asks nobody. */
static void a_directory_that_was_not_asked_refuses_nobody(void **state UNUSED)
{
    struct policy policy = { .map = NULL };
    struct inquiry q;
    const struct msg_ask ask = { .name = SPAN("anna") };
    assert_true(policy_init(&policy, &config));
    counts_init(&policy.counts);
    inquiry_init(&q, &policy);
    assert_true(inquiry_begin(&q, &ask));
    inquiry_end(&q, &yes);
    assert_int_equal(q.verdict.status, VERDICT_UNAVAILABLE);
    assert_true(span_eq(q.verdict.why, SPAN("directory_not_asked")));
    inquiry_fini(&q);
    counts_fini(&policy.counts);
    policy_fini(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(a_directory_that_was_not_asked_refuses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
