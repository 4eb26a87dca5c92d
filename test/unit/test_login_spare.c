/* Signing in on a connection that stood ready: what is said for nobody, where it stops, and for whom it goes on. */
#include "test/unit/login_transcript.h"

#define GREETING "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN AUTH=XOAUTH2] ready\r\n"

/* A dialogue for nobody that has read these bytes. */
static struct login_order nobody;

static enum login_step stand(struct one *o, enum protocol protocol, const char *said)
{
    one_init(o, protocol, SPAN("geheim"), SASL_PLAIN);
    login_free(&o->l);
    nobody = (struct login_order){ .site = &o->site, .protocol = protocol, .implicit_tls = true };
    o->l = login_new(&nobody);
    assert_non_null(o->l);
    assert_int_equal(one_feed(o, SPAN_NONE), LOGIN_MORE);
    struct span in = span_of(said);
    enum login_step step = login_feed(o->l, &in, &o->out);
    assert_int_equal(in.n, 0);
    return step;
}

static void said(struct one *o, const char *want)
{
    assert_int_equal(o->out.n, strlen(want));
    assert_memory_equal(o->out.at, want, o->out.n);
    buf_clear(&o->out);
}

static enum login_step hear(struct one *o, const char *bytes)
{
    struct span in = span_of(bytes);
    return login_feed(o->l, &in, &o->out);
}

static void test_imap_says_nothing_until_there_is_somebody(void **state UNUSED)
{
    struct one o;
    assert_int_equal(stand(&o, IMAP, GREETING), LOGIN_READY);
    said(&o, "");
    assert_true(login_greeted(o.l));
    assert_false(login_credential_sent(o.l));
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_MORE);
    said(&o, "h1 LOGIN \"anna\" \"geheim\"\r\n");
    assert_true(login_credential_sent(o.l));
    assert_int_equal(hear(&o, "h1 OK [CAPABILITY X] in\r\n"), LOGIN_DONE);
    assert_int_equal(login_answer(o.l)->outcome, LOGIN_IN);
    one_fini(&o);
}

static void test_imap_asks_for_the_list_for_nobody(void **state UNUSED)
{
    struct one o;
    assert_int_equal(stand(&o, IMAP, "* OK ready\r\n"), LOGIN_MORE);
    said(&o, "h1 CAPABILITY\r\n");
    assert_int_equal(hear(&o, "* CAPABILITY IMAP4rev1\r\nh1 OK\r\n"), LOGIN_READY);
    said(&o, "");
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_MORE);
    said(&o, "h2 LOGIN \"anna\" \"geheim\"\r\n");
    one_fini(&o);
}

static void test_starttls_comes_first(void **state UNUSED)
{
    struct one o;
    one_init(&o, IMAP, SPAN("geheim"), SASL_PLAIN);
    login_free(&o.l);
    nobody = (struct login_order){ .site = &o.site, .protocol = IMAP, .starttls = true };
    o.l = login_new(&nobody);
    assert_int_equal(hear(&o, "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"), LOGIN_MORE);
    said(&o, "h1 STARTTLS\r\n");
    assert_int_equal(hear(&o, "h1 OK\r\n"), LOGIN_START_TLS);
    assert_int_equal(login_protected(o.l, &o.out), LOGIN_MORE);
    said(&o, "h2 CAPABILITY\r\n");
    assert_int_equal(hear(&o, "* CAPABILITY IMAP4rev1\r\nh2 OK\r\n"), LOGIN_READY);
    said(&o, "");
    one_fini(&o);
}

/* The mechanism is chosen for who comes, not for who might. */
static void test_a_token_goes_by_its_own_mechanism(void **state UNUSED)
{
    struct one o;
    assert_int_equal(stand(&o, IMAP, GREETING), LOGIN_READY);
    o.order.client_mechanism = SASL_XOAUTH2;
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_MORE);
    assert_true(span_starts_nocase(buf_span(&o.out), SPAN("h1 AUTHENTICATE XOAUTH2 ")));
    one_fini(&o);
}

static void test_pop3(void **state UNUSED)
{
    struct one o;
    assert_int_equal(stand(&o, POP3, "+OK ready\r\n"), LOGIN_READY);
    said(&o, "");
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_MORE);
    said(&o, "USER anna\r\nPASS geheim\r\n");
    assert_int_equal(hear(&o, "+OK\r\n+OK in\r\n"), LOGIN_DONE);
    assert_int_equal(login_answer(o.l)->outcome, LOGIN_IN);
    one_fini(&o);
}

