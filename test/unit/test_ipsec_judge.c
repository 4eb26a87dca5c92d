/* What associations are worth: a table of what the kernel may hold, and what each must come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/xfrm.h>
#include <netinet/in.h>

#include "backends/ipsec/ipsec_judge.h"

#define LOCAL "10.0.0.1"
#define PEER "10.0.0.2"
#define OTHER "10.0.0.3"

struct sa {
    const char *from, *to;
    uint32_t reqid;
    const char *combined, *cipher, *integrity;
    uint32_t icv_bits;
    uint8_t protocol, mode; /* 0: ESP, transport */
};

/* clang-format off */ /* version 14 falls over tables of unequal rows */
#define SEALED(from_, to_) { .from = from_, .to = to_, .reqid = 7, .combined = "rfc4106(gcm(aes))", .icv_bits = 128 }
#define CBC(from_, to_, cipher_, integrity_, bits) \
    { .from = from_, .to = to_, .reqid = 7, .cipher = cipher_, .integrity = integrity_, .icv_bits = bits }
#define BOTH_CBC(cipher_, integrity_, bits) \
    { CBC(LOCAL, PEER, cipher_, integrity_, bits), CBC(PEER, LOCAL, cipher_, integrity_, bits) }
#define BOTH_SEALED SEALED(LOCAL, PEER), SEALED(PEER, LOCAL)
#define ALL ((1U << IPSEC_ALGORITHMS) - 1)

