/* Successes that are remembered: what is the same question, and how long a yes is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/verifiers/cache.h"
#include "proxy/net/loop.h"

static struct verifier_config verifiers[] = { { .driver = VERIFIER_LDAP }, { .driver = VERIFIER_SITE } };
static struct verifier chained[] = { { .config = &verifiers[0] }, { .config = &verifiers[1] } };
static struct chain chain = { .verifiers = chained, .n = 2, .judges = true };
static struct config config = { .auth.cache_s = 60 };
static struct cache cache;

static void open_with(enum verifier_driver driver, int64_t cache_s, bool judges)
{
    verifiers[0].driver = driver;
    config.auth.cache_s = cache_s;
    chain.judges = judges;
    assert_true(cache_open(&cache, &config, &chain));
}

struct question {
    enum protocol protocol;
    enum sasl_mechanism mechanism;
    bool tls;
    const char *client, *login, *typed, *password;
};
static const struct question usual = { IMAP, SASL_PLAIN, true, "192.0.2.1", "anna@x", "anna", "secret" };

static struct cache_key key_of(const struct question *q)
{
    struct attempt a = { .protocol = q->protocol,
                         .mechanism = q->mechanism,
                         .tls = q->tls,
                         .login = (char *)q->login,
                         .typed = (char *)q->typed };
    struct cache_key key;
    assert_true(addr_parse(span_of(q->client), 4711, &a.client));
    assert_true(secret_set(&a.secret, span_of(q->password)));
    cache_name(&cache, &a, &key);
    secret_wipe(&a.secret);
    return key;
}

static bool found(const struct question *q, int64_t now_ms)
{
    struct judgement said = { 0 };
    struct cache_key key = key_of(q);
    bool there = cache_find(&cache, &key, now_ms, &said);
    judgement_fini(&said);
    return there;
}

static void keep(const struct question *q, enum judged is, int64_t now_ms)
{
    struct judgement said = { .is = is };
    struct cache_key key = key_of(q);
    cache_keep(&cache, &key, &said, now_ms);
}

static void only_the_same_question_is_found(void **state UNUSED)
{
    static const struct {
        struct question q;
        bool ldap, http; /* is it the same one? */
    } others[] = {
        {{ IMAP, SASL_PLAIN, true, "192.0.2.1", "anna@x", "anna", "secret" },    true,  true },
        { { POP3, SASL_PLAIN, true, "192.0.2.1", "anna@x", "anna", "secret" },   false, false},
        { { IMAP, SASL_LOGIN, true, "192.0.2.1", "anna@x", "anna", "secret" },   false, false},
        { { IMAP, SASL_PLAIN, false, "192.0.2.1", "anna@x", "anna", "secret" },  true,  false},
        { { IMAP, SASL_PLAIN, true, "192.0.2.2", "anna@x", "anna", "secret" },   true,  false},
        { { IMAP, SASL_PLAIN, true, "192.0.2.1", "bert@x", "anna", "secret" },   false, false},
        { { IMAP, SASL_PLAIN, true, "192.0.2.1", "anna@x", "anna@x", "secret" }, false, false},
        { { IMAP, SASL_PLAIN, true, "192.0.2.1", "anna@x", "anna", "Secret" },   false, false},
        { { IMAP, SASL_PLAIN, true, "192.0.2.1", "anna@x", "ann", "asecret" },   false, false}, /* cut elsewhere */
        { { IMAP, SASL_PLAIN, true, "192.0.2.1", "anna@x", "anna", "" },         false, false},
    };
    for (int http = 0; http < 2; http++) {
        open_with(http ? VERIFIER_HTTP : VERIFIER_LDAP, 60, true);
        keep(&usual, JUDGED_YES, 1000);
        for (size_t i = 0; i < COUNT_OF(others); i++)
            assert_int_equal(found(&others[i].q, 1000), http ? others[i].http : others[i].ldap);
        cache_close(&cache);
    }
}

static void a_yes_is_good_for_its_time_and_no_use_extends_it(void **state UNUSED)
{
    struct judgement said = { 0 };
    open_with(VERIFIER_LDAP, 60, true);
    keep(&usual, JUDGED_YES, 1000);
    for (int64_t now_ms = 1000; now_ms < 61000; now_ms += 5000) {
        struct cache_key key = key_of(&usual);
        assert_true(cache_find(&cache, &key, now_ms, &said));
        cache_keep(&cache, &key, &said, now_ms); /* it has just been found */
        judgement_fini(&said);
    }
    assert_true(found(&usual, 60999));
    assert_false(found(&usual, 61000));
    keep(&usual, JUDGED_YES, 61000);
    assert_true(found(&usual, 61000));
    cache_close(&cache);
}

