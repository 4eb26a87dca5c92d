/* The judgement: a table of what algorithms are worth, and who may use an association. */
#include "backends/ipsec/ipsec_judge.h"

#include <inttypes.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdio.h>

enum { ICV_BITS_LEAST = 96 };

const char *const ipsec_words[IPSEC_VERDICTS] = {
    [IPSEC_GOOD] = "good",
    [IPSEC_NO_SA] = "no_sa",
    [IPSEC_ONE_WAY] = "one_way",
    [IPSEC_REFUSED_NULL] = "refused_null",
    [IPSEC_REFUSED_INTEGRITY] = "refused_integrity",
    [IPSEC_REFUSED_ALGORITHM] = "refused_algorithm",
    [IPSEC_REFUSED_MODE] = "refused_mode",
    [IPSEC_UNREADABLE] = "unreadable",
    [IPSEC_UNGUARDED] = "unguarded",
};

const char *ipsec_word(struct span text)
{
    for (size_t i = 0; i < IPSEC_VERDICTS; i++)
        if (span_eq(text, span_of(ipsec_words[i])))
            return ipsec_words[i];
    return NULL;
}

bool ipsec_is_bad(enum ipsec_verdict v)
{
    return v != IPSEC_GOOD && v != IPSEC_NO_SA && v != IPSEC_ONE_WAY;
}

struct ipsec_rule ipsec_rule_of(const struct site_config *site)
{
    if (site->security != SECURITY_IPSEC)
        return (struct ipsec_rule){ 0 };
    return (struct ipsec_rule){ .reqid = (uint32_t)site->ipsec.reqid,
                                .mode = (uint8_t)site->ipsec.mode,
                                .algorithms = (uint8_t)ipsec_algorithms(&site->ipsec) };
}

/* ---- algorithms ---- */

/* What the kernel calls them, and what a site calls both together. The rest is not known here and not trusted. */
static const struct {
    const char *combined, *cipher, *integrity;
    enum ipsec_algorithm is;
} worthy[] = {
    {"rfc4106(gcm(aes))",              "",              "",             IPSEC_AES_GCM     },
    { "rfc7539esp(chacha20,poly1305)", "",              "",             IPSEC_CHACHA20    },
    { "",                              "cbc(aes)",      "hmac(sha256)", IPSEC_AES_CBC_SHA2},
    { "",                              "cbc(aes)",      "hmac(sha384)", IPSEC_AES_CBC_SHA2},
    { "",                              "cbc(aes)",      "hmac(sha512)", IPSEC_AES_CBC_SHA2},
    { "",                              "cbc(aes)",      "hmac(sha1)",   IPSEC_AES_CBC_SHA1},
    { "",                              "cbc(des3_ede)", "hmac(sha1)",   IPSEC_3DES_SHA1   },
};

static bool hides_nothing(const struct association *a)
{
    return strstr(a->cipher, "cipher_null") != NULL || strstr(a->combined, "rfc4543") != NULL;
}

static bool proves_nothing(const struct association *a)
{
    return a->combined[0] == '\0' && (a->integrity[0] == '\0' || strstr(a->integrity, "digest_null") != NULL);
}

static enum ipsec_verdict judge_algorithm(const struct association *a, unsigned allowed)
{
    if (hides_nothing(a))
        return IPSEC_REFUSED_NULL;
    if (proves_nothing(a))
        return IPSEC_REFUSED_INTEGRITY;
    uint32_t icv_bits = a->combined[0] != '\0' ? a->combined_icv_bits : a->integrity_icv_bits;
    for (size_t i = 0; i < COUNT_OF(worthy); i++)
        if (strcmp(a->combined, worthy[i].combined) == 0 && strcmp(a->cipher, worthy[i].cipher) == 0 &&
            strcmp(a->integrity, worthy[i].integrity) == 0)
            return (allowed & 1U << worthy[i].is) != 0 && icv_bits >= ICV_BITS_LEAST ? IPSEC_GOOD
                                                                                     : IPSEC_REFUSED_ALGORITHM;
    return IPSEC_REFUSED_ALGORITHM;
}

/* ---- who may use it ---- */

static bool same(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

static bool is_out(const struct association *a, const struct ipsec_pair *pair)
{
    return same(&a->to, &pair->peer) &&
           (same(&a->from, &pair->local) || (a->from.family == pair->local.family && addr_is_wildcard(&a->from)));
}

/* Of what comes in, the kernel asks neither who sealed it nor whether that is who the packet says it is from: whoever
 * holds an association of the reqid can speak for the peer. */
static bool is_in(const struct association *a, const struct ipsec_pair *pair)
{
    return same(&a->to, &pair->local);
}

static bool is_from_peer(const struct association *a, const struct ipsec_pair *pair)
{
    return same(&a->from, &pair->peer) || (a->from.family == pair->peer.family && addr_is_wildcard(&a->from));
}

static bool is_unfinished(const struct association *a)
{
    return a->combined[0] == '\0' && a->cipher[0] == '\0' && a->integrity[0] == '\0';
}

static uint8_t kernel_mode(const struct ipsec_rule *rule)
{
    return rule->mode == IPSEC_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
}

static bool is_concerned(const struct ipsec_rule *rule, const struct ipsec_pair *pair, const struct association *a)
{
    return a->reqid == rule->reqid && a->protocol == IPPROTO_ESP && !is_unfinished(a) &&
           (is_out(a, pair) || is_in(a, pair));
}

enum ipsec_verdict ipsec_judge(const struct ipsec_rule *rule, const struct ipsec_pair *pair,
                               const struct association *all, size_t n, const struct association **culprit)
{
    bool out = false, in = false;
    for (size_t i = 0; i < n; i++) {
        const struct association *a = &all[i];
        if (!is_concerned(rule, pair, a))
            continue;
        enum ipsec_verdict v = a->mode != kernel_mode(rule) ? IPSEC_REFUSED_MODE : judge_algorithm(a, rule->algorithms);
        if (culprit != NULL)
            *culprit = a;
        if (v != IPSEC_GOOD)
            return v;
        out |= is_out(a, pair);
        in |= is_in(a, pair) && is_from_peer(a, pair);
    }
    if (culprit != NULL)
        *culprit = NULL;
    return out && in ? IPSEC_GOOD : out || in ? IPSEC_ONE_WAY : IPSEC_NO_SA;
}

const struct association *ipsec_stranger(const struct ipsec_rule *rule, const struct ipsec_pair *pair,
                                         const struct association *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_unfinished(&all[i]) &&
            (is_out(&all[i], pair) || (is_in(&all[i], pair) && is_from_peer(&all[i], pair))) &&
            !is_concerned(rule, pair, &all[i]))
            return &all[i];
    return NULL;
}

const char *association_text(const struct association *a, char text[ASSOCIATION_TEXT_MAX])
{
    static const char *const modes[] = { [XFRM_MODE_TRANSPORT] = "transport", [XFRM_MODE_TUNNEL] = "tunnel" };
    const char *mode = a->mode < COUNT_OF(modes) ? modes[a->mode] : "other";
    const char *protocol = a->protocol == IPPROTO_ESP ? "esp" : a->protocol == IPPROTO_AH ? "ah" : "other";
    snprintf(text, ASSOCIATION_TEXT_MAX, "%s %s reqid=%" PRIu32 "%s%s%s%s%s%s", protocol, mode, a->reqid,
             a->combined[0] != '\0' ? " " : "", a->combined, a->cipher[0] != '\0' ? " " : "", a->cipher,
             a->integrity[0] != '\0' ? " " : "", a->integrity);
    return text;
}