/* What only some need is asked for them: a password that PASS cannot carry. */
static void test_pop3_asks_for_the_list_when_somebody_needs_it(void **state UNUSED)
{
    struct one o;
    assert_int_equal(stand(&o, POP3, "+OK ready\r\n"), LOGIN_READY);
    assert_true(secret_set(&o.secret, SPAN("ge\nheim")));
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_MORE);
    said(&o, "CAPA\r\n");
    assert_int_equal(hear(&o, "+OK\r\nSASL PLAIN\r\n.\r\n"), LOGIN_MORE);
    assert_true(span_starts_nocase(buf_span(&o.out), SPAN("AUTH PLAIN ")));
    one_fini(&o);
}

/* A master signs in for everybody, so the list is there before anybody comes. */
static void test_pop3_asks_for_the_list_for_a_master(void **state UNUSED)
{
    struct one o;
    one_init(&o, POP3, SPAN("geheim"), SASL_PLAIN);
    login_free(&o.l);
    o.site.credentials = CREDENTIALS_MASTER;
    nobody = (struct login_order){ .site = &o.site, .protocol = POP3, .implicit_tls = true };
    o.l = login_new(&nobody);
    assert_int_equal(hear(&o, "+OK ready\r\n"), LOGIN_MORE);
    said(&o, "CAPA\r\n");
    assert_int_equal(hear(&o, "+OK\r\nSASL PLAIN\r\n.\r\n"), LOGIN_READY);
    o.order.authzid = SPAN("bert");
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_MORE);
    said(&o, "AUTH PLAIN YmVydABhbm5hAGdlaGVpbQ==\r\n");
    one_fini(&o);
}

/* Whatever comes while it stands ready is the end of it, and nothing is ever said on it. */
static void test_a_word_is_a_doubt(void **state UNUSED)
{
    static const struct {
        enum protocol protocol;
        const char *greeting, *word;
    } cases[] = {
        {IMAP,  GREETING,        "* OK still here\r\n"    },
        { IMAP, GREETING,        "* BYE idle too long\r\n"},
        { IMAP, GREETING,        "h1 OK in\r\n"           },
        { IMAP, GREETING,        "+ go on\r\n"            },
        { IMAP, GREETING,        "*"                      },
        { POP3, "+OK ready\r\n", "+OK\r\n"                },
        { POP3, "+OK ready\r\n", "-ERR idle\r\n"          },
        { POP3, "+OK ready\r\n", "x"                      },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct one o;
        assert_int_equal(stand(&o, cases[i].protocol, cases[i].greeting), LOGIN_READY);
        assert_int_equal(hear(&o, cases[i].word), LOGIN_DONE);
        assert_int_equal(login_answer(o.l)->outcome, LOGIN_SITE_FAULT);
        assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_DONE);
        assert_false(login_credential_sent(o.l));
        said(&o, "");
        one_fini(&o);
    }
}

/* The same word together with the greeting, before it could stand ready. */
static void test_a_word_with_the_greeting(void **state UNUSED)
{
    struct one o;
    one_init(&o, IMAP, SPAN("geheim"), SASL_PLAIN);
    login_free(&o.l);
    nobody = (struct login_order){ .site = &o.site, .protocol = IMAP, .implicit_tls = true };
    o.l = login_new(&nobody);
    assert_int_equal(hear(&o, GREETING "h1 OK in\r\n"), LOGIN_DONE);
    assert_string_equal(login_answer(o.l)->why, "unasked");
    one_fini(&o);
}

static void test_a_name_that_cannot_be_said(void **state UNUSED)
{
    struct one o;
    assert_int_equal(stand(&o, IMAP, GREETING), LOGIN_READY);
    o.order.user = SPAN("an\r\nna");
    assert_int_equal(login_for(o.l, &o.order, &o.out), LOGIN_DONE);
    assert_string_equal(login_answer(o.l)->why, "unwritable");
    said(&o, "");
    one_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imap_says_nothing_until_there_is_somebody),
        cmocka_unit_test(test_imap_asks_for_the_list_for_nobody),
        cmocka_unit_test(test_starttls_comes_first),
        cmocka_unit_test(test_a_token_goes_by_its_own_mechanism),
        cmocka_unit_test(test_pop3),
        cmocka_unit_test(test_pop3_asks_for_the_list_when_somebody_needs_it),
        cmocka_unit_test(test_pop3_asks_for_the_list_for_a_master),
        cmocka_unit_test(test_a_word_is_a_doubt),
        cmocka_unit_test(test_a_word_with_the_greeting),
        cmocka_unit_test(test_a_name_that_cannot_be_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
