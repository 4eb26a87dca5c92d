/* Client facts from one front end to the next: both spellings, read and written. */
#include "test/unit/replay.h"

#include "proxy/wire/forwarded.h"

static void say(struct buf *said, bool ok, const struct forwarded *f)
{
    char client[ADDR_TEXT_MAX], connected[ADDR_TEXT_MAX];
    buf_clear(said);
    assert_true(buf_printf(said, "%s%s %s [%.*s] %d", ok ? "" : "bad: ", addr_text(&f->client, client),
                           addr_text(&f->connected, connected), SPAN_ARG(f->session), f->ttl));
}

static void test_id(void **state UNUSED)
{
    static const struct {
        const char *key;
        struct span value;
        bool ok;
        const char *want;
    } cases[] = {
        {"x-originating-ip",    { "10.0.0.7", 8 },                                    true,  "10.0.0.7:0 -:0 [] -1"                                                         },
        { "X-Originating-IP",   { "2001:db8::7", 11 },                                true,  "[2001:db8::7]:0 -:0 [] -1"                                                    },
        { "x-originating-ip",   { "::ffff:10.0.0.7", 15 },                            true,  "10.0.0.7:0 -:0 [] -1"                                                         },
        { "x-originating-ip",   { "fe80::1%lo", 10 },                                 false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-ip",   { "10.0.0.7\0", 9 },                                  false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-ip",   { "10.0.0.7\r\n", 10 },                               false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-ip",   { "host", 4 },                                        false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-ip",   { NULL, 0 },                                          false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-port", { "51234", 5 },                                       true,  "-:51234 -:0 [] -1"                                                            },
        { "x-originating-port", { "65536", 5 },                                       false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-port", { "-1", 2 },                                          false, "-:0 -:0 [] -1"                                                                },
        { "x-connected-ip",     { "10.0.0.1", 8 },                                    true,  "-:0 10.0.0.1:0 [] -1"                                                         },
        { "x-connected-port",   { "993", 3 },                                         true,  "-:0 -:993 [] -1"                                                              },
        { "x-session-id",       { "wPdvh+VFAgB/AA==", 16 },                           true,  "-:0 -:0 [wPdvh+VFAgB/AA==] -1"                                                },
        { "x-session-id",       { "a b", 3 },                                         false, "-:0 -:0 [] -1"                                                                },
        { "x-session-id",       { "a\"b", 3 },                                        false, "-:0 -:0 [] -1"                                                                },
        { "x-session-id",       { "[UNAVAILABLE]", 13 },                              false, "-:0 -:0 [] -1"                                                                },
        { "x-session-id",       { "", 0 },                                            false, "-:0 -:0 [] -1"                                                                },
        { "x-session-id",
         { "0123456789012345678901234567890123456789012345678901234567890123", 64 },
         true,                                                                               "-:0 -:0 [0123456789012345678901234567890123456789012345678901234567890123] -1"},
        { "x-session-id",
         { "01234567890123456789012345678901234567890123456789012345678901234", 65 },
         false,                                                                              "-:0 -:0 [] -1"                                                                },
        { "x-proxy-ttl",        { "4", 1 },                                           true,  "-:0 -:0 [] 4"                                                                 },
        { "x-proxy-ttl",        { "0", 1 },                                           true,  "-:0 -:0 [] 0"                                                                 },
        { "x-proxy-ttl",        { "99999999999999999999", 20 },                       false, "-:0 -:0 [] -1"                                                                },
        { "x-proxy-ttl",        { "-3", 2 },                                          false, "-:0 -:0 [] -1"                                                                },
        { "name",               { "mutt", 4 },                                        false, "-:0 -:0 [] -1"                                                                },
        { "x-originating-ips",  { "10.0.0.7", 8 },                                    false, "-:0 -:0 [] -1"                                                                },
        { "",                   { "10.0.0.7", 8 },                                    false, "-:0 -:0 [] -1"                                                                },
    };
    struct buf said;
    buf_init(&said, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forwarded f = { .ttl = -1 };
        assert_int_equal(forwarded_take_id(&f, span_of(cases[i].key), cases[i].value), cases[i].ok);
        say(&said, true, &f);
        replay_compare(span_of(cases[i].key), 0, span_of(cases[i].want), buf_span(&said));
    }
    buf_fini(&said);
}

/* Address and port in either order; the lower of two TTLs. */
static void test_id_together(void **state UNUSED)
{
    struct forwarded f = { .ttl = -1 };
    assert_true(forwarded_take_id(&f, SPAN("x-originating-port"), SPAN("51234")));
    assert_true(forwarded_take_id(&f, SPAN("x-originating-ip"), SPAN("10.0.0.7")));
    assert_true(forwarded_take_id(&f, SPAN("x-connected-ip"), SPAN("10.0.0.1")));
    assert_true(forwarded_take_id(&f, SPAN("x-connected-port"), SPAN("993")));
    assert_true(f.client.port == 51234 && f.connected.port == 993 && f.client.family == AF_INET);
    assert_true(forwarded_take_id(&f, SPAN("x-proxy-ttl"), SPAN("3")));
    assert_true(forwarded_take_id(&f, SPAN("x-proxy-ttl"), SPAN("5")));
    assert_int_equal(f.ttl, 3);
}

static const struct replay_case xclients[] = {
    CASE("ADDR=10.0.0.7 PORT=51234 SESSION=s+41/= TTL=4", "10.0.0.7:51234 -:0 [s+41/=] 4"),
    CASE("port=51234 addr=10.0.0.7", "10.0.0.7:51234 -:0 [] -1"),
    CASE("ADDR=IPV6:2001:db8::7  PORT=1 ", "[2001:db8::7]:1 -:0 [] -1"),
    CASE("ADDR=2001:db8::7", "[2001:db8::7]:0 -:0 [] -1"),
    CASE("ADDR=2001+3Adb8+3A+3A7", "[2001:db8::7]:0 -:0 [] -1"),
    CASE("ADDR=[UNAVAILABLE] PORT=[TEMPUNAVAIL] TTL=2", "-:0 -:0 [] 2"),
    CASE("PROTO=POP3 LOGIN=x+ FORWARD= TTL=2", "-:0 -:0 [] 2"),
    CASE("", "-:0 -:0 [] -1"),
    CASE("ADDR", "bad: -:0 -:0 [] -1"),
    CASE("=x", "bad: -:0 -:0 [] -1"),
    CASE("TTL=2 x", "bad: -:0 -:0 [] 2"),
    CASE("ADDR=", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=host", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=fe80::1%lo", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=10.0.0.7+", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=10.0.0.7+3", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=10.0.0.7+3a", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=10.0.0.7+00", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=10.0.0.7\0", "bad: -:0 -:0 [] -1"),
    CASE("ADDR=0000000000000000000000000000000000000000000000000000000000000000000", "bad: -:0 -:0 [] -1"),
    CASE("PORT=65536", "bad: -:0 -:0 [] -1"),
    CASE("TTL=IPV6:5", "bad: -:0 -:0 [] -1"),
    CASE("SESSION=a\rb", "bad: -:0 -:0 [] -1"),
    CASE("SESSION=", "bad: -:0 -:0 [] -1"),
};

/* XCLIENT's argument comes as a whole line; it is looked at in memory of its own size. */
static void test_xclient(void **state UNUSED)
{
    struct buf said;
    buf_init(&said, 1000);
    for (size_t i = 0; i < COUNT_OF(xclients); i++) {
        struct forwarded f = { .ttl = -1 };
        struct span input = xclients[i].input;
        char *exact = malloc(input.n + (input.n == 0));
        assert_non_null(exact);
        memcpy(exact, input.at, input.n);
        bool ok = forwarded_take_xclient(&f, span_bytes(exact, input.n));
        say(&said, ok, &f);
        replay_compare(input, 0, span_of(xclients[i].want), buf_span(&said));
        free(exact);
    }
    buf_fini(&said);
}

static void test_write(void **state UNUSED)
{
    static const struct {
        const char *client, *connected, *session;
        int ttl;
        const char *id, *xclient;
    } cases[] = {
        {"10.0.0.7",     "10.0.0.1", "s1+",       4,
         "\"x-originating-ip\" \"10.0.0.7\" \"x-originating-port\" \"51234\" \"x-connected-ip\" \"10.0.0.1\" "
          "\"x-connected-port\" \"993\" \"x-session-id\" \"s1+\" \"x-proxy-ttl\" \"4\"",                                       "ADDR=10.0.0.7 PORT=51234 SESSION=s1+ TTL=4"},
        { "2001:db8::7", "",         "",          -1, "\"x-originating-ip\" \"2001:db8::7\" \"x-originating-port\" \"51234\"",
         "ADDR=2001:db8::7 PORT=51234"                                                                                                                                     },
        { "",            "",         "",          0,  "\"x-proxy-ttl\" \"0\"",                                                 "TTL=0"                                     },
        { "",            "",         "",          -1, "",                                                                      ""                                          },
        { "10.0.0.7",    "",         "a\" \"x",   4,  NULL,                                                                    NULL                                        },
        { "10.0.0.7",    "",         "a b",       4,  NULL,                                                                    NULL                                        },
        { "10.0.0.7",    "",         "a\r\nQUIT", 4,  NULL,                                                                    NULL                                        },
    };
    struct buf out;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forwarded f = { .session = span_of(cases[i].session), .ttl = cases[i].ttl };
        addr_parse(span_of(cases[i].client), 51234, &f.client);
        addr_parse(span_of(cases[i].connected), 993, &f.connected);
        buf_init(&out, 1000);
        assert_int_equal(forwarded_write_id(&out, &f), cases[i].id != NULL);
        replay_compare(SPAN_NONE, 0, span_of(cases[i].id), buf_span(&out));
        buf_clear(&out);
        assert_int_equal(forwarded_write_xclient(&out, &f), cases[i].xclient != NULL);
        replay_compare(SPAN_NONE, 0, span_of(cases[i].xclient), buf_span(&out));
        buf_fini(&out);
        buf_init(&out, 3);
        assert_false(forwarded_write_id(&out, &f) && cases[i].id[0] != '\0');
        assert_int_equal(out.n, 0);
        buf_fini(&out);
    }
}

static struct buf argument;

/* A session id is the only part that is text: it comes back as it was, or is not written. */
static void check_session(struct span s)
{
    struct forwarded f = { .session = s, .ttl = 5 }, read = { .ttl = -1 };
    struct addr client = {
        .family = AF_INET, .port = 7, .bytes = {10, 0, 0, 1}
    };
    f.client = client;
    buf_clear(&argument);
    if (!forwarded_write_xclient(&argument, &f)) {
        assert_int_equal(argument.n, 0);
        return;
    }
    assert_true(forwarded_take_xclient(&read, buf_span(&argument)));
    assert_true(addr_eq(&read.client, &client) && read.ttl == 5 && span_eq(read.session, s));
}

static void test_read_back(void **state UNUSED)
{
    buf_init(&argument, 1000);
    each_string(SPAN("ab+41=/\" \\"), check_session);
    buf_fini(&argument);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id),    cmocka_unit_test(test_id_together), cmocka_unit_test(test_xclient),
        cmocka_unit_test(test_write), cmocka_unit_test(test_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
