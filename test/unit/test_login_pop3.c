/* Signing in to POP3 stores: tame ones, old ones, hostile ones. */
#include "test/unit/login_transcript.h"

#include "proxy/wire/pop3.h"

#define HELLO "S+OK Hello\r\n"
#define USER_ANNA "CUSER anna\r\n", "S+OK\r\n"
#define PASS_GEHEIM "CPASS geheim\r\n"
#define PLAIN_ANNA "AGFubmEAZ2VoZWlt" /* NUL anna NUL geheim */
#define CAPA_PLAIN "CCAPA\r\n", "S+OK\r\nTOP\r\nSASL CRAM-MD5 PLAIN\r\n.\r\n"
#define TOKEN_200                                                                                                      \
    "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"  \
    "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
#define IN ENDS(IN, "ok"), SENT

static const struct forwarded client = {
    .client = {.family = AF_INET,         .port = 51234, .bytes = { 10, 0, 0, 7 } },
    .connected = { .family = AF_INET,                        .port = 995,                    .bytes = { 10, 0, 0, 1 } },
    .session = { "s-1", 3},
    .ttl = 4,
};

/* clang-format off */ /* version 14 falls over tables of unequal rows */
static const struct transcript tame[] = {
    { "plain store", { HELLO, USER_ANNA, PASS_GEHEIM, "S+OK 2 messages\r\n" }, IN, .text = "2 messages" },
    { "bytes behind belong to the session", { HELLO, USER_ANNA, PASS_GEHEIM, "S+OK in\r\n+OK 0 0\r\nx" }, IN,
      .text = "in", .left = "+OK 0 0\r\nx" },
    { "bare LF, no text", { "S+OK\n", "CUSER anna\r\n", "S+OK\n", PASS_GEHEIM, "S+OK\n" }, IN },
    { "pipelined", { HELLO, "CUSER anna\r\nPASS geheim\r\n", "S+OK\r\n+OK in\r\n" }, IN, .text = "in",
      .pop3_capabilities = "UIDL TOP PIPELINING" },
    { "spaces are the password's", { HELLO, USER_ANNA, "CPASS  a b \r\n", "S+OK in\r\n" }, IN, .text = "in",
      .password = " a b " },
    { "empty password", { HELLO, USER_ANNA, "CPASS \r\n", "S+OK in\r\n" }, IN, .text = "in", .password = "" },
    { "XCLIENT",
      { "S+OK [XCLIENT] ready\r\n", "CXCLIENT ADDR=10.0.0.7 PORT=51234 SESSION=s-1 TTL=4\r\nUSER anna\r\n",
        "S+OK again\r\n+OK\r\n", PASS_GEHEIM, "S+OK in\r\n" },
      IN, .text = "in", .may_forward = true, .forwarded = &client },
    { "XCLIENT refused, pipelined, only the count",
      { "S+OK Dovecot [XCLIENT] ready\r\n", "CXCLIENT TTL=4\r\nUSER anna\r\nPASS geheim\r\n",
        "S-ERR no\r\n+OK\r\n+OK in\r\n" },
      IN, .text = "in", .forwarded = &client, .pop3_capabilities = "PIPELINING" },
    { "XCLIENT not offered", { HELLO, USER_ANNA, PASS_GEHEIM, "S+OK in\r\n" }, IN, .text = "in", .may_forward = true,
      .forwarded = &client },
    { "STLS",
      { "S+OK [XCLIENT] ready\r\n", "CSTLS\r\n", "S+OK go\r\n", "T", USER_ANNA, PASS_GEHEIM, "S+OK in\r\n" },
      IN, .text = "in", .starttls = true, .may_forward = true, .forwarded = &client },
    { "plain by the admin", { HELLO, "CAUTH PLAIN " PLAIN_ANNA "\r\n", "S+OK in\r\n" }, IN, .text = "in",
      .site = MECHANISM_PLAIN },
    { "for somebody else: only SASL can say it",
      { HELLO, CAPA_PLAIN, "CAUTH PLAIN Ym94AGFubmEAZ2VoZWlt\r\n", "S+OK in\r\n" }, IN, .text = "in",
      .authzid = "box" },
    { "for somebody else, where nothing can say it", { HELLO, "CCAPA\r\n", "S+OK\r\nUSER\r\n.\r\n" },
      ENDS(SITE_FAULT, "no_mechanism"), .authzid = "box" },
    { "plain by need", { HELLO, CAPA_PLAIN, "CAUTH PLAIN AGFubmEAYQpi\r\n", "S+OK in\r\n" }, IN, .text = "in",
      .password = "a\nb" },
    { "XOAUTH2",
      { HELLO, "CCAPA\r\n", "S+OK\r\nsasl XOAUTH2\r\n.\r\n",
        "CAUTH XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB\r\n", "S+OK in\r\n" },
      IN, .text = "in", .password = "tok", .client = SASL_XOAUTH2 },
    { "XOAUTH2 refused, and XCLIENT known from CAPA",
      { HELLO, "CCAPA\r\n", "S+OK\r\nXCLIENT ADDR\r\nSASL XOAUTH2\r\n.\r\n",
        "CXCLIENT TTL=4\r\nAUTH XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB\r\n", "S+OK\r\n+ e30=\r\n", "C\r\n",
        "S-ERR no\r\n" },
      ENDS(WRONG, "refused"), SENT, .password = "tok", .client = SASL_XOAUTH2, .forwarded = &client },
    { "OAUTHBEARER refused",
      { HELLO, "CCAPA\r\n", "S+OK\r\nSASL OAUTHBEARER\r\n.\r\n",
        "CAUTH OAUTHBEARER bixhPWFubmEsAWF1dGg9QmVhcmVyIHRvawEB\r\n", "S+ e30=\r\n", "CAQ==\r\n",
        "S-ERR [AUTH] no\r\n" },
      ENDS(WRONG, "refused"), SENT, .password = "tok", .client = SASL_OAUTHBEARER },
};

