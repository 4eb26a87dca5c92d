/* The verdict, by table: a map, some sites, some sessions, and one question a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/verdict.h"

static struct site_config sites[] = {
    {.name = "north",  .user_format = "%u",       .serves = { true, true } },
    { .name = "south", .user_format = "CORP\\%n", .serves = { true, false }},
    { .name = "dom",   .user_format = "%d!%n",    .serves = { true, true } },
};
static struct site_config old_sites[] = {
    { .name = "north" }, { .name = "south" }, { .name = "dom" }, { .name = "gone" }
};
static struct network exempt = {
    {.family = AF_INET, .bytes = { 10 }},
    8
};
static const char *denied[] = { "anonymous", "guest", "administrator" };
static struct config config = {
    .sites = sites,
    .n_sites = COUNT_OF(sites),
    .accounts.deny = {.at = denied,               .n = COUNT_OF(denied)   },
    .limits = { .sessions_per_user = { 3, 1 }, .sessions_per_address = 2, .exempt = { &exempt, 1 } },
};
static const struct config old_config = { .sites = old_sites, .n_sites = COUNT_OF(old_sites) };

static const char map_text[] = "anna@x north\n"
                               "bert@x south\n"
                               "carl@x north user=carl-%d\n"
                               "dora@x north protocols=imap\n"
                               "full@x north\n"
                               "shared@x north user=box delegates=anna@x,X\\Bert,dora@x sessions=7\n"
                               "home@x north networks=192.0.2.0/24,2001:db8::/32\n"
                               "away@x north networks=198.51.100.7\n"
                               "mine@x dom delegates=away@x,carl@x,nobody@x\n"
                               "lost@x gone\n"
                               "bare dom\n"
                               "@y dom user=%t\n";

enum who { FREE, BUSY, EXEMPT_BUSY, WHO };
static const char *const clients[WHO] = { "192.0.2.1", "192.0.2.99", "10.0.0.1" };

/* By hand: clang-format 14 makes lines of a thousand columns of it. */
/* clang-format off */
static const struct {
    const char *name, *authzid;
    enum protocol protocol;
    enum who client;
    enum verdict_status status;
    const char *why, *site, *store_name;
    bool full;
    const char *store_login;
} rows[] = {
    { "anna@x", "", IMAP, FREE, VERDICT_OK, "", "north", "anna@x", false, "" },
    { "Anna@X.", "", POP3, FREE, VERDICT_OK, "", "north", "anna@x", false, "" },
    { "Anna@X", "anna@x", IMAP, FREE, VERDICT_OK, "", "north", "anna@x", false, "" },
    { "anna@x", "Anna@x.", IMAP, FREE, VERDICT_OK, "", "north", "anna@x", false, "" },
    { "anna@x", "bert@x", IMAP, FREE, VERDICT_REFUSED, "delegate", "", "", false, "" },
    { "anna@x", "anna", IMAP, FREE, VERDICT_REFUSED, "unknown", "", "", false, "" },
    { "anna@x", "a@b@c", IMAP, FREE, VERDICT_REFUSED, "name", "", "", false, "" },
    { "anna@x/anna@x", "", IMAP, FREE, VERDICT_OK, "", "north", "anna@x", false, "" },
    { "anna@x/bert@x", "", IMAP, FREE, VERDICT_REFUSED, "delegate", "", "", false, "" },
    { "anna@x/bert@x", "anna@x", IMAP, FREE, VERDICT_REFUSED, "name", "", "", false, "" },
    { "x\\anna", "x/anna", IMAP, FREE, VERDICT_OK, "", "north", "anna@x", false, "" },
    { "guest@x", "", IMAP, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "X\\Guest", "", POP3, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "anonymous", "", IMAP, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "anna@x", "guest@x", IMAP, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "guest@x", "anna@x", IMAP, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "anna@x/Administrator", "", IMAP, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "x/Administrator/anna", "", IMAP, FREE, VERDICT_DENIED, "denied", "", "", false, "" },
    { "bert@x", "", IMAP, FREE, VERDICT_OK, "", "south", "CORP\\bert", false, "" },
    { "bert@x", "", POP3, FREE, VERDICT_REFUSED, "protocol_off", "", "", false, "" },
    { "carl@x", "", IMAP, FREE, VERDICT_OK, "", "north", "carl-x", false, "" },
    { "dora@x", "", IMAP, FREE, VERDICT_OK, "", "north", "dora@x", false, "" },
    { "dora@x", "", POP3, FREE, VERDICT_REFUSED, "protocol_off", "", "", false, "" },
    { "nobody@x", "", IMAP, FREE, VERDICT_REFUSED, "unknown", "", "", false, "" },
    { "", "", IMAP, FREE, VERDICT_REFUSED, "name", "", "", false, "" },
    { "@x", "", IMAP, FREE, VERDICT_REFUSED, "name", "", "", false, "" },
    { "an\nna@x", "", IMAP, FREE, VERDICT_REFUSED, "name", "", "", false, "" },
    { "bare", "", IMAP, FREE, VERDICT_REFUSED, "name", "", "", false, "" }, /* %d of a name without domain */
    { "lost@x", "", IMAP, FREE, VERDICT_UNAVAILABLE, "no_site", "", "", false, "" },
    { "Any.One@Y", "", POP3, FREE, VERDICT_OK, "", "dom", "Any.One@Y", false, "" },
    { "anna@x", "shared@x", IMAP, FREE, VERDICT_OK, "", "north", "box", false, "anna@x" },
    { "x/bert/shared", "", IMAP, FREE, VERDICT_OK, "", "north", "box", false, "bert@x" },
    { "x/bert/shared", "", POP3, FREE, VERDICT_OK, "", "north", "box", false, "bert@x" },
    { "dora@x/shared@x", "", IMAP, FREE, VERDICT_OK, "", "north", "box", false, "dora@x" },
    { "dora@x/shared@x", "", POP3, FREE, VERDICT_REFUSED, "protocol_off", "", "", false, "" }, /* hers is off */
    { "carl@x/shared@x", "", IMAP, FREE, VERDICT_REFUSED, "delegate", "", "", false, "" },
    { "shared@x/anna@x", "", IMAP, FREE, VERDICT_REFUSED, "delegate", "", "", false, "" },
    { "nobody@x/mine@x", "", IMAP, FREE, VERDICT_REFUSED, "unknown", "", "", false, "" },
    { "anna@x/none@x", "", IMAP, FREE, VERDICT_REFUSED, "unknown", "", "", false, "" },
    { "carl@x", "mine@x", IMAP, FREE, VERDICT_OK, "", "dom", "x!mine", false, "x!carl" },
    { "away@x", "mine@x", IMAP, FREE, VERDICT_REFUSED, "network", "", "", false, "" },
    { "home@x", "", IMAP, FREE, VERDICT_OK, "", "north", "home@x", false, "" },
    { "away@x", "", IMAP, FREE, VERDICT_REFUSED, "network", "", "", false, "" },
    { "home@x", "", IMAP, EXEMPT_BUSY, VERDICT_REFUSED, "network", "", "", false, "" },
    { "full@x", "", IMAP, FREE, VERDICT_OK, "", "north", "full@x", true, "" },
    { "full@x", "", POP3, FREE, VERDICT_OK, "", "north", "full@x", false, "" },
    { "anna@x", "", IMAP, BUSY, VERDICT_ADDRESS_FULL, "address_full", "", "", false, "" },
    { "nobody@x", "", IMAP, BUSY, VERDICT_ADDRESS_FULL, "address_full", "", "", false, "" },
    { "anna@x", "", IMAP, EXEMPT_BUSY, VERDICT_OK, "", "north", "anna@x", false, "" },
};
/* clang-format on */

