/* TLS towards a site: who it must be (RFC 6125: the host name or an IP SAN, never the subject; or a pinned key), and
 * the sessions that its members gave us, one use each for TLS 1.3 (RFC 8446 C.4). */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "proxy/net/tls_ssl.h"

enum { MEMBERS_MAX = 64, SESSIONS_MAX = 4, PIN_BYTES = 32 };

struct member_sessions {
    uint64_t member;
    SSL_SESSION *at[SESSIONS_MAX];
    size_t n;
};

struct tls_client {
    SSL_CTX *ctx;
    bool verify, pinned;
    char *verify_name; /* "" for the host */
    unsigned char pin[PIN_BYTES];
    unsigned char alpn[16];
    struct member_sessions members[MEMBERS_MAX];
    size_t n_members;
};

/* SSL_get_app_data: which member's session this is. */
struct client_use {
    struct tls_client *tls;
    uint64_t member;
};

/* ---- sessions ---- */

static struct member_sessions *sessions_of(struct tls_client *tls, uint64_t member)
{
    for (size_t i = 0; i < tls->n_members; i++)
        if (tls->members[i].member == member)
            return &tls->members[i];
    if (tls->n_members == MEMBERS_MAX)
        return NULL;
    tls->members[tls->n_members].member = member;
    return &tls->members[tls->n_members++];
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    const struct client_use *use = SSL_get_app_data(ssl);
    struct member_sessions *kept = use != NULL ? sessions_of(use->tls, use->member) : NULL;
    if (kept == NULL)
        return 0;
    if (kept->n == SESSIONS_MAX) {
        SSL_SESSION_free(kept->at[0]);
        memmove(&kept->at[0], &kept->at[1], (SESSIONS_MAX - 1) * sizeof(SSL_SESSION *));
        kept->n--;
    }
    kept->at[kept->n++] = session;
    return 1; /* the reference is ours now */
}

static void resume(struct tls_client *tls, SSL *ssl, uint64_t member)
{
    struct member_sessions *kept = sessions_of(tls, member);
    if (kept == NULL || kept->n == 0)
        return;
    SSL_SESSION *session = kept->at[kept->n - 1];
    SSL_set_session(ssl, session);
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return; /* an older one may be used many times at once */
    SSL_SESSION_free(session);
    kept->n--;
}

/* ---- trust ---- */

static bool add_cas(SSL_CTX *ctx, const struct tls_client_order *order, struct buf *why)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    BIO *pem = BIO_new_mem_buf(order->ca.at != NULL ? order->ca.at : "", (int)order->ca.n);
    X509 *ca;
    size_t n = 0;
    while (pem != NULL && (ca = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL)) != NULL) {
        n += X509_STORE_add_cert(store, ca) == 1;
        X509_free(ca);
    }
    ERR_clear_error();
    BIO_free(pem);
    if (n == 0)
        tls_say(why, "%s: no CA certificate in PEM was found in it", order->ca_name);
    return n > 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool pin_from_hex(const char *text, unsigned char pin[PIN_BYTES])
{
    for (size_t i = 0; i < PIN_BYTES; i++) {
        int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        pin[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* 64 hexadecimal digits, or 44 characters of base64. */
static bool read_pin(struct tls_client *tls, const char *text)
{
    unsigned char decoded[PIN_BYTES + 3];
    size_t n = strlen(text);
    if (n == 2 * (size_t)PIN_BYTES)
        return pin_from_hex(text, tls->pin);
    if (n != 44 || EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)n) != PIN_BYTES + 1)
        return false;
    memcpy(tls->pin, decoded, PIN_BYTES);
    return true;
}

static bool set_trust(struct tls_client *tls, const struct tls_client_order *order, struct buf *why)
{
    tls->pinned = order->pin_sha256[0] != '\0';
    tls->verify = order->verify && !tls->pinned;
    if (tls->pinned && !read_pin(tls, order->pin_sha256)) {
        tls_say(why, "pin_sha256 \"%s\": 64 hexadecimal digits or 44 characters of base64 were expected",
                order->pin_sha256);
        return false;
    }
    SSL_CTX_set_verify(tls->ctx, tls->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return !tls->verify || add_cas(tls->ctx, order, why);
}

static bool key_matches(const struct tls_client *tls, X509 *leaf)
{
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    int n = leaf != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der) : 0;
    bool same = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1 &&
                CRYPTO_memcmp(digest, tls->pin, PIN_BYTES) == 0;
    OPENSSL_free(der);
    return same;
}

bool tls_client_accepts(SSL *ssl, const char **why)
{
    const struct client_use *use = SSL_get_app_data(ssl);
    if (use->tls->pinned && !key_matches(use->tls, SSL_get0_peer_certificate(ssl))) {
        *why = "pin does not match";
        return false;
    }
    return true;
}

/* ---- contexts ---- */

static void free_use(void *parent UNUSED, void *use, CRYPTO_EX_DATA *data UNUSED, int index UNUSED, long number UNUSED,
                     void *arg UNUSED)
{
    free(use);
}

struct tls_client *tls_client_new(const struct tls_client_order *order, struct buf *why)
{
    struct tls_client *tls = calloc(1, sizeof *tls);
    char *name = tls != NULL ? span_copy(span_of(order->verify_name)) : NULL;
    if (name == NULL) {
        free(tls);
        tls_say(why, "no memory");
        return NULL;
    }
    tls->verify_name = name;
    tls->alpn[0] = (unsigned char)strlen(order->alpn);
    memcpy(tls->alpn + 1, order->alpn, tls->alpn[0]);
    tls->ctx = tls_context(false, order->min_version, order->ciphers, why);
    if (tls->ctx == NULL || !set_trust(tls, order, why)) {
        tls_client_free(&tls);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls->ctx, on_new_session);
    SSL_CTX_set_alpn_protos(tls->ctx, tls->alpn, tls->alpn[0] + 1U);
    return tls;
}

void tls_client_free(struct tls_client **pointer)
{
    struct tls_client *tls = *pointer;
    if (tls == NULL)
        return;
    *pointer = NULL;
    for (size_t i = 0; i < tls->n_members; i++)
        for (size_t k = 0; k < tls->members[i].n; k++)
            SSL_SESSION_free(tls->members[i].at[k]);
    SSL_CTX_free(tls->ctx);
    free(tls->verify_name);
    free(tls);
}

static bool set_name(const struct tls_client *tls, SSL *ssl, const char *host)
{
    struct addr literal;
    const char *name = tls->verify_name[0] != '\0' ? tls->verify_name : host;
    bool is_literal = addr_parse(span_of(name), 0, &literal);
    if (!is_literal && SSL_set_tlsext_host_name(ssl, name) != 1)
        return false;
    if (!tls->verify)
        return true;
    if (is_literal)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1;
}

SSL *tls_client_ssl(struct tls_client *tls, const char *host, uint64_t member)
{
    static int slot = -1; /* app data lives in slot 0 and is not freed by OpenSSL; this one frees it */
    if (slot < 0)
        slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_use);
    SSL *ssl = SSL_new(tls->ctx);
    struct client_use *use = ssl != NULL ? malloc(sizeof *use) : NULL;
    if (use == NULL || SSL_set_ex_data(ssl, slot, use) != 1) {
        free(use);
        SSL_free(ssl);
        return NULL;
    }
    *use = (struct client_use){ tls, member };
    SSL_set_app_data(ssl, use);
    if (!set_name(tls, ssl, host)) {
        SSL_free(ssl);
        return NULL;
    }
    resume(tls, ssl, member);
    return ssl;
}
