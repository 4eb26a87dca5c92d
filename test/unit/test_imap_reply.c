/* What a store, or something that is none, may say on an IMAP port. */
#include "test/unit/replay.h"

#include "proxy/wire/imap_reply.h"

static bool broken, half;

static void begin(void)
{
    broken = half = false;
}

static void say_part(struct buf *said, const char *name, struct span part)
{
    if (part.at == NULL)
        return;
    assert_true(buf_printf(said, " %s<", name));
    replay_print(said, part);
    assert_true(buf_add_byte(said, '>'));
}

static void say_reply(struct buf *said, const struct imap_reply *r)
{
    static const char *const kinds[] = { "*", "tagged", "+" };
    static const char *const statuses[] = { "", " OK", " NO", " BAD", " BYE", " PREAUTH" };
    replay_say(said, kinds[r->kind]);
    assert_true(buf_add_text(said, statuses[r->status]));
    say_part(said, "tag", r->tag);
    say_part(said, "code", r->code);
    say_part(said, "text", r->text);
    if (r->status == IMAP_STATUS_NONE)
        say_part(said, "data", r->data);
    else
        assert_true((r->kind == IMAP_UNTAGGED) == (r->data.at != NULL));
    say_part(said, "caps", r->capabilities);
}

static size_t take(struct span unread, struct buf *said)
{
    struct span in = unread;
    while (in.n > 0 && !broken) {
        struct imap_reply reply;
        size_t used;
        enum imap_read read = imap_reply_read(in, &reply, &used);
        half = read == IMAP_READ_MORE;
        if (half)
            return unread.n - in.n;
        broken = read == IMAP_READ_BROKEN;
        if (broken) {
            replay_say(said, "broken");
        } else {
            say_reply(said, &reply);
            in = span_after(in, used);
        }
    }
    return unread.n;
}

static void end(struct buf *said)
{
    if (half)
        replay_say(said, "...");
}

static const struct replay subject = { begin, take, end };