/* Three IMAP sessions of full@x: two from the busy address, one from the exempt one, which also has more. */
static void sign_in(struct live *l, uint64_t id, const char *mailbox, enum who who, bool counts)
{
    struct addr client;
    bool over;
    assert_true(addr_parse(span_of(clients[who]), 1, &client));
    assert_true(live_add(l, id, &(struct live_facts){ IMAP, span_of(mailbox), counts ? &client : NULL, false, 0 }));
    assert_true(live_sign_in(l, id, &over));
}

static void set_up(struct policy *policy, struct live *l)
{
    counts_init(&policy->counts);
    live_init(l, &policy->counts);
    sign_in(l, 1, "full@x", BUSY, true);
    sign_in(l, 2, "full@x", BUSY, true);
    sign_in(l, 3, "full@x", EXEMPT_BUSY, true);
    sign_in(l, 4, "other@x", EXEMPT_BUSY, true);
    sign_in(l, 5, "another@x", EXEMPT_BUSY, true);
}

static struct msg_verdict ask(const struct policy *policy, struct inquiry *q, size_t row)
{
    static struct msg_ask question;
    question = (struct msg_ask){ .protocol = rows[row].protocol,
                                 .name = span_of(rows[row].name),
                                 .authzid = span_of(rows[row].authzid) };
    assert_true(addr_parse(span_of(clients[rows[row].client]), 7, &question.client));
    assert_ptr_equal(q->policy, policy);
    if (inquiry_begin(q, &question))
        inquiry_end(q, NULL);
    return q->verdict;
}