static void nothing_but_a_yes_is_kept(void **state UNUSED)
{
    struct question token = usual;
    open_with(VERIFIER_LDAP, 60, true);
    for (enum judged is = JUDGED_BY_SITE; is <= JUDGED_DOWN; is++) {
        cache_clear(&cache);
        keep(&usual, is, 0);
        assert_int_equal(found(&usual, 0), is == JUDGED_YES || is == JUDGED_BY_SITE);
    }
    token.mechanism = SASL_XOAUTH2;
    keep(&token, JUDGED_YES, 0);
    assert_false(found(&token, 0));
    cache_close(&cache);
    open_with(VERIFIER_LDAP, 0, true); /* off */
    keep(&usual, JUDGED_YES, 0);
    assert_false(found(&usual, 0));
    cache_close(&cache);
    open_with(VERIFIER_SITE, 60, false); /* nobody to spare a question */
    keep(&usual, JUDGED_BY_SITE, 0);
    assert_false(found(&usual, 0));
    cache_close(&cache);
}

static void all_that_was_said_comes_back(void **state UNUSED)
{
    struct judgement said = { .is = JUDGED_YES, .is_all = true }, again = { 0 };
    open_with(VERIFIER_LDAP, 60, true);
    said.name = span_copy(SPAN("anna@y"));
    said.site = span_copy(SPAN("north"));
    said.store_name = span_copy(SPAN("a17"));
    said.options = span_copy(SPAN("protocols=imap"));
    assert_true(secret_set(&said.password, SPAN("of the store")));
    struct cache_key key = key_of(&usual);
    cache_keep(&cache, &key, &said, 0);
    judgement_fini(&said);
    key = key_of(&usual);
    assert_true(cache_find(&cache, &key, 0, &again));
    assert_true(again.is == JUDGED_YES && again.is_all);
    assert_string_equal(again.name, "anna@y");
    assert_string_equal(again.site, "north");
    assert_string_equal(again.store_name, "a17");
    assert_string_equal(again.options, "protocols=imap");
    assert_true(span_eq(secret_span(&again.password), SPAN("of the store")));
    judgement_fini(&again);
    cache_close(&cache);
}

static void a_refusal_ends_all_of_one_account(void **state UNUSED)
{
    struct question pop3 = usual, bert = usual;
    pop3.protocol = POP3;
    bert.login = "bert@x";
    open_with(VERIFIER_LDAP, 60, true);
    keep(&usual, JUDGED_YES, 0);
    keep(&pop3, JUDGED_YES, 0);
    keep(&bert, JUDGED_YES, 0);
    cache_forget(&cache, key_of(&usual).account);
    assert_false(found(&usual, 0) || found(&pop3, 0));
    assert_true(found(&bert, 0));
    cache_clear(&cache);
    assert_false(found(&bert, 0));
    cache_close(&cache);
}

/* Many passwords of one account push out each other and nothing else. */
static void an_account_takes_its_own_places(void **state UNUSED)
{
    struct question q = usual, bert = usual;
    char password[8] = "p000", name[] = "a@x";
    bert.login = name;
    open_with(VERIFIER_LDAP, 60, true);
    while (key_of(&bert).account % CACHE_SETS == key_of(&usual).account % CACHE_SETS)
        name[0]++;
    keep(&bert, JUDGED_YES, 0);
    for (int i = 0; i < 1000; i++) {
        password[1] = (char)('0' + i / 100);
        password[2] = (char)('0' + i / 10 % 10);
        password[3] = (char)('0' + i % 10);
        q.password = password;
        keep(&q, JUDGED_YES, 1 + i);
        assert_true(found(&q, 1 + i));
    }
    q.password = "p000";
    assert_false(found(&q, 1000));
    assert_true(found(&bert, 1000));
    cache_close(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_question_is_found),
        cmocka_unit_test(a_yes_is_good_for_its_time_and_no_use_extends_it),
        cmocka_unit_test(nothing_but_a_yes_is_kept),
        cmocka_unit_test(all_that_was_said_comes_back),
        cmocka_unit_test(a_refusal_ends_all_of_one_account),
        cmocka_unit_test(an_account_takes_its_own_places),
    };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
