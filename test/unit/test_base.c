/* What everything stands on: spans, bufs, secrets, packing, addresses and lists. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/addr.h"
#include "proxy/base/list.h"
#include "proxy/base/pack.h"
#include "proxy/base/secret.h"

/* ---- spans ---- */

static void spans_compare(void **state UNUSED)
{
    static const struct {
        const char *a, *b;
        bool eq, nocase, starts, contains;
        int order;
    } cases[] = {
        {"",      "",     true,  true,  true,  true,  0 },
        { "a",    "",     false, false, true,  true,  1 },
        { "",     "a",    false, false, false, false, -1},
        { "abc",  "ABC",  false, true,  false, true,  1 },
        { "abc",  "ab",   false, false, true,  true,  1 },
        { "xABc", "abC",  false, false, false, true,  1 },
        { "a",    "b",    false, false, false, false, -1},
        { "[",    "{",    false, false, false, false, -1}, /* not letters, though 0x20 apart */
        { "\xc4", "\xe4", false, false, false, false, -1}, /* nor are these */
        { "ab",   "abc",  false, false, false, false, -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span a = span_of(cases[i].a), b = span_of(cases[i].b);
        int order = span_compare(a, b);
        assert_int_equal(span_eq(a, b), cases[i].eq);
        assert_int_equal(span_eq_nocase(a, b), cases[i].nocase);
        assert_int_equal(span_starts(a, b), cases[i].starts);
        assert_int_equal(span_contains_nocase(a, b), cases[i].contains);
        assert_int_equal((order > 0) - (order < 0), cases[i].order);
    }
    assert_true(span_eq(SPAN_NONE, SPAN("")));
    assert_true(span_starts_nocase(SPAN("LoGin x"), SPAN("login")));
    assert_false(span_starts_nocase(SPAN("log"), SPAN("login")));
}

static void spans_are_searched(void **state UNUSED)
{
    struct span s = SPAN("a.b.c");
    assert_int_equal(span_find(s, '.'), 1);
    assert_int_equal(span_find_last(s, '.'), 3);
    assert_int_equal(span_find(s, 'x'), -1);
    assert_int_equal(span_find_last(SPAN_NONE, 'x'), -1);
    assert_true(span_has(SPAN("a\0b"), '\0'));
    assert_true(span_eq(span_after(s, 2), SPAN("b.c")));
    assert_int_equal(span_after(s, 9).n, 0);
    assert_true(span_eq(span_first(s, 2), SPAN("a.")));
    assert_int_equal(span_first(s, 9).n, 5);
    assert_true(span_eq(span_trim(SPAN(" \t\r\n a b \r\n")), SPAN("a b")));
    assert_int_equal(span_trim(SPAN(" \r\n")).n, 0);
}

static void words(void **state UNUSED)
{
    struct span rest = SPAN("  one\ttwo  three "), word;
    assert_true(span_word(&rest, &word) && span_eq(word, SPAN("one")));
    assert_true(span_word(&rest, &word) && span_eq(word, SPAN("two")));
    assert_true(span_word(&rest, &word) && span_eq(word, SPAN("three")));
    assert_int_equal(rest.n, 0);
    assert_false(span_word(&rest, &word));
    rest = SPAN("  ");
    assert_false(span_word(&rest, &word));
}

static void numbers(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t number;
    } cases[] = {
        {"0",                     0,          true,  0         },
        { "1",                    0,          false, 0         },
        { "007",                  7,          true,  7         },
        { "8",                    7,          false, 0         },
        { "",                     9,          false, 0         },
        { "-1",                   9,          false, 0         },
        { "+1",                   9,          false, 0         },
        { " 1",                   9,          false, 0         },
        { "1a",                   99,         false, 0         },
        { "4294967295",           UINT32_MAX, true,  UINT32_MAX},
        { "4294967296",           UINT32_MAX, false, 0         },
        { "18446744073709551615", UINT64_MAX, true,  UINT64_MAX},
        { "18446744073709551616", UINT64_MAX, false, 0         },
        { "99999999999999999999", UINT64_MAX, false, 0         },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t number = 0;
        assert_int_equal(span_number(span_of(cases[i].text), cases[i].max, &number), cases[i].good);
        assert_int_equal(number, cases[i].number);
    }
}