static void verdicts(void **state UNUSED)
{
    struct buf compiled, errors;
    struct map map;
    struct live l;
    struct inquiry q;
    struct policy policy;
    assert_true(policy_init(&policy, &config));
    policy.map = &map;
    buf_init(&compiled, 65536);
    buf_init(&errors, 65536);
    inquiry_init(&q, &policy);
    assert_true(map_compile(&old_config, "m", SPAN(map_text), SPAN_NONE, true, &compiled, &errors));
    assert_true(map_open(&map, buf_span(&compiled)));
    set_up(&policy, &l);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct msg_verdict v = ask(&policy, &q, i);
        assert_int_equal(v.status, rows[i].status);
        assert_true(span_eq(v.why, span_of(rows[i].why)));
        assert_true(span_eq(v.site, span_of(rows[i].site)));
        assert_true(span_eq(v.store_name, span_of(rows[i].store_name)));
        assert_true(span_eq(v.store_login, span_of(rows[i].store_login)));
        assert_int_equal(v.user_full, rows[i].full);
        bool own = span_eq(v.store_name, SPAN("box"));
        if (v.status == VERDICT_OK)
            assert_int_equal(v.sessions_max, own ? 7 : rows[i].protocol == IMAP ? 3 : 1);
    }
    live_fini(&l);
    counts_fini(&policy.counts);
    policy_fini(&policy);
    inquiry_fini(&q);
    buf_fini(&compiled);
}

static void without_limits_and_without_a_map(void **state UNUSED)
{
    struct live l;
    struct inquiry q;
    static struct config unlimited;
    unlimited = config;
    unlimited.limits.sessions_per_address = 0;
    unlimited.limits.sessions_per_user[IMAP] = 0;
    struct policy policy;
    assert_true(policy_init(&policy, &unlimited));
    policy.map = NULL;
    inquiry_init(&q, &policy);
    set_up(&policy, &l);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct msg_verdict v = ask(&policy, &q, i);
        bool denied_one = v.status == VERDICT_DENIED;
        bool bad = span_eq(v.why, SPAN("name")) || denied_one;
        assert_int_equal(v.status, denied_one ? VERDICT_DENIED : bad ? VERDICT_REFUSED : VERDICT_UNAVAILABLE);
        assert_true(bad || span_eq(v.why, SPAN("no_map")));
    }
    assert_int_equal(policy_sessions_max(&policy, IMAP, SPAN("anna@x")), 0);
    assert_int_equal(policy_sessions_max(&policy, POP3, SPAN("anna@x")), 1);
    live_fini(&l);
    counts_fini(&policy.counts);
    policy_fini(&policy);
    inquiry_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(without_limits_and_without_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