static const struct replay_case replies[] = {
    CASE("* OK hi\r\n", "* OK text<hi>"),
    CASE("* ok hi\n", "* OK text<hi>"),
    CASE("* OK\r\n", "* OK text<>"),
    CASE("* OK \r\n", "* OK text<>"),
    CASE("* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n",
         "* OK code<CAPABILITY IMAP4rev1 IDLE> text<hi> caps<IMAP4rev1 IDLE>"),
    CASE("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "* data<CAPABILITY IMAP4rev1 AUTH=PLAIN> caps<IMAP4rev1 AUTH=PLAIN>"),
    CASE("* capability\r\n", "* data<capability> caps<>"),
    CASE("* CAPABILITYX y\r\n", "* data<CAPABILITYX y>"),
    CASE("a1 OK [CAPABILITY X] in\r\n", "tagged OK tag<a1> code<CAPABILITY X> text<in> caps<X>"),
    CASE("a1 NO [AUTHENTICATIONFAILED] no\r\n", "tagged NO tag<a1> code<AUTHENTICATIONFAILED> text<no>"),
    CASE("a1 BAD what\r\n", "tagged BAD tag<a1> text<what>"),
    CASE("a1 OK\r\n", "tagged OK tag<a1> text<>"),
    CASE("a1 OK [ALERT]no space\r\n", "tagged OK tag<a1> code<ALERT> text<no space>"),
    CASE("a1 OK [] x\r\n", "tagged OK tag<a1> code<> text<x>"),
    CASE("a1 OK [ALERT\r\n", "tagged OK tag<a1> text<[ALERT>"),
    CASE("a1 NO [REFERRAL \"imap://x]y/\"] z ]\r\n", "tagged NO tag<a1> code<REFERRAL \"imap://x]y/\"> text<z ]>"),
    CASE("a1 NO [BADCHARSET (\"x\\\"]\")] z\r\n", "tagged NO tag<a1> code<BADCHARSET (\"x\\\"]\")> text<z>"),
    CASE("a1 NO [X \"y] z\r\n", "tagged NO tag<a1> code<X \"y> text<z>"),
    CASE("* PREAUTH welcome\r\n", "* PREAUTH text<welcome>"),
    CASE("* BYE [UNAVAILABLE] gone\r\n", "* BYE code<UNAVAILABLE> text<gone>"),
    CASE("* NO hm\r\n* BAD hm\r\n", "* NO text<hm> | * BAD text<hm>"),
    CASE("* 23 EXISTS\r\n", "* data<23 EXISTS>"),
    CASE("* OK caf\xc3\xa9\t!\r\n", "* OK text<caf\\xC3\\xA9\\x09!>"),
    CASE("+ \r\n", "+ text<>"),
    CASE("+\r\n", "+ text<>"),
    CASE("+ go on\r\na1 OK x\r\n", "+ text<go on> | tagged OK tag<a1> text<x>"),
    CASE("* OK hi", "..."),
    CASE("* OK hi\r", "..."),
    CASE("* OK text {5}\r\na1 OK x\r\n", "* OK text<text {5}> | tagged OK tag<a1> text<x>"),
    CASE("a1 NO text {5}\r\n* OK x\r\n", "tagged NO tag<a1> text<text {5}> | * OK text<x>"),
    CASE("* ID (\"name\" {5}\r\na\r\n\x01z NIL)\r\na1 OK x\r\n",
         "* data<ID (\"name\" {5}\\x0D\\x0Aa\\x0D\\x0A\\x01z NIL)> | tagged OK tag<a1> text<x>"),
    CASE("* X {3}\nabc {0}\n {1}\na\n", "* data<X {3}\\x0Aabc {0}\\x0A {1}\\x0Aa>"),
    CASE("* X {3+}\r\n", "* data<X {3+}>"),
    CASE("* X {}\r\n* Y {a}\r\n* Z }\r\n", "* data<X {}> | * data<Y {a}> | * data<Z }>"),
    CASE("* X {3}\r\nab", "..."),
    CASE("* X {3}\r\nabc", "..."),
    CASE("* X {3}\r\na\0c\r\n", "broken"),
    CASE("* X {16384}\r\nabc", "broken"),
    CASE("* X {99999999999999999999}\r\nabc", "broken"),
};

/* Whoever answers like this is not asked to take a password. */
static const struct replay_case others[] = {
    CASE("\r\n", "broken"),
    CASE("*\r\n", "broken"),
    CASE("* \r\n", "broken"),
    CASE("*OK hi\r\n", "broken"),
    CASE("OK hi\r\n", "broken"),
    CASE("a1\r\n", "broken"),
    CASE("a1 HUH\r\n", "broken"),
    CASE("a1 BYE x\r\n", "broken"),
    CASE("a1 PREAUTH x\r\n", "broken"),
    CASE(" OK x\r\n", "broken"),
    CASE("a* OK x\r\n", "broken"),
    CASE("+OK ready\r\n", "broken"),
    CASE("-ERR not now\r\n", "broken"),
    CASE("-ERR no\r\n", "tagged NO tag<-ERR> text<>"), /* in form it is IMAP; nobody sent that tag */
    CASE("220 mail ESMTP\r\n", "broken"),
    CASE("HTTP/1.1 400 Bad Request\r\n", "broken"),
    CASE("SSH-2.0-OpenSSH_9.2\r\n", "broken"),
    CASE("\x15\x03\x01", "broken"),
    CASE("* OK a\0b\r\n", "broken"),
    CASE("* OK a\rb\r\n", "broken"),
    CASE("* OK a\r\r\n", "broken"),
    CASE("* OK a\x1b[2J\r\n", "broken"),
    CASE("* OK a\x7f\r\n", "broken"),
};

static void test_replies(void **state UNUSED)
{
    replay_all(&subject, replies, COUNT_OF(replies));
}

static void test_others(void **state UNUSED)
{
    replay_all(&subject, others, COUNT_OF(others));
}

/* At the limit and one over it, as text, in a literal, and without end. */
static void test_sizes(void **state UNUSED)
{
    static char text[40000];
    static const struct {
        const char *before;
        size_t n;
        const char *end;
        bool broken;
    } cases[] = {
        {"* OK ",            IMAP_REPLY_LINE_MAX,       "\r\n", false},
        { "* OK ",           IMAP_REPLY_LINE_MAX + 1,   "\r\n", true },
        { "* X {16000}\r\n", 16013 + 2,                 "\r\n", false},
        { "* X {16380}\r\n", IMAP_REPLY_LINE_MAX + 100, "\r\n", true },
        { "* OK ",           sizeof text,               "",     true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct imap_reply reply;
        size_t used = 0, n = cases[i].n;
        memset(text, 'x', sizeof text);
        memcpy(text, cases[i].before, strlen(cases[i].before));
        memcpy(text + n - strlen(cases[i].end), cases[i].end, strlen(cases[i].end));
        enum imap_read read = imap_reply_read(span_bytes(text, n), &reply, &used);
        assert_int_equal(read, cases[i].broken ? IMAP_READ_BROKEN : IMAP_READ_REPLY);
        assert_true(cases[i].broken || used == n);
        replay(&subject, span_bytes(text, n), NULL);
    }
}

static void test_noise(void **state UNUSED)
{
    static const char *const pieces[] = { "* ", "a1 ", "+ ",          "OK ", "BYE",    "[",    "]",
                                          "\"", "\\",  "CAPABILITY ", "{3}", "{0}",    "\r\n", "\n",
                                          "\r", "abc", "\xff",        " ",   "{3}\r\n" };
    uint64_t random = 11;
    struct buf input;
    buf_init(&input, 1000);
    for (int i = 0; i < 20000; i++) {
        buf_clear(&input);
        for (uint32_t n = random_number(&random, 12); n > 0; n--)
            assert_true(buf_add_text(&input, pieces[random_number(&random, COUNT_OF(pieces))]));
        replay(&subject, buf_span(&input), NULL);
    }
    buf_fini(&input);
}

static void test_capability_has(void **state UNUSED)
{
    struct span list = SPAN("IMAP4rev1 AUTH=PLAIN  literal+");
    assert_true(capability_has(list, SPAN("IMAP4REV1")));
    assert_true(capability_has(list, SPAN("auth=plain")));
    assert_true(capability_has(list, SPAN("LITERAL+")));
    assert_false(capability_has(list, SPAN("AUTH=PLAI")));
    assert_false(capability_has(list, SPAN("LITERAL")));
    assert_false(capability_has(list, SPAN("")));
    assert_false(capability_has(SPAN_NONE, SPAN("IDLE")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies), cmocka_unit_test(test_others),         cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_noise),   cmocka_unit_test(test_capability_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