static void utf8(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"",                  true },
        { "plain",            true },
        { "\xc3\xa4",         true },
        { "\xe2\x82\xac",     true },
        { "\xf0\x9f\x98\x80", true },
        { "\xf4\x8f\xbf\xbf", true },
        { "\xf4\x90\x80\x80", false}, /* beyond the last */
        { "\xc0\xaf",         false}, /* overlong */
        { "\xc1\xbf",         false},
        { "\xe0\x9f\xbf",     false},
        { "\xf0\x8f\xbf\xbf", false},
        { "\xed\xa0\x80",     false}, /* a surrogate */
        { "\xed\x9f\xbf",     true },
        { "\xc3",             false}, /* cut off */
        { "\xe2\x82",         false},
        { "a\x80",            false},
        { "\xc3\x28",         false},
        { "\xff",             false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(span_is_utf8(span_of(cases[i].text)), cases[i].good);
}

/* ---- bufs and secrets ---- */

static void a_buf_keeps_its_limit(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, 600);
    assert_null(b.at);
    for (int i = 0; i < 600; i++)
        assert_true(buf_add_byte(&b, (char)('a' + i % 26)));
    assert_false(buf_add_byte(&b, 'x'));
    assert_false(buf_add(&b, SPAN("xyz")));
    assert_true(buf_add(&b, SPAN_NONE));
    assert_null(buf_space(&b, 1));
    assert_null(buf_space(&b, SIZE_MAX));
    assert_int_equal(b.n, 600);
    buf_take(&b, 0);
    buf_take(&b, 26);
    assert_int_equal(b.at[0], 'a');
    assert_int_equal(b.n, 574);
    assert_true(buf_add_text(&b, "12345678901234567890123456"));
    buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_non_null(buf_space(&b, 600));
    buf_grew(&b, 600);
    buf_fini(&b);
    assert_null(b.at);
    assert_int_equal(b.max, 600);
    assert_true(buf_add_text(&b, "again"));
    buf_fini(&b);
    buf_fini(&b);
}

static void printing_is_all_or_nothing(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, 10);
    assert_true(buf_printf(&b, "%s", ""));
    assert_int_equal(b.n, 0);
    assert_true(buf_printf(&b, "%d-%s", 12, "ab"));
    assert_false(buf_printf(&b, "%s", "12345"));
    assert_true(span_eq(buf_span(&b), SPAN("12-ab")));
    assert_true(buf_printf(&b, "%s", "1234")); /* one place is vsnprintf's own */
    assert_int_equal(b.n, 9);
    buf_fini(&b);
}

static void a_secret_buf_is_wiped_as_it_shrinks(void **state UNUSED)
{
    struct buf b;
    buf_init_secret(&b, 100);
    assert_true(buf_add_text(&b, "geheim, 123"));
    buf_take(&b, 8);
    assert_true(span_eq(buf_span(&b), SPAN("123")));
    for (size_t i = 3; i < 11; i++)
        assert_int_equal(b.at[i], 0);
    buf_clear(&b);
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(b.at[i], 0);
    buf_fini(&b);
}

static void secrets(void **state UNUSED)
{
    struct secret s = { 0 };
    secret_wipe(&s);
    assert_true(secret_set(&s, SPAN("a\0b")));
    assert_int_equal(s.n, 3);
    assert_true(secret_set(&s, secret_span(&s))); /* of itself */
    assert_true(span_eq(secret_span(&s), SPAN("a\0b")));
    assert_true(secret_set(&s, SPAN_NONE));
    assert_non_null(s.at); /* an empty one is one */
    assert_int_equal(s.n, 0);
    secret_wipe(&s);
    secret_wipe(&s);
    assert_null(s.at);
}

/* ---- packing ---- */

