/* SASL messages and base64: what is refused, what is understood, and that we read what we write. */
#include "test/unit/replay.h"

#include "proxy/wire/sasl.h"

/* These parsers get whole messages: a segment is no part of their input. They are cut at every length instead, in
 * memory of just that size, and only what the table says may be accepted. */
static struct span exact_copy(struct span s, char **memory)
{
    *memory = malloc(s.n > 0 ? s.n : 1);
    assert_non_null(*memory);
    if (s.n > 0)
        memcpy(*memory, s.at, s.n);
    return span_bytes(*memory, s.n);
}

static bool parse(enum sasl_mechanism m, struct span message, struct buf *name, struct sasl_identity *who)
{
    if (m == SASL_PLAIN)
        return sasl_plain_parse(message, who);
    return m == SASL_XOAUTH2 ? sasl_xoauth2_parse(message, who) : sasl_oauthbearer_parse(message, name, who);
}

static void say(enum sasl_mechanism m, struct span message, struct buf *said)
{
    char *memory;
    struct buf name;
    struct sasl_identity who;
    buf_clear(said);
    buf_init(&name, 1000);
    bool ok = parse(m, exact_copy(message, &memory), &name, &who);
    if (!ok) {
        replay_say(said, "bad");
    } else {
        const struct span parts[] = { who.authzid, who.authcid, who.password, who.token };
        assert_true(sasl_name_ok(who.authcid));
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            replay_print(said, parts[i]);
            assert_true(i == 3 || buf_add_byte(said, '|'));
        }
    }
    buf_fini(&name);
    free(memory);
}

static const struct replay_case plain[] = {
    CASE("\0ann\0secret", "|ann|secret|"),
    CASE("bob\0ann\0secret", "bob|ann|secret|"),
    CASE("ann\0ann\0 s\r\n\xff\x01 ", "ann|ann| s\\x0D\\x0A\\xFF\\x01 |"),
    CASE("\0caf\xc3\xa9@x\0p", "|caf\\xC3\\xA9@x|p|"),
    CASE("", "bad"),
    CASE("\0", "bad"),
    CASE("\0\0", "bad"),
    CASE("ann", "bad"),
    CASE("\0ann", "bad"),
    CASE("\0ann\0", "bad"),
    CASE("\0\0secret", "bad"),
    CASE("ann\0\0secret", "bad"),
    CASE("\0ann\0sec\0ret", "bad"),
    CASE("\0ann\0secret\0", "bad"),
    CASE("\0a\rnn\0secret", "bad"),
    CASE("\0a\nnn\0secret", "bad"),
    CASE("b\rob\0ann\0secret", "bad"),
};

static const struct replay_case xoauth2[] = {
    CASE("user=ann\001auth=Bearer tok.en==\001\001", "|ann||tok.en=="),
    CASE("user=ann\001auth=bEARER tok\001\001", "|ann||tok"),
    CASE("auth=Bearer tok\001user=ann\001\001", "|ann||tok"),
    CASE("user=ann\001host=x\001port=\001auth=Bearer  tok\001\001", "|ann||tok"),
    CASE("user=a=b,c\001auth=Bearer tok\001\001", "|a=b,c||tok"),
    CASE("user=ann\001auth=Bearer tok\001", "bad"),
    CASE("user=ann\001auth=Bearer tok", "bad"),
    CASE("user=ann\001auth=Bearer tok\001\001x", "bad"),
    CASE("user=ann\001auth=Bearer tok\001\001\001", "bad"),
    CASE("user=ann\001\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001user=bob\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001USER=bob\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer tok\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer t\001ok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer t ok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer t\0ok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer t\nok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer t\xffok\001\001", "bad"),
    CASE("user=ann\001auth=Bearer \001\001", "bad"),
    CASE("user=ann\001auth=Bearer\001\001", "bad"),
    CASE("user=ann\001auth=Bearertok\001\001", "bad"),
    CASE("user=ann\001auth=Basic tok\001\001", "bad"),
    CASE("user=ann\001\001", "bad"),
    CASE("auth=Bearer tok\001\001", "bad"),
    CASE("user=\001auth=Bearer tok\001\001", "bad"),
    CASE("user=a\nb\001auth=Bearer tok\001\001", "bad"),
    CASE("user=a\0b\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001x\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001=x\001auth=Bearer tok\001\001", "bad"),
    CASE("user=ann\001x=\0\001auth=Bearer tok\001\001", "bad"),
    CASE("", "bad"),
    CASE("\001", "bad"),
    CASE("\001\001", "bad"),
};

