/* PROXY headers in every segmentation, with mail protocol right behind them. */
#include "test/unit/replay.h"

#include "proxy/wire/proxy_protocol.h"

static bool over, half;

static void begin(void)
{
    over = half = false;
}

static size_t take(struct span unread, struct buf *said)
{
    char client_text[ADDR_TEXT_MAX], server_text[ADDR_TEXT_MAX];
    struct addr client, server;
    size_t used = 0;
    if (over) {
        replay_print(said, unread);
        return unread.n;
    }
    enum proxy_read read = proxy_header_read(unread, &client, &server, &used);
    half = read == PROXY_MORE;
    over = !half;
    if (half)
        return 0;
    if (read == PROXY_BAD) {
        replay_say(said, "bad:");
        replay_print(said, unread);
        return unread.n;
    }
    if (read == PROXY_PEER)
        assert_true(buf_printf(said, "%s to %s:", addr_text(&client, client_text), addr_text(&server, server_text)));
    else
        replay_say(said, "local:");
    replay_print(said, span_after(unread, used));
    return unread.n;
}

static void end(struct buf *said)
{
    if (half)
        replay_say(said, "...");
    if (span_starts(buf_span(said), SPAN("bad:"))) /* how much had come by then is no matter */
        said->n = 3;
}

static const struct replay subject = { begin, take, end };

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define INET "\x0a\0\0\x07\x0a\0\0\x01\xc8\x22\x03\xe1" /* 10.0.0.7:51234 to 10.0.0.1:993 */
#define INET6                                                                                                          \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                                                       \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                                       \
    "\xc8\x22\x03\xe1"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0"
#define NINE "\0\0\0\0\0\0\0\0\0"
#define UNIX NINE NINE NINE NINE NINE NINE NINE NINE NINE NINE NINE NINE

