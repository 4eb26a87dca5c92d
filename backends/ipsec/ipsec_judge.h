/* Is what the kernel would put a connection into worth a password? A template of a policy cannot tell: null encryption
 * and GMAC satisfy it. So the associations themselves are looked at (RFC 4301, 4303; names of algorithms are the
 * kernel's). Pure: no socket, no clock, and no key ever gets here. */
#ifndef BACKENDS_IPSEC_IPSEC_JUDGE_H
#define BACKENDS_IPSEC_IPSEC_JUDGE_H

#include "config/config.h"

/* One security association, as the kernel tells it, without its keys. */
struct association {
    struct addr from, to; /* of the outer header; ports are 0 */
    uint32_t spi, reqid;
    uint8_t protocol;                             /* IPPROTO_ESP, IPPROTO_AH … */
    uint8_t mode;                                 /* XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL … */
    char combined[64], cipher[64], integrity[64]; /* "rfc4106(gcm(aes))"; "cbc(aes)", "hmac(sha256)"; "": none */
    uint32_t combined_icv_bits, integrity_icv_bits;
};

/* What the connections of a site demand. */
struct ipsec_rule {
    uint32_t reqid; /* 0: the site knows no IPsec */
    uint8_t mode;   /* enum ipsec_mode */
    uint8_t algorithms;
};
static_assert(IPSEC_ALGORITHMS <= 8, "a set of algorithms is one byte of a message");

struct ipsec_rule ipsec_rule_of(const struct site_config *site);

/* The two ends of a connection. */
struct ipsec_pair {
    struct addr local, peer;
};

enum ipsec_verdict {
    IPSEC_GOOD,
    IPSEC_NO_SA,   /* nothing leaves: an IKE daemon may be negotiating */
    IPSEC_ONE_WAY, /* the same, half done */
    IPSEC_REFUSED_NULL,
    IPSEC_REFUSED_INTEGRITY, /* encrypted, but anybody may change it */
    IPSEC_REFUSED_ALGORITHM, /* not one of those that the site allows */
    IPSEC_REFUSED_MODE,
    IPSEC_UNREADABLE, /* the kernel does not tell its associations */
    IPSEC_UNGUARDED,  /* not a connection that this process protects */
    IPSEC_VERDICTS
};

/* "good", "no_sa", "one_way", "refused_null" … for logs and messages. */
extern const char *const ipsec_words[IPSEC_VERDICTS];
const char *ipsec_word(struct span text); /* the same word of our own, or NULL: not one of them */

/* Must the connection end? No association at all only makes it wait, for the kernel lets nothing out. */
bool ipsec_is_bad(enum ipsec_verdict v);

/* Every association that the kernel could use for this pair and reqid must be good, not any one; what is still being
 * negotiated (it has no algorithm yet) does not count.
 *   culprit  the first one to blame, or NULL; may be NULL itself */
enum ipsec_verdict ipsec_judge(const struct ipsec_rule *rule, const struct ipsec_pair *pair,
                               const struct association *all, size_t n, const struct association **culprit);

/* "esp transport reqid=7 rfc4106(gcm(aes))", for a log line. */
enum { ASSOCIATION_TEXT_MAX = 256 };
const char *association_text(const struct association *a, char text[ASSOCIATION_TEXT_MAX]);

/* The first association between the two that is not the rule's (another reqid, another mode, AH), or NULL: what an
 * admin has instead of what the site wants. */
const struct association *ipsec_stranger(const struct ipsec_rule *rule, const struct ipsec_pair *pair,
                                         const struct association *all, size_t n);

#endif