static const struct replay_case oauthbearer[] = {
    CASE("n,a=ann@x.example,\001host=h\001port=993\001auth=Bearer tok\001\001", "|ann@x.example||tok"),
    CASE("y,a=ann,\001auth=bearer tok\001\001", "|ann||tok"),
    CASE("n,a=a=2Cb=3Dc=2c=3d,\001auth=Bearer tok\001\001", "|a,b=c,=||tok"),
    CASE("n,a=ann,\001x=y\001auth=Bearer tok\001\001", "|ann||tok"),
    CASE("p=tls-unique,a=ann,\001auth=Bearer tok\001\001", "bad"),
    CASE("p,a=ann,\001auth=Bearer tok\001\001", "bad"),
    CASE("N,a=ann,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,ann,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=ann\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=ann,auth=Bearer tok\001\001", "bad"),
    CASE("n,a=ann,x\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=a=b,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=a=2,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=a=2Db,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=a\001b,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=a\0b,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=a\rb,\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=ann,\001user=bob\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=ann,\001auth=Bearer tok\001auth=Bearer tok\001\001", "bad"),
    CASE("n,a=ann,\001auth=Bearer t\001ok\001\001", "bad"),
    CASE("n,a=ann,\001auth=Bearer tok\001", "bad"),
    CASE("n,a=ann,\001\001", "bad"),
    CASE("n,a=ann,\001auth=Bearer tok\001\001\001", "bad"),
    CASE("\001", "bad"),
    CASE("", "bad"),
};

static void check_messages(enum sasl_mechanism m, const struct replay_case *cases, size_t n)
{
    struct buf said;
    buf_init(&said, 10000);
    for (size_t i = 0; i < n; i++) {
        struct span message = cases[i].input;
        say(m, message, &said);
        replay_compare(message, message.n, span_of(cases[i].want), buf_span(&said));
        for (size_t cut = 0; cut < message.n; cut++) {
            say(m, span_first(message, cut), &said);
            assert_true(m == SASL_PLAIN || span_eq(buf_span(&said), SPAN("bad")) || strcmp(cases[i].want, "bad") == 0);
        }
    }
    buf_fini(&said);
}

static void test_plain(void **state UNUSED)
{
    check_messages(SASL_PLAIN, plain, COUNT_OF(plain));
}

static void test_xoauth2(void **state UNUSED)
{
    check_messages(SASL_XOAUTH2, xoauth2, COUNT_OF(xoauth2));
}

static void test_oauthbearer(void **state UNUSED)
{
    check_messages(SASL_OAUTHBEARER, oauthbearer, COUNT_OF(oauthbearer));
}

static void test_limits(void **state UNUSED)
{
    static char text[SASL_NAME_MAX + SASL_PASSWORD_MAX + 10];
    struct sasl_identity who;
    memset(text, 'x', sizeof text);
    assert_true(sasl_name_ok(span_bytes(text, SASL_NAME_MAX)));
    assert_false(sasl_name_ok(span_bytes(text, SASL_NAME_MAX + 1)));
    assert_false(sasl_name_ok(SPAN_NONE));
    text[0] = text[1 + SASL_NAME_MAX] = '\0';
    assert_true(sasl_plain_parse(span_bytes(text, 2 + SASL_NAME_MAX + SASL_PASSWORD_MAX), &who));
    assert_false(sasl_plain_parse(span_bytes(text, 3 + SASL_NAME_MAX + SASL_PASSWORD_MAX), &who));
    text[1 + SASL_NAME_MAX] = 'x';
    text[2 + SASL_NAME_MAX] = '\0';
    assert_false(sasl_plain_parse(span_bytes(text, 10 + SASL_NAME_MAX), &who));
}

static void test_names(void **state UNUSED)
{
    for (enum sasl_mechanism m = SASL_PLAIN; m < SASL_MECHANISMS; m++)
        assert_int_equal(sasl_find(span_of(sasl_name(m))), m);
    assert_int_equal(sasl_find(SPAN("oauthBearer")), SASL_OAUTHBEARER);
    assert_int_equal(sasl_find(SPAN("PLAINS")), SASL_NONE);
    assert_int_equal(sasl_find(SPAN("")), SASL_NONE);
    assert_true(sasl_is_bearer(SASL_XOAUTH2) && sasl_is_bearer(SASL_OAUTHBEARER));
    assert_false(sasl_is_bearer(SASL_PLAIN) || sasl_is_bearer(SASL_LOGIN) || sasl_is_bearer(SASL_NONE));
}

/* Writing, and reading it back */

static struct buf message, name, decoded;

static void check_plain(struct span s)
{
    struct sasl_identity who;
    const struct span parts[][3] = {
        {SPAN_NONE,  s,           s         },
        { s,         SPAN("ann"), SPAN("pw")},
        { SPAN_NONE, SPAN("ann"), s         }
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const struct span *p = parts[i];
        buf_clear(&message);
        if (!sasl_plain_write(&message, p[0], p[1], p[2])) {
            bool nul = span_has(s, '\0'), name_bad = !sasl_name_ok(s);
            assert_true(message.n == 0 && (nul || s.n == 0 || (i < 2 && name_bad)));
            continue;
        }
        assert_true(sasl_plain_parse(buf_span(&message), &who));
        assert_true(span_eq(who.authzid, p[0]) && span_eq(who.authcid, p[1]) && span_eq(who.password, p[2]));
    }
}