static const struct replay_case v1[] = {
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234 993\r\na NOOP\r\n", "10.0.0.7:51234 to 10.0.0.1:993:a NOOP\\x0D\\x0A"),
    CASE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
         "255.255.255.255:65535 to 255.255.255.255:65535:"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 0 993\r\n", "10.0.0.7:0 to 10.0.0.1:993:"),
    CASE("PROXY TCP6 2001:db8::7 2001:db8::1 51234 993\r\nx", "[2001:db8::7]:51234 to [2001:db8::1]:993:x"),
    CASE("PROXY TCP6 ::ffff:10.0.0.7 ::ffff:10.0.0.1 51234 993\r\n", "10.0.0.7:51234 to 10.0.0.1:993:"),
    CASE("PROXY UNKNOWN\r\nx", "local:x"),
    CASE("PROXY UNKNOWN ffff:f...f:ffff whatever\r\n", "local:"),
    CASE("PROXY UNKNOWNS\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234 993\r", "..."),
    CASE("PROXY TCP4 10.0.0.7", "..."),
    CASE("PROXY", "..."),
    CASE("P", "..."),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234 993\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234 993\rx\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234 993 \r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234 993 x\r\n", "bad"),
    CASE("PROXY TCP4  10.0.0.7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY  TCP4 10.0.0.7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 51234\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1\r\n", "bad"),
    CASE("PROXY TCP4\r\n", "bad"),
    CASE("PROXY \r\n", "bad"),
    CASE("PROXY\r\n", "bad"),
    CASE("PROXY TCP5 10.0.0.7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY tcp4 10.0.0.7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("proxy TCP4 10.0.0.7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP4 2001:db8::7 2001:db8::1 51234 993\r\n", "bad"),
    CASE("PROXY TCP6 10.0.0.7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP6 2001:db8::7 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP6 fe80::1%lo 2001:db8::1 51234 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP4 host 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7\0 10.0.0.1 51234 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 65536 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 051234 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 -1 993\r\n", "bad"),
    CASE("PROXY TCP4 10.0.0.7 10.0.0.1 +1 993\r\n", "bad"),
    CASE(
        "PROXY UNKNOWN 789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1234567\r\n",
        "local:"),
    CASE("PROXY UNKNOWN 789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
         "12345678\r\n",
         "bad"),
    CASE("a LOGIN ann secret\r\n", "bad"),
    CASE("\x16\x03\x01\x02", "bad"),
    CASE("\r\n", "..."),
    CASE("\r\nx", "bad"),
};

static const struct replay_case v2[] = {
    CASE(V2 "\x21\x11\0\x0c" INET "a NOOP", "10.0.0.7:51234 to 10.0.0.1:993:a NOOP"),
    CASE(V2 "\x21\x11\0\x10" INET "\x04\0\x01\0rest", "10.0.0.7:51234 to 10.0.0.1:993:rest"),
    CASE(V2 "\x21\x21\0\x24" INET6 "x", "[2001:db8::7]:51234 to [2001:db8::1]:993:x"),
    CASE(V2 "\x21\x21\0\x24" MAPPED "\x07" MAPPED "\x01\xc8\x22\x03\xe1x", "10.0.0.7:51234 to 10.0.0.1:993:x"),
    CASE(V2 "\x20\x00\0\0x", "local:x"),
    CASE(V2 "\x20\x11\0\x0c" INET "x", "local:x"),
    CASE(V2 "\x20\xff\0\x01yx", "local:x"),
    CASE(V2 "\x21\x00\0\0x", "local:x"),
    CASE(V2 "\x21\x00\0\x03"
            "abcx",
         "local:x"),
    CASE(V2 "\x21\x12\0\x0c" INET "x", "local:x"),
    CASE(V2 "\x21\x22\0\x24" INET6 "x", "local:x"),
    CASE(V2 "\x21\x31\0\xd8" UNIX UNIX "x", "local:x"),
    CASE(V2 "\x21\x32\0\xd8" UNIX UNIX "x", "local:x"),
    CASE(V2 "\x21\x31\0\xd7" UNIX UNIX "x", "bad"),
    CASE(V2 "\x21\x11\0\x0b" INET "x", "bad"),
    CASE(V2 "\x21\x11\0\0" INET "x", "bad"),
    CASE(V2 "\x21\x21\0\x23" INET6 "x", "bad"),
    CASE(V2 "\x11\x11\0\x0c" INET "x", "bad"),
    CASE(V2 "\x31\x11\0\x0c" INET "x", "bad"),
    CASE(V2 "\x22\x11\0\x0c" INET "x", "bad"),
    CASE(V2 "\x2f\x11\0\x0c" INET "x", "bad"),
    CASE(V2 "\x21\x10\0\x0c" INET "x", "bad"),
    CASE(V2 "\x21\x13\0\x0c" INET "x", "bad"),
    CASE(V2 "\x21\x41\0\x0c" INET "x", "bad"),
    CASE(V2 "\x21\x11\x08\x01" INET "x", "bad"),
    CASE(V2 "\x20\x00\xff\xff" INET "x", "bad"),
    CASE(V2 "\x21\x11\0\x0c\x0a\0\0\x07\x0a\0\0\x01\xc8\x22\x03", "..."),
    CASE(V2 "\x21\x11\0", "..."),
    CASE(V2, "..."),
    CASE("\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c" INET, "bad"),
};

static void test_v1(void **state UNUSED)
{
    replay_all(&subject, v1, COUNT_OF(v1));
}

static void test_v2(void **state UNUSED)
{
    replay_all(&subject, v2, COUNT_OF(v2));
}

/* The longest header, TLVs and all. */
static void test_longest(void **state UNUSED)
{
    char header[PROXY_HEADER_MAX] = V2 "\x21\x11\x08\0" INET;
    struct addr client, server;
    size_t used = 0;
    assert_int_equal(proxy_header_read(span_bytes(header, sizeof header), &client, &server, &used), PROXY_PEER);
    assert_int_equal(used, sizeof header);
    replay(&subject, span_bytes(header, sizeof header), "10.0.0.7:51234 to 10.0.0.1:993:");
}

static void test_write(void **state UNUSED)
{
    static const struct {
        const char *client, *server;
        const char *want;
    } cases[] = {
        {"10.0.0.7",     "10.0.0.1", "10.0.0.7:51234 to 10.0.0.1:993:"  },
        { "2001:db8::7", "::1",      "[2001:db8::7]:51234 to [::1]:993:"},
        { "10.0.0.7",    "::1",      "local:"                           },
        { "",            "",         "local:"                           },
    };
    struct buf out;
    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct addr client, server;
        buf_clear(&out);
        addr_parse(span_of(cases[i].client), 51234, &client);
        addr_parse(span_of(cases[i].server), 993, &server);
        assert_true(proxy_header_write(&out, &client, &server));
        replay(&subject, buf_span(&out), cases[i].want);
    }
    buf_fini(&out);
}

/* Any two addresses come back; so does any header that we can read. */
static void test_read_back(void **state UNUSED)
{
    uint64_t random = 3;
    struct buf out;
    buf_init(&out, 100);
    for (int i = 0; i < RANDOM_STRINGS; i++) {
        struct addr ends[2] = { 0 }, read[2];
        size_t used = 0;
        bool six = random_number(&random, 2) == 1;
        for (size_t k = 0; k < 2; k++) {
            ends[k].family = six ? AF_INET6 : AF_INET;
            ends[k].port = (uint16_t)random_number(&random, 65536);
            for (size_t b = 0; b < (six ? 16 : 4); b++)
                ends[k].bytes[b] = (uint8_t)random_number(&random, 256);
        }
        buf_clear(&out);
        assert_true(proxy_header_write(&out, &ends[0], &ends[1]));
        assert_int_equal(proxy_header_read(buf_span(&out), &read[0], &read[1], &used), PROXY_PEER);
        assert_true(used == out.n && addr_eq(&read[0], &ends[0]) && addr_eq(&read[1], &ends[1]));
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v1),    cmocka_unit_test(test_v2),        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_write), cmocka_unit_test(test_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