static const struct transcript refusing[] = {
    { "no code", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR Bad login\r\n" }, ENDS(WRONG, "refused"), SENT },
    { "name refused", { HELLO, "CUSER anna\r\n", "S-ERR who?\r\n" }, ENDS(WRONG, "refused") },
    { "name refused, pipelined",
      { HELLO, "CUSER anna\r\nPASS geheim\r\n", "S-ERR who?\r\n-ERR what?\r\n" }, ENDS(WRONG, "refused"), SENT,
      .pop3_capabilities = "PIPELINING" },
    { "AUTH", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [AUTH] Temporary problem\r\n" }, ENDS(WRONG, "refused"), SENT },
    { "IN-USE", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [IN-USE] Locked\r\n" }, ENDS(SAYS, "says"), SENT,
      .code = "IN-USE", .text = "Locked" },
    { "LOGIN-DELAY", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [LOGIN-DELAY] Wait\r\n" }, ENDS(SAYS, "says"), SENT,
      .code = "LOGIN-DELAY", .text = "Wait" },
    { "EXPIRE", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [EXPIRE 0] Old\r\n" }, ENDS(SAYS, "says"), SENT,
      .code = "EXPIRE", .text = "Old" },
    { "EXPIRED", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [EXPIRED] Old\r\n" }, ENDS(SAYS, "says"), SENT,
      .code = "EXPIRED", .text = "Old" },
    { "SYS/PERM", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [SYS/PERM] Never\r\n" }, ENDS(SAYS, "says"), SENT,
      .code = "SYS/PERM", .text = "Never" },
    { "SYS/TEMP", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [sys/temp/disk] Later\r\n" }, ENDS(TEMPORARY,
      "unavailable"),
      SENT, .code = "SYS/TEMP", .text = "Later" },
    { "unknown code", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [SYS] no\r\n" }, ENDS(WRONG, "refused"), SENT },
    { "Exchange", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR Server Unavailable. 21\r\n" }, ENDS(TEMPORARY, "phrase"),
      SENT,
      .text = "Server Unavailable. 21" },
    { "Courier", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR Temporary problem, please try again later\r\n" },
      ENDS(TEMPORARY, "phrase"), SENT, .text = "Temporary problem, please try again later" },
    { "UW", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR Can't get lock.  Mailbox in use\r\n" }, ENDS(TEMPORARY, "phrase"),
      SENT, .text = "Can't get lock.  Mailbox in use" },
    { "echo", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [IN-USE] PASS geheim\r\n" }, ENDS(SAYS, "says"), SENT,
      .code = "IN-USE" },
    { "echo in a success", { HELLO, USER_ANNA, PASS_GEHEIM, "S+OK welcome, geheim\r\n" }, IN },
    { "SASL refused early",
      { HELLO, "CCAPA\r\n", "S+OK\r\nSASL XOAUTH2\r\n.\r\n", "CAUTH XOAUTH2\r\n", "S-ERR no\r\n" },
      ENDS(SITE_FAULT, "refused_early"), .password = TOKEN_200, .client = SASL_XOAUTH2 },
};

static const struct transcript hostile[] = {
    { "B1 more behind the OK", { HELLO, "CSTLS\r\n", "S+OK go\r\n+OK in\r\n" },
      ENDS(SITE_FAULT, "bytes_after_starttls"), .starttls = true, .whole_only = true },
    { "B1 one byte behind the OK", { HELLO, "CSTLS\r\n", "S+OK go\r\n+" }, ENDS(SITE_FAULT, "bytes_after_starttls"),
      .starttls = true, .whole_only = true },
    { "B1 -ERR", { HELLO, "CSTLS\r\n", "S-ERR\r\n" }, ENDS(SITE_FAULT, "starttls_refused"), .starttls = true },
    { "B1 +", { HELLO, "CSTLS\r\n", "S+ go\r\n" }, ENDS(SITE_FAULT, "continuation"), .starttls = true },
    { "B1 garbage", { HELLO, "CSTLS\r\n", "S* BYE\r\n" }, ENDS(SITE_FAULT, "garbage"), .starttls = true },
    { "B2 -ERR", { "S-ERR too busy\r\n" }, ENDS(TEMPORARY, "bye"), .text = "too busy" },
    { "B2 -ERR with a code", { "S-ERR [SYS/TEMP] too busy\r\n" }, ENDS(TEMPORARY, "bye"), .text = "too busy" },
    { "B2 IMAP", { "S* OK IMAP4rev1\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 PREAUTH", { "S* PREAUTH\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 HTTP", { "SHTTP/1.1 400 Bad Request\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 SMTP", { "S220 mail ESMTP\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 SSH", { "SSSH-2.0-OpenSSH_9.2\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 empty line", { "S\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 +", { "S+ go\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 +NO", { "S+NO\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B3 second greeting", { HELLO "+OK\r\n" }, ENDS(SITE_FAULT, "unasked"), .whole_only = true },
    { "B3 half a reply with the greeting", { HELLO "+" }, ENDS(SITE_FAULT, "unasked"), .whole_only = true },
    { "B3 answer to PASS before PASS", { HELLO, "CUSER anna\r\n", "S+OK\r\n+OK in\r\n" }, ENDS(SITE_FAULT, "unasked"),
      .whole_only = true },
    { "B3 answer behind CAPA", { HELLO, "CCAPA\r\n", "S+OK\r\nSASL PLAIN\r\n.\r\n+OK in\r\n" },
      ENDS(SITE_FAULT, "unasked"), .password = "a\rb", .whole_only = true },
    { "B3 OK before the token",
      { HELLO, "CCAPA\r\n", "S+OK\r\nSASL XOAUTH2\r\n.\r\n", "CAUTH XOAUTH2\r\n", "S+OK in\r\n" },
      ENDS(SITE_FAULT, "unasked"), .password = TOKEN_200, .client = SASL_XOAUTH2 },
    { "continuation that nobody waits for", { HELLO, USER_ANNA, PASS_GEHEIM, "S+ more\r\n" },
      ENDS(SITE_FAULT, "continuation"), SENT },
    { "second challenge", { HELLO, "CAUTH PLAIN " PLAIN_ANNA "\r\n", "S+ more\r\n" }, ENDS(SITE_FAULT,
      "continuation"),
      SENT, .site = MECHANISM_PLAIN },
    { "B3 verdict before the answer to its challenge",
      { HELLO, "CCAPA\r\n", "S+OK\r\nSASL XOAUTH2\r\n.\r\n", "CAUTH XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB\r\n",
        "S+ e30=\r\n+OK in\r\n" }, ENDS(SITE_FAULT, "unasked"), SENT, .password = "tok", .client = SASL_XOAUTH2,
      .whole_only = true },
    { "garbage later", { HELLO, USER_ANNA, PASS_GEHEIM, "S* OK\r\n" }, ENDS(SITE_FAULT, "garbage"), SENT },
    { "B6 no SASL in CAPA", { HELLO, "CCAPA\r\n", "S+OK\r\nTOP\r\nSASL NTLM\r\n.\r\n" }, ENDS(SITE_FAULT,
      "no_mechanism"),
      .password = "a\nb" },
    { "B6 no CAPA", { HELLO, "CCAPA\r\n", "S-ERR what?\r\n" }, ENDS(SITE_FAULT, "no_mechanism"),
      .client = SASL_XOAUTH2 },
    { "B6 listed before TLS only",
      { HELLO, "CSTLS\r\n", "S+OK\r\n", "T", "CCAPA\r\n", "S+OK\r\nSASL LOGIN\r\n.\r\n" },
      ENDS(SITE_FAULT, "no_mechanism"), .client = SASL_XOAUTH2, .starttls = true },
    { "B7 greeting", { "S-ERR [REFERRAL pop://evil.example/] go\r\n" }, ENDS(SITE_FAULT, "referral") },
    { "B7 reply", { HELLO, USER_ANNA, PASS_GEHEIM, "S-ERR [REFERRAL pop://evil.example/] go\r\n" },
      ENDS(SITE_FAULT, "referral"), SENT },
    { "line end in a password", { HELLO }, ENDS(SITE_FAULT, "unwritable"), .password = "a\r\nDELE 1",
      .site = MECHANISM_LOGIN },
    { "line end in a name", { NULL }, ENDS(SITE_FAULT, "unwritable"), .user = "a\nPASS b" },
};
/* clang-format on */

static void plays(const struct transcript *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        play(&t[i], POP3);
}

static void test_tame(void **state)
{
    (void)state;
    plays(tame, COUNT_OF(tame));
}

static void test_refusing(void **state)
{
    (void)state;
    plays(refusing, COUNT_OF(refusing));
}

static void test_hostile(void **state)
{
    (void)state;
    plays(hostile, COUNT_OF(hostile));
}

/* What a store reads is what was to be said: our own reader of commands is the judge. */
static void check_password(struct span password)
{
    struct one o;
    one_init(&o, POP3, password, SASL_PLAIN);
    assert_int_equal(one_feed(&o, SPAN("+OK x\r\n")), LOGIN_MORE);
    struct span said = buf_span(&o.out), line;
    struct pop3_command command;
    size_t used;
    assert_int_equal(line_read(said, POP3_LINE_MAX, &line, &used), LINE_READ);
    assert_true(pop3_command_parse(line, &command));
    assert_int_equal(command.verb, POP3_USER);
    said = span_after(said, used);
    assert_int_equal(line_read(said, POP3_LINE_MAX, &line, &used), LINE_READ);
    assert_true(pop3_command_parse(line, &command));
    assert_int_equal(command.verb, POP3_PASS);
    assert_true(span_eq(command.argument, password));
    assert_int_equal(used, said.n);
    one_fini(&o);
}

static void test_every_byte(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char password[] = { 'a', (char)c, 'z', (char)c };
        if (c != '\r' && c != '\n')
            check_password(span_bytes(password, sizeof password));
    }
    check_password(SPAN("*% \"\\{5} "));
    check_password(SPAN("p\xc3\xa4ssw\xc3\xb6rd \xe2\x82\xac \xf0\x9f\x94\x91"));
}

static void test_nul(void **state)
{
    (void)state;
    struct one o;
    one_init(&o, POP3, SPAN("a\0b"), SASL_PLAIN);
    assert_int_equal(one_feed(&o, SPAN("+OK x\r\n")), LOGIN_DONE);
    assert_int_equal(o.out.n, 0);
    assert_string_equal(login_answer(o.l)->why, "unwritable");
    one_fini(&o);
}

/* A token that no command line holds goes behind the "+", however long it is. */
static void test_long_token(void **state)
{
    (void)state;
    struct one o;
    char *token = malloc(60000);
    assert_non_null(token);
    memset(token, 't', 60000);
    one_init(&o, POP3, span_bytes(token, 60000), SASL_OAUTHBEARER);
    free(token);
    assert_int_equal(one_feed(&o, SPAN("+OK x\r\n")), LOGIN_MORE);
    buf_clear(&o.out);
    assert_int_equal(one_feed(&o, SPAN("+OK\r\nSASL OAUTHBEARER\r\n.\r\n")), LOGIN_MORE);
    assert_true(span_eq(buf_span(&o.out), SPAN("AUTH OAUTHBEARER\r\n")));
    assert_false(login_credential_sent(o.l));
    buf_clear(&o.out);
    assert_int_equal(one_feed(&o, SPAN("+ \r\n")), LOGIN_MORE);
    assert_true(login_credential_sent(o.l));
    assert_true(o.out.n > 80000 && o.out.at[o.out.n - 1] == '\n');
    assert_int_equal(one_feed(&o, SPAN("+OK in\r\n")), LOGIN_DONE);
    assert_int_equal(login_answer(o.l)->outcome, LOGIN_IN);
    one_fini(&o);
}

static void check_flood(const char *line, size_t times, const char *why)
{
    struct one o;
    one_init(&o, POP3, SPAN("geheim"), SASL_XOAUTH2);
    assert_int_equal(one_feed(&o, SPAN("+OK x\r\n")), LOGIN_MORE);
    assert_int_equal(one_feed(&o, SPAN("+OK list\r\n")), LOGIN_MORE);
    one_flood(&o, line, times, why);
    one_fini(&o);
}

static void test_floods(void **state)
{
    (void)state;
    check_flood("TOP\r\n", SITE_INPUT_MAX / 5 + 1, "too_much");
    check_flood("\r\n", SITE_INPUT_MAX / 2 + 1, "too_much");
    check_flood("IMPLEMENTATION never ending ", POP3_REPLY_LINE_MAX / 28 + 1, "garbage");
}

static void test_stages(void **state)
{
    (void)state;
    struct one o;
    one_init(&o, POP3, SPAN("tok"), SASL_XOAUTH2);
    o.order.implicit_tls = false;
    o.order.starttls = true;
    login_free(&o.l);
    o.l = login_new(&o.order);
    assert_int_equal(one_feed(&o, SPAN("")), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "greeting");
    assert_false(login_greeted(o.l));
    assert_int_equal(one_feed(&o, SPAN("+OK x\r\n")), LOGIN_MORE);
    assert_true(login_greeted(o.l));
    assert_string_equal(login_stage(o.l), "starttls");
    assert_int_equal(one_feed(&o, SPAN("+OK x\r\n")), LOGIN_START_TLS);
    assert_int_equal(login_protected(o.l, &o.out), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "capability");
    assert_int_equal(one_feed(&o, SPAN("+OK\r\nSASL XOAUTH2\r\n.\r\n")), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "login");
    assert_true(login_credential_sent(o.l));
    one_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tame),       cmocka_unit_test(test_refusing), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_every_byte), cmocka_unit_test(test_nul),      cmocka_unit_test(test_long_token),
        cmocka_unit_test(test_floods),     cmocka_unit_test(test_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