static const struct {
    const char *name;
    struct sa all[6];
    enum ipsec_verdict want;
    unsigned allowed; /* 0: the default set */
    uint8_t mode;
} cases[] = {
    { "none", { { 0 } }, IPSEC_NO_SA, 0, 0 },
    { "a pair of AES-GCM", { BOTH_SEALED }, IPSEC_GOOD, 0, 0 },
    { "out only", { SEALED(LOCAL, PEER) }, IPSEC_ONE_WAY, 0, 0 },
    { "in only", { SEALED(PEER, LOCAL) }, IPSEC_ONE_WAY, 0, 0 },
    { "two generations, as while rekeying", { BOTH_SEALED, BOTH_SEALED }, IPSEC_GOOD, 0, 0 },
    { "one still being negotiated", { BOTH_SEALED, { .from = PEER, .to = LOCAL, .reqid = 7 } }, IPSEC_GOOD, 0, 0 },
    { "all still being negotiated", { { .from = LOCAL, .to = PEER, .reqid = 7 } }, IPSEC_NO_SA, 0, 0 },
    { "another reqid", { { .from = LOCAL, .to = PEER, .reqid = 8, .combined = "rfc4106(gcm(aes))", .icv_bits = 128 } },
      IPSEC_NO_SA, 0, 0 },
    { "another peer", { SEALED(LOCAL, OTHER), SEALED(OTHER, "10.0.0.9") }, IPSEC_NO_SA, 0, 0 },
    { "from any address of ours", { SEALED("0.0.0.0", PEER), SEALED(PEER, LOCAL) }, IPSEC_GOOD, 0, 0 },
    { "from another address of ours", { SEALED("10.0.0.9", PEER), SEALED(PEER, LOCAL) }, IPSEC_ONE_WAY, 0, 0 },
    { "AES-CBC with SHA-2", BOTH_CBC("cbc(aes)", "hmac(sha256)", 128), IPSEC_GOOD, 0, 0 },
    { "SHA-2 as an old kernel cut it", BOTH_CBC("cbc(aes)", "hmac(sha256)", 96), IPSEC_GOOD, 0, 0 },
    { "SHA-512", BOTH_CBC("cbc(aes)", "hmac(sha512)", 256), IPSEC_GOOD, 0, 0 },
    { "too short a proof", BOTH_CBC("cbc(aes)", "hmac(sha256)", 64), IPSEC_REFUSED_ALGORITHM, 0, 0 },
    { "GCM with 64 bits of proof", { { .from = LOCAL, .to = PEER, .reqid = 7, .combined = "rfc4106(gcm(aes))", .icv_bits = 64 } },
      IPSEC_REFUSED_ALGORITHM, ALL, 0 },
    { "a kernel that does not say how long", BOTH_CBC("cbc(aes)", "hmac(sha256)", 0), IPSEC_REFUSED_ALGORITHM, 0, 0 },
    { "AES with SHA-1, not listed", BOTH_CBC("cbc(aes)", "hmac(sha1)", 96), IPSEC_REFUSED_ALGORITHM, 0, 0 },
    { "AES with SHA-1, listed", BOTH_CBC("cbc(aes)", "hmac(sha1)", 96), IPSEC_GOOD, 1U << IPSEC_AES_CBC_SHA1, 0 },
    { "3DES, not listed", BOTH_CBC("cbc(des3_ede)", "hmac(sha1)", 96), IPSEC_REFUSED_ALGORITHM, 0, 0 },
    { "3DES, listed", BOTH_CBC("cbc(des3_ede)", "hmac(sha1)", 96), IPSEC_GOOD, 1U << IPSEC_3DES_SHA1, 0 },
    { "GCM where only 3DES is listed", { BOTH_SEALED }, IPSEC_REFUSED_ALGORITHM, 1U << IPSEC_3DES_SHA1, 0 },
    { "DES", BOTH_CBC("cbc(des)", "hmac(sha1)", 96), IPSEC_REFUSED_ALGORITHM, ALL, 0 },
    { "MD5", BOTH_CBC("cbc(aes)", "hmac(md5)", 96), IPSEC_REFUSED_ALGORITHM, ALL, 0 },
    { "null encryption", BOTH_CBC("ecb(cipher_null)", "hmac(sha256)", 128), IPSEC_REFUSED_NULL, ALL, 0 },
    { "null encryption by its old name", BOTH_CBC("cipher_null", "hmac(sha256)", 128), IPSEC_REFUSED_NULL, ALL, 0 },
    { "GMAC", { { .from = LOCAL, .to = PEER, .reqid = 7, .combined = "rfc4543(gcm(aes))", .icv_bits = 128 } },
      IPSEC_REFUSED_NULL, ALL, 0 },
    { "encryption without proof", BOTH_CBC("cbc(aes)", "", 0), IPSEC_REFUSED_INTEGRITY, ALL, 0 },
    { "null proof", BOTH_CBC("cbc(aes)", "digest_null", 0), IPSEC_REFUSED_INTEGRITY, ALL, 0 },
    { "proof without encryption", BOTH_CBC("", "hmac(sha256)", 128), IPSEC_REFUSED_ALGORITHM, ALL, 0 },
    { "unknown", { { .from = LOCAL, .to = PEER, .reqid = 7, .combined = "?", .icv_bits = 128 } }, IPSEC_REFUSED_ALGORITHM,
      ALL, 0 },
    { "a bad one beside a good pair", { BOTH_SEALED, CBC(LOCAL, PEER, "ecb(cipher_null)", "hmac(sha256)", 128) },
      IPSEC_REFUSED_NULL, 0, 0 },
    { "a bad one of somebody else, who could answer for the peer",
      { BOTH_SEALED, CBC(OTHER, LOCAL, "ecb(cipher_null)", "hmac(sha256)", 128) }, IPSEC_REFUSED_NULL, 0, 0 },
    { "a bad one to somebody else", { BOTH_SEALED, CBC(LOCAL, OTHER, "ecb(cipher_null)", "hmac(sha256)", 128) },
      IPSEC_GOOD, 0, 0 },
    { "tunnel instead of transport", { { .from = LOCAL, .to = PEER, .reqid = 7, .combined = "rfc4106(gcm(aes))",
                                         .icv_bits = 128, .mode = XFRM_MODE_TUNNEL } }, IPSEC_REFUSED_MODE, 0, 0 },
    { "transport instead of tunnel", { BOTH_SEALED }, IPSEC_REFUSED_MODE, 0, IPSEC_TUNNEL },
    { "a tunnel", { { LOCAL, PEER, 7, "rfc4106(gcm(aes))", NULL, NULL, 128, 0, XFRM_MODE_TUNNEL },
                    { PEER, LOCAL, 7, "rfc4106(gcm(aes))", NULL, NULL, 128, 0, XFRM_MODE_TUNNEL } },
      IPSEC_GOOD, 0, IPSEC_TUNNEL },
    { "AH", { { LOCAL, PEER, 7, NULL, NULL, "hmac(sha256)", 128, IPPROTO_AH, 0 },
              { PEER, LOCAL, 7, NULL, NULL, "hmac(sha256)", 128, IPPROTO_AH, 0 } }, IPSEC_NO_SA, ALL, 0 },
    { "IPv6", { SEALED("fd00::1", "fd00::2"), SEALED("fd00::2", "fd00::1") }, IPSEC_NO_SA, 0, 0 },
};
/* clang-format on */

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(span_of(text), 0, &a));
    return a;
}

static void set_name(char to[64], const char *name)
{
    if (name != NULL)
        strncpy(to, name, 63);
}

static struct association make(const struct sa *sa)
{
    struct association a = { .from = address(sa->from),
                             .to = address(sa->to),
                             .reqid = sa->reqid,
                             .protocol = sa->protocol != 0 ? sa->protocol : IPPROTO_ESP,
                             .mode = sa->mode,
                             .combined_icv_bits = sa->icv_bits,
                             .integrity_icv_bits = sa->icv_bits };
    set_name(a.combined, sa->combined);
    set_name(a.cipher, sa->cipher);
    set_name(a.integrity, sa->integrity);
    return a;
}

