/* Signing in inside IPsec: the question before the credential, TLS where it is offered and to be had, and stores that
 * know LOGIN or USER and PASS and nothing else. */
#include "test/unit/login_transcript.h"

#define IN ENDS(IN, "ok"), SENT, .ipsec = true
#define FAULT(why) ENDS(SITE_FAULT, why), .ipsec = true
#define LISTED(words) "S* OK [CAPABILITY IMAP4rev1 " words "] ready\r\n"
#define LOGIN(tag) "C" tag " LOGIN \"anna\" \"geheim\"\r\n"
#define SIGNED_IN(tag) "S" tag " OK [CAPABILITY X] in\r\n"
#define AFTER .text = "in", .capabilities = "X"
#define PLAIN_ANNA "AGFubmEAZ2VoZWlt" /* NUL anna NUL geheim */

/* clang-format off */ /* version 14 falls over tables of unequal rows */
static const struct transcript imap[] = {
    { "no TLS offered", { LISTED("IDLE"), "?", LOGIN("h1"), SIGNED_IN("h1") }, IN, AFTER },
    { "TLS offered",
      { LISTED("STARTTLS LOGINDISABLED"), "Ch1 STARTTLS\r\n", "Sh1 OK go\r\n", "T", "Ch2 CAPABILITY\r\n",
        "S* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nh2 OK\r\n", "?", LOGIN("h3"), SIGNED_IN("h3") }, IN, AFTER },
    { "TLS offered and refused",
      { LISTED("STARTTLS"), "Ch1 STARTTLS\r\n", "Sh1 NO no certificate\r\n", "?", LOGIN("h2"), SIGNED_IN("h2") }, IN,
      AFTER },
    { "TLS offered, not understood",
      { LISTED("STARTTLS"), "Ch1 STARTTLS\r\n", "Sh1 BAD what?\r\n", "?", LOGIN("h2"), SIGNED_IN("h2") }, IN, AFTER },
    { "TLS offered and refused, and nothing without",
      { LISTED("STARTTLS LOGINDISABLED"), "Ch1 STARTTLS\r\n", "Sh1 NO later\r\n" }, FAULT("no_mechanism") },
    { "asked for the list, TLS in it",
      { "S* OK ready\r\n", "Ch1 CAPABILITY\r\n", "S* CAPABILITY IMAP4 STARTTLS\r\nh1 OK\r\n", "Ch2 STARTTLS\r\n",
        "Sh2 OK\r\n", "T", "Ch3 CAPABILITY\r\n", "S* CAPABILITY IMAP4\r\nh3 OK\r\n", "?", LOGIN("h4"), SIGNED_IN("h4") },
      IN, AFTER },
    { "Exchange 2003",
      { "S* OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.7638.1 (old) ready.\r\n", "Ch1 CAPABILITY\r\n",
        "S* CAPABILITY IMAP4 IMAP4rev1 IDLE LOGIN-REFERRALS MAILBOX-REFERRALS NAMESPACE LITERAL+ UIDPLUS CHILDREN\r\n"
        "h1 OK CAPABILITY completed.\r\n", "?", LOGIN("h2"), "Sh2 OK LOGIN completed.\r\n", "Ch3 CAPABILITY\r\n",
        "S* CAPABILITY IMAP4 IMAP4rev1 IDLE\r\nh3 OK CAPABILITY completed.\r\n" },
      IN, .text = "LOGIN completed.", .capabilities = "IMAP4 IMAP4rev1 IDLE" },
    { "knows LOGIN only",
      { "S* OK old\r\n", "Ch1 CAPABILITY\r\n", "Sh1 BAD what?\r\n", "?", LOGIN("h2"), "Sh2 OK\r\n", "Ch3 CAPABILITY\r\n",
        "Sh3 BAD what?\r\n" }, IN },
    { "bytes behind the answer to STARTTLS",
      { LISTED("STARTTLS"), "Ch1 STARTTLS\r\n", "Sh1 OK go\r\n* x\r\n" }, FAULT("bytes_after_starttls"), .whole_only = true },
    { "an answer before the question",
      { LISTED("IDLE") "h1 OK in\r\n" }, FAULT("unasked"), .whole_only = true },
    { "SASL: the question comes before the response",
      { LISTED("LOGINDISABLED AUTH=PLAIN"), "Ch1 AUTHENTICATE PLAIN\r\n", "S+ \r\n", "?", "C" PLAIN_ANNA "\r\n",
        SIGNED_IN("h1") }, IN, AFTER },
    { "SASL at once", { LISTED("LOGINDISABLED AUTH=PLAIN SASL-IR"), "?", "Ch1 AUTHENTICATE PLAIN " PLAIN_ANNA "\r\n",
        SIGNED_IN("h1") }, IN, AFTER },
    { "literals: the question comes before the second",
      { LISTED("IDLE"), "Ch1 LOGIN \"anna\" {6}\r\n", "S+ go on\r\n", "?", "Cge\neim\r\n", SIGNED_IN("h1") }, IN, AFTER,
      .password = "ge\neim" },
};