static void packed_and_unpacked(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, 100);
    assert_true(pack_number(&b, 0xfe, 1) && pack_number(&b, 0x1234, 2) && pack_number(&b, 0x89abcdef, 4) &&
                pack_number(&b, UINT64_MAX - 1, 8) && pack_string(&b, SPAN("h\0i")) && pack_string(&b, SPAN_NONE));
    assert_int_equal(b.at[1], 0x34); /* little endian */
    struct unpack u = { .rest = buf_span(&b) };
    assert_int_equal(unpack_number(&u, 1), 0xfe);
    assert_int_equal(unpack_number(&u, 2), 0x1234);
    assert_int_equal(unpack_number(&u, 4), 0x89abcdef);
    assert_true(unpack_number(&u, 8) == UINT64_MAX - 1);
    assert_true(span_eq(unpack_string(&u, 3), SPAN("h\0i")));
    assert_int_equal(unpack_string(&u, 0).n, 0);
    assert_false(u.bad);
    assert_int_equal(u.rest.n, 0);
    unpack_number(&u, 1);
    assert_true(u.bad);
    buf_fini(&b);
}

static void unpacking_remembers_what_was_bad(void **state UNUSED)
{
    static const char huge[] = { '\xff', '\xff', '\xff', '\xff', 'a', 'b' }, two[] = { 2, 0, 0, 0, 'a', 'b' };
    struct unpack u = { .rest = span_bytes(huge, sizeof huge) };
    assert_int_equal(unpack_string(&u, SIZE_MAX).n, 0);
    assert_true(u.bad);
    assert_int_equal(unpack_number(&u, 1), 0); /* and from then on all is */
    u = (struct unpack){ .rest = span_bytes(two, sizeof two) };
    assert_int_equal(unpack_string(&u, 1).n, 0);
    assert_true(u.bad);
    for (size_t n = 0; n < sizeof two; n++) {
        u = (struct unpack){ .rest = span_bytes(two, n) };
        unpack_string(&u, 2);
        assert_true(u.bad);
    }
}

/* ---- addresses ---- */

static void addresses_as_text(void **state UNUSED)
{
    static const struct {
        const char *text, *host, *full; /* NULL: not an address */
    } cases[] = {
        {"10.0.0.7",             "10.0.0.7",    "10.0.0.7:993"     },
        { "2001:DB8::1",         "2001:db8::1", "[2001:db8::1]:993"},
        { "::ffff:10.0.0.7",     "10.0.0.7",    "10.0.0.7:993"     },
        { "::",                  "::",          "[::]:993"         },
        { "::1%lo",              "::1",         "[::1]:993"        },
        { "10.0.0",              NULL,          NULL               },
        { "10.0.0.256",          NULL,          NULL               },
        { "10.0.0.7 ",           NULL,          NULL               },
        { "[::1]",               NULL,          NULL               },
        { "::1%no_such_network", NULL,          NULL               },
        { "localhost",           NULL,          NULL               },
        { "",                    NULL,          NULL               },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct addr a;
        char text[ADDR_TEXT_MAX];
        assert_int_equal(addr_parse(span_of(cases[i].text), 993, &a), cases[i].host != NULL);
        if (cases[i].host == NULL)
            continue;
        assert_string_equal(addr_host_text(&a, text), cases[i].host);
        assert_string_equal(addr_text(&a, text), cases[i].full);
    }
    struct addr none = { 0 };
    char text[ADDR_TEXT_MAX];
    assert_string_equal(addr_text(&none, text), "-:0");
    assert_false(addr_parse(SPAN("10.0.0.7\0x"), 1, &none));
}

static struct addr address(const char *text, uint16_t port)
{
    struct addr a;
    assert_true(addr_parse(span_of(text), port, &a));
    return a;
}

static void addresses_of_the_kernel(void **state UNUSED)
{
    static const char *const texts[] = { "192.0.2.1", "2001:db8::7" };
    struct sockaddr_storage storage;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct addr a = address(texts[i], 4711), back;
        assert_true(addr_to_sockaddr(&a, &storage) >= sizeof(struct sockaddr_in));
        assert_true(addr_from_sockaddr((struct sockaddr *)&storage, &back));
        assert_true(addr_eq(&a, &back));
    }
    /* One client, one identity, whatever socket it came through. */
    struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(5) };
    struct addr v4 = address("192.0.2.1", 5), got;
    memcpy(&mapped.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01", 16);
    assert_true(addr_from_sockaddr((struct sockaddr *)&mapped, &got));
    assert_true(addr_eq(&got, &v4));
    assert_false(addr_from_sockaddr(&(struct sockaddr){ .sa_family = AF_UNIX }, &got));
}