static enum ipsec_verdict judge(const struct sa *sas, const struct ipsec_rule *rule, const struct ipsec_pair *pair,
                                bool backwards)
{
    struct association all[6];
    const struct association *culprit = NULL;
    size_t n = 0;
    while (n < COUNT_OF(all) && sas[n].from != NULL)
        n++;
    for (size_t i = 0; i < n; i++)
        all[backwards ? n - 1 - i : i] = make(&sas[i]);
    enum ipsec_verdict v = ipsec_judge(rule, pair, all, n, &culprit);
    assert_int_equal(culprit != NULL, ipsec_is_bad(v));
    assert_int_equal(ipsec_judge(rule, pair, all, n, NULL), v);
    return v;
}

static void test_cases(void **state UNUSED)
{
    struct site_config site = { .security = SECURITY_IPSEC, .ipsec = { .reqid = 7 } };
    struct ipsec_pair pair = { .local = address(LOCAL), .peer = address(PEER) };
    pair.peer.port = 143;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        site.ipsec.mode = (enum ipsec_mode)cases[i].mode;
        struct ipsec_rule rule = ipsec_rule_of(&site);
        if (cases[i].allowed != 0)
            rule.algorithms = (uint8_t)cases[i].allowed;
        for (int backwards = 0; backwards < 2; backwards++) {
            enum ipsec_verdict got = judge(cases[i].all, &rule, &pair, backwards != 0);
            if (got != cases[i].want)
                fail_msg("%s: %s, not %s", cases[i].name, ipsec_words[got], ipsec_words[cases[i].want]);
        }
    }
}

static void test_other_family(void **state UNUSED)
{
    static const struct sa sas[] = { SEALED("fd00::1", "fd00::2"), SEALED("fd00::2", "fd00::1"), { 0 } };
    struct ipsec_rule rule = { 7, IPSEC_TRANSPORT, 1U << IPSEC_AES_GCM };
    struct ipsec_pair pair = { .local = address("fd00::1"), .peer = address("fd00::2") };
    assert_int_equal(judge(sas, &rule, &pair, false), IPSEC_GOOD);
}

static void test_rules(void **state UNUSED)
{
    const char *written[] = { "3des-sha1", "chacha20-poly1305" };
    struct site_config site = { .security = SECURITY_IPSEC, .ipsec = { .reqid = 4294967295 } };
    struct ipsec_rule rule = ipsec_rule_of(&site);
    assert_int_equal(rule.reqid, UINT32_MAX);
    assert_int_equal(rule.algorithms, 1U << IPSEC_AES_GCM | 1U << IPSEC_AES_CBC_SHA2);
    site.ipsec.algorithms = (struct strings){ .at = written, .n = COUNT_OF(written) };
    assert_int_equal(ipsec_rule_of(&site).algorithms, 1U << IPSEC_3DES_SHA1 | 1U << IPSEC_CHACHA20);
    site.security = SECURITY_TLS;
    assert_int_equal(ipsec_rule_of(&site).reqid, 0);
}

static void test_words(void **state UNUSED)
{
    char text[ASSOCIATION_TEXT_MAX];
    static const struct sa one = CBC(LOCAL, PEER, "cbc(aes)", "hmac(sha256)", 128), two = SEALED(LOCAL, PEER);
    struct association a = make(&one), b = make(&two);
    assert_string_equal(association_text(&a, text), "esp transport reqid=7 cbc(aes) hmac(sha256)");
    b.mode = XFRM_MODE_TUNNEL;
    b.protocol = IPPROTO_AH;
    assert_string_equal(association_text(&b, text), "ah tunnel reqid=7 rfc4106(gcm(aes))");
    assert_ptr_equal(ipsec_word(SPAN("no_sa")), ipsec_words[IPSEC_NO_SA]);
    assert_null(ipsec_word(SPAN("no_sa\nlevel=error")));
    assert_null(ipsec_word(SPAN_NONE));
}

/* What an admin has instead: shown in the log. */
static void test_strangers(void **state UNUSED)
{
    struct ipsec_rule rule = { 8, IPSEC_TRANSPORT, ALL };
    struct ipsec_pair pair = { .local = address(LOCAL), .peer = address(PEER) };
    static const struct sa sas[] = { SEALED(LOCAL, OTHER), SEALED(LOCAL, PEER) };
    struct association all[] = { make(&sas[0]), make(&sas[1]) };
    assert_ptr_equal(ipsec_stranger(&rule, &pair, all, 2), &all[1]);
    assert_null(ipsec_stranger(&rule, &pair, all, 1));
    rule.reqid = 7;
    assert_null(ipsec_stranger(&rule, &pair, all, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases), cmocka_unit_test(test_other_family), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_words), cmocka_unit_test(test_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