static const struct transcript pop3[] = {
    { "knows USER and PASS only",
      { "S+OK ready\r\n", "CCAPA\r\n", "S-ERR what?\r\n", "CUSER anna\r\n", "S+OK\r\n", "?", "CPASS geheim\r\n",
        "S+OK in\r\n" }, IN, .text = "in", .pop3_capabilities = "" },
    { "no TLS offered",
      { "S+OK ready\r\n", "CCAPA\r\n", "S+OK\r\nTOP\r\n.\r\n", "CUSER anna\r\n", "S+OK\r\n", "?", "CPASS geheim\r\n",
        "S+OK in\r\n" }, IN, .text = "in", .pop3_capabilities = "" },
    { "TLS offered",
      { "S+OK ready\r\n", "CCAPA\r\n", "S+OK\r\nTOP\r\nSTLS\r\n.\r\n", "CSTLS\r\n", "S+OK go\r\n", "T", "CUSER anna\r\n",
        "S+OK\r\n", "?", "CPASS geheim\r\n", "S+OK in\r\n" }, IN, .text = "in", .pop3_capabilities = "" },
    { "TLS offered and refused",
      { "S+OK ready\r\n", "CCAPA\r\n", "S+OK\r\nSTLS\r\n.\r\n", "CSTLS\r\n", "S-ERR no certificate\r\n", "CUSER anna\r\n",
        "S+OK\r\n", "?", "CPASS geheim\r\n", "S+OK in\r\n" }, IN, .text = "in", .pop3_capabilities = "" },
    { "pipelined by the admin's word: both wait for the answer",
      { "S+OK ready\r\n", "CCAPA\r\n", "S-ERR what?\r\n", "?", "CUSER anna\r\nPASS geheim\r\n", "S+OK\r\n+OK in\r\n" }, IN,
      .text = "in", .pop3_capabilities = "PIPELINING" },
    { "a mechanism of before TLS does not count",
      { "S+OK ready\r\n", "CCAPA\r\n", "S+OK\r\nSASL PLAIN\r\nSTLS\r\n.\r\n", "CSTLS\r\n", "S+OK go\r\n", "T", "CCAPA\r\n",
        "S+OK\r\nTOP\r\n.\r\n" }, FAULT("no_mechanism"), .password = "a\nb" },
};
/* clang-format on */

static void test_imap(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(imap); i++)
        play(&imap[i], IMAP);
}

static void test_pop3(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(pop3); i++)
        play(&pop3[i], POP3);
}

/* Until the answer is there nothing of the credential is anywhere but inside, and what arrives meanwhile ends it. */
static void test_withheld(void **state UNUSED)
{
    struct one o;
    one_init(&o, IMAP, SPAN("geheim"), SASL_NONE);
    o.order.implicit_tls = false;
    o.order.must_confirm = true;
    assert_int_equal(one_feed(&o, SPAN_NONE), LOGIN_MORE);
    assert_int_equal(one_feed(&o, SPAN("* OK [CAPABILITY IMAP4rev1] x\r\n")), LOGIN_CONFIRM);
    assert_int_equal(o.out.n, 0);
    assert_false(login_credential_sent(o.l));
    assert_int_equal(one_feed(&o, SPAN_NONE), LOGIN_CONFIRM); /* asked again, it says the same */
    assert_int_equal(login_confirmed(o.l, SPAN("h1 OK in\r\n"), &o.out), LOGIN_DONE);
    assert_string_equal(login_answer(o.l)->why, "unasked");
    assert_int_equal(o.out.n, 0);
    assert_false(login_answer(o.l)->credential_sent);
    one_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imap),
        cmocka_unit_test(test_pop3),
        cmocka_unit_test(test_withheld),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