static void addresses_compare(void **state UNUSED)
{
    struct addr a = address("10.0.0.1", 1), b = address("10.0.0.1", 2), c = address("10.0.0.2", 1);
    assert_true(addr_same_host(&a, &b));
    assert_false(addr_eq(&a, &b));
    assert_false(addr_same_host(&a, &c));
    struct addr six = address("a00:1::", 1); /* the same first bytes */
    assert_false(addr_same_host(&a, &six));
    struct addr loop = address("127.9.9.9", 0), loop6 = address("::1", 0), any = address("0.0.0.0", 0);
    assert_true(addr_is_loopback(&loop) && addr_is_loopback(&loop6));
    assert_false(addr_is_loopback(&a) || addr_is_loopback(&any));
    struct addr any6 = address("::", 0);
    assert_true(addr_is_wildcard(&any) && addr_is_wildcard(&any6));
    assert_false(addr_is_wildcard(&a) || addr_is_wildcard(&loop6));
}

static void blocks(void **state UNUSED)
{
    struct addr one = address("2001:db8:0:1::1", 1), two = address("2001:db8:0:1:ffff::", 2);
    struct addr other = address("2001:db8:0:2::1", 1), four = address("10.0.0.1", 1), four2 = address("10.0.0.2", 1);
    struct addr x = addr_block(&one), y = addr_block(&two), z = addr_block(&other);
    assert_true(addr_eq(&x, &y));
    assert_false(addr_eq(&x, &z));
    x = addr_block(&four);
    y = addr_block(&four2);
    assert_false(addr_eq(&x, &y));
    assert_int_equal(x.port, 0);
}

static void networks(void **state UNUSED)
{
    static const struct {
        const char *network, *address;
        bool has;
    } cases[] = {
        {"10.0.0.0/8",     "10.255.255.255",  true },
        { "10.0.0.0/8",    "11.0.0.0",        false},
        { "10.0.0.128/25", "10.0.0.200",      true },
        { "10.0.0.128/25", "10.0.0.127",      false},
        { "10.0.0.7",      "10.0.0.7",        true },
        { "10.0.0.7",      "10.0.0.8",        false},
        { "0.0.0.0/0",     "203.0.113.9",     true },
        { "0.0.0.0/0",     "2001:db8::1",     false},
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false},
        { "::/0",          "2001:db8::1",     true },
        { "::/0",          "10.0.0.1",        false},
        { "10.0.0.0/8",    "::ffff:10.1.1.1", true },
    };
    struct network n;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct addr a = address(cases[i].address, 1);
        assert_true(network_parse(span_of(cases[i].network), &n));
        assert_int_equal(network_has(&n, &a), cases[i].has);
    }
    static const char *const bad[] = { "",       "10.0.0.0/33",   "10.0.0.0/",   "10.0.0.0/-1", "/8", "10.0.0.0/8x",
                                       "::/129", "example.com/8", "10.0.0.0/8/8" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(network_parse(span_of(bad[i]), &n));
}

/* ---- lists ---- */

static void lists(void **state UNUSED)
{
    struct list ring, links[3];
    int n = 0;
    list_init(&ring);
    assert_true(list_empty(&ring));
    for (size_t i = 0; i < 3; i++) {
        list_init(&links[i]);
        list_add(&ring, &links[i]);
    }
    LIST_EACH(link, &ring)
        assert_ptr_equal(link, &links[n++]);
    LIST_EACH_SAFE(link, &ring)
        list_remove(link);
    assert_true(list_empty(&ring));
    list_remove(&links[1]); /* once more is nothing */
    assert_true(list_empty(&links[1]));
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_compare),
        cmocka_unit_test(spans_are_searched),
        cmocka_unit_test(words),
        cmocka_unit_test(numbers),
        cmocka_unit_test(utf8),
        cmocka_unit_test(a_buf_keeps_its_limit),
        cmocka_unit_test(printing_is_all_or_nothing),
        cmocka_unit_test(a_secret_buf_is_wiped_as_it_shrinks),
        cmocka_unit_test(secrets),
        cmocka_unit_test(packed_and_unpacked),
        cmocka_unit_test(unpacking_remembers_what_was_bad),
        cmocka_unit_test(addresses_as_text),
        cmocka_unit_test(addresses_of_the_kernel),
        cmocka_unit_test(addresses_compare),
        cmocka_unit_test(blocks),
        cmocka_unit_test(networks),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