static void check_bearer(struct span s)
{
    struct sasl_identity who;
    const struct span parts[][2] = {
        {s,            SPAN("token")},
        { SPAN("ann"), s            }
    };
    for (size_t i = 0; i < 2 * COUNT_OF(parts); i++) {
        const struct span *p = parts[i / 2];
        bool google = i % 2 == 0;
        buf_clear(&message);
        bool ok = google ? sasl_xoauth2_write(&message, p[0], p[1]) : sasl_oauthbearer_write(&message, p[0], p[1]);
        if (!ok) {
            assert_true(message.n == 0 && (i >= 2 || !sasl_name_ok(s) || span_has(s, '\001')));
            continue;
        }
        assert_true(parse(google ? SASL_XOAUTH2 : SASL_OAUTHBEARER, buf_span(&message), &name, &who));
        assert_true(span_eq(who.authcid, p[0]) && span_eq(who.token, p[1]));
    }
}

static void check_base64(struct span s)
{
    buf_clear(&message);
    buf_clear(&decoded);
    assert_true(base64_encode(s, &message) && base64_decode(buf_span(&message), &decoded));
    assert_true(span_eq(buf_span(&decoded), s));
    /* and the other way: what decodes has one spelling */
    buf_clear(&message);
    buf_clear(&decoded);
    if (!base64_decode(s, &decoded)) {
        assert_int_equal(decoded.n, 0);
        return;
    }
    assert_true(base64_encode(buf_span(&decoded), &message) && span_eq(buf_span(&message), s));
}

static void check_string(struct span s)
{
    check_plain(s);
    check_bearer(s);
    check_base64(s);
}

static void test_read_back(void **state UNUSED)
{
    buf_init_secret(&message, 1000);
    buf_init(&name, 1000);
    buf_init(&decoded, 1000);
    each_string(SPAN("AQgw+/=,ab,==2C=3D"), check_string);
    buf_fini(&message);
    buf_fini(&name);
    buf_fini(&decoded);
}

static void test_full_target(void **state UNUSED)
{
    struct buf small;
    for (size_t max = 0; max < 32; max++) {
        buf_init_secret(&small, max);
        assert_false(sasl_plain_write(&small, SPAN("0123456789"), SPAN("0123456789"), SPAN("0123456789")));
        assert_false(sasl_xoauth2_write(&small, SPAN("0123456789"), SPAN("token")));
        assert_false(sasl_oauthbearer_write(&small, SPAN("0123456,,,"), SPAN("tok")));
        assert_false(base64_encode(SPAN("01234567890123456789012345"), &small));
        assert_false(base64_decode(SPAN("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEy"), &small));
        assert_int_equal(small.n, 0);
        buf_fini(&small);
    }
}

static void test_base64(void **state UNUSED)
{
    static const struct replay_case cases[] = {
        CASE("", ""),
        CASE("Zg==", "f"),
        CASE("Zm8=", "fo"),
        CASE("Zm9v", "foo"),
        CASE("Zm9vYmE=", "fooba"),
        CASE("AGFubgBwdw==", "\\x00ann\\x00pw"),
        CASE("+/+/", "\\xFB\\xFF\\xBF"),
        CASE("Zm9", NULL),
        CASE("Zg=", NULL),
        CASE("Zg", NULL),
        CASE("Z", NULL),
        CASE("=", NULL),
        CASE("====", NULL),
        CASE("Z===", NULL),
        CASE("Zh==", NULL), /* loose bits */
        CASE("Zm9=", NULL),
        CASE("Zg==Zg==", NULL),
        CASE("Zg=v", NULL),
        CASE("Zm9v\r\n", NULL),
        CASE("Zm9v\n\n\n\n", NULL),
        CASE("Zm 9v", NULL),
        CASE(" Zm9v", NULL),
        CASE("Zm9-", NULL),
        CASE("Zm_v", NULL),
        CASE("Zm\0v", NULL),
        CASE("Zm\xffv", NULL),
        CASE("*", NULL),
    };
    struct buf to, said;
    buf_init(&to, 100);
    buf_init(&said, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *memory;
        buf_clear(&to);
        buf_clear(&said);
        assert_true(buf_add_text(&to, "x"));
        assert_int_equal(base64_decode(exact_copy(cases[i].input, &memory), &to), cases[i].want != NULL);
        replay_print(&said, span_after(buf_span(&to), 1));
        replay_compare(cases[i].input, 0, span_of(cases[i].want), buf_span(&said));
        free(memory);
    }
    buf_fini(&to);
    buf_fini(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),       cmocka_unit_test(test_xoauth2), cmocka_unit_test(test_oauthbearer),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_names),   cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_full_target), cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
