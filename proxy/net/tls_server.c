/* TLS towards clients: a context a name set, chosen by SNI (RFC 6066 3), one ALPN protocol (RFC 7301), tickets bound to
 * the listener and its certificates. RSA and ECDSA certificates for the same names share a context, and OpenSSL picks.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "proxy/net/hash.h"
#include "proxy/net/tls_ssl.h"

/* 128 bits first, as Mozilla's recommendation has it: AES-128-GCM with SHA-256 is as safe as anybody needs, and SHA-384
 * costs twice as much of a handshake's many small hashes where the processor has instructions for SHA-256. */
static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char default_ciphers[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
/* No finite-field groups: a handshake with ffdhe8192 costs a hundred ordinary ones. */
static const char groups[] = "X25519:P-256:P-384";

enum { NAMES_MAX = 256, NAME_BYTES_MAX = 253 };

struct server_name {
    char *name; /* lower case; "*.example.com" for a wildcard */
    SSL_CTX *ctx;
};

struct tls_server {
    size_t users; /* its owner and every SSL: callbacks of a handshake may still come after a reload */
    SSL_CTX *contexts[TLS_CERTIFICATES_MAX]; /* the first is the default */
    size_t n_contexts;
    struct server_name names[NAMES_MAX];
    size_t n_names;
    char alpn[16]; /* in wire form: a length byte first */
};

/* ---- names ---- */

static bool name_matches(const struct server_name *row, struct span asked)
{
    struct span name = span_of(row->name);
    if (!span_starts(name, SPAN("*.")))
        return span_eq_nocase(name, asked);
    ptrdiff_t dot = span_find(asked, '.');
    return dot > 0 && span_eq_nocase(span_after(asked, (size_t)dot), span_after(name, 1));
}

static SSL_CTX *find_context(const struct tls_server *tls, struct span asked)
{
    for (size_t i = 0; i < tls->n_names; i++)
        if (name_matches(&tls->names[i], asked))
            return tls->names[i].ctx;
    return NULL;
}

/* An unknown name gets the default certificate: many mail programs send none, or an old one. */
static int on_server_name(SSL *ssl, int *alert UNUSED, void *arg)
{
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (asked == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX *ctx = find_context(arg, span_of(asked));
    if (ctx == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

static bool add_name(struct tls_server *tls, SSL_CTX *ctx, const ASN1_STRING *value)
{
    struct span name = span_bytes(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (name.n == 0 || name.n > NAME_BYTES_MAX || span_has(name, '\0') || tls->n_names == NAMES_MAX)
        return true;
    if (find_context(tls, name) != NULL)
        return true; /* the first certificate of the configuration wins */
    char *copy = span_copy(name);
    if (copy == NULL)
        return false;
    tls->names[tls->n_names++] = (struct server_name){ copy, ctx };
    return true;
}

static bool add_names(struct tls_server *tls, SSL_CTX *ctx)
{
    bool good = true;
    GENERAL_NAMES *names = X509_get_ext_d2i(SSL_CTX_get0_certificate(ctx), NID_subject_alt_name, NULL, NULL);
    for (int i = 0; good && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            good = add_name(tls, ctx, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    return good;
}

/* ---- ALPN ---- */

static int on_alpn(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_n, const unsigned char *offered,
                   unsigned int offered_n, void *arg)
{
    const struct tls_server *tls = arg;
    const unsigned char *ours = (const unsigned char *)tls->alpn;
    for (unsigned int i = 0; i < offered_n; i += 1U + offered[i]) {
        if (i + 1U + offered[i] > offered_n)
            break;
        if (offered[i] == ours[0] && memcmp(offered + i + 1, ours + 1, ours[0]) == 0) {
            *out = offered + i + 1;
            *out_n = offered[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- contexts ---- */

/* Do the two certificates have the same first name, and different kinds of key? Then they are one identity. */
static SSL_CTX *twin_of(const struct tls_server *tls, const struct tls_certificate *c,
                        const struct tls_server_order *order)
{
    struct buf ignored;
    SSL_CTX *twin = NULL;
    buf_init(&ignored, 1024);
    SSL_CTX *probe = tls_context(true, order->min_version, "", &ignored);
    if (probe != NULL && tls_load_certificate(probe, c, &ignored)) {
        struct tls_server *alone = calloc(1, sizeof *alone);
        if (alone != NULL)
            alone->users = 1;
        X509 *leaf = SSL_CTX_get0_certificate(probe);
        if (alone != NULL && add_names(alone, probe) && alone->n_names > 0) {
            twin = find_context(tls, span_of(alone->names[0].name));
            if (twin != NULL && EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_CTX_get0_certificate(twin))) ==
                                    EVP_PKEY_get_base_id(X509_get0_pubkey(leaf)))
                twin = NULL;
        }
        tls_server_free(&alone);
    }
    SSL_CTX_free(probe);
    buf_fini(&ignored);
    return twin;
}

static bool set_session_context(SSL_CTX *ctx, const struct tls_server_order *order)
{
    struct buf all;
    uint64_t id[2] = { 0 };
    buf_init(&all, 1 << 20);
    bool good = buf_add(&all, order->session_context);
    for (size_t i = 0; good && i < order->n_certificates; i++)
        good = buf_add(&all, order->certificates[i].chain);
    id[0] = hash_stable(buf_span(&all));
    id[1] = hash_stable(order->session_context);
    buf_fini(&all);
    return good && SSL_CTX_set_session_id_context(ctx, (const unsigned char *)id, sizeof id) == 1;
}

static SSL_CTX *new_context(struct tls_server *tls, const struct tls_server_order *order, struct buf *why)
{
    const char *ciphers = order->ciphers[0] != '\0' ? order->ciphers : default_ciphers;
    SSL_CTX *ctx = tls_context(true, order->min_version, ciphers, why);
    if (ctx == NULL)
        return NULL;
    tls->contexts[tls->n_contexts++] = ctx;
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_ciphersuites(ctx, suites);
    SSL_CTX_set1_groups_list(ctx, groups);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, tls);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, tls);
    if (tls_tickets_use(ctx) && set_session_context(ctx, order))
        return ctx;
    tls_say(why, "TLS tickets cannot be set up: %s", tls_error());
    return NULL;
}

static bool add_certificate(struct tls_server *tls, const struct tls_server_order *order,
                            const struct tls_certificate *c, struct buf *why)
{
    SSL_CTX *ctx = twin_of(tls, c, order);
    bool shared = ctx != NULL;
    if (!shared)
        ctx = new_context(tls, order, why);
    if (ctx == NULL || !tls_load_certificate(ctx, c, why))
        return false;
    return shared || add_names(tls, ctx);
}

struct tls_server *tls_server_new(const struct tls_server_order *order, struct buf *why)
{
    struct tls_server *tls = calloc(1, sizeof *tls);
    if (tls == NULL || order->n_certificates == 0 || order->n_certificates > TLS_CERTIFICATES_MAX) {
        tls_say(why, "TLS needs 1 to %d certificates", TLS_CERTIFICATES_MAX);
        free(tls);
        return NULL;
    }
    tls->users = 1;
    tls->alpn[0] = (char)strlen(order->alpn);
    memcpy(tls->alpn + 1, order->alpn, (size_t)tls->alpn[0]);
    for (size_t i = 0; i < order->n_certificates; i++)
        if (!add_certificate(tls, order, &order->certificates[i], why)) {
            tls_server_free(&tls);
            return NULL;
        }
    return tls;
}

static void release(struct tls_server *tls)
{
    if (--tls->users > 0)
        return;
    for (size_t i = 0; i < tls->n_contexts; i++)
        SSL_CTX_free(tls->contexts[i]);
    for (size_t i = 0; i < tls->n_names; i++)
        free(tls->names[i].name);
    free(tls);
}

void tls_server_free(struct tls_server **tls)
{
    if (*tls != NULL)
        release(*tls);
    *tls = NULL;
}

static void on_ssl_free(void *parent UNUSED, void *tls, CRYPTO_EX_DATA *data UNUSED, int index UNUSED,
                        long number UNUSED, void *arg UNUSED)
{
    if (tls != NULL)
        release(tls);
}

SSL *tls_server_ssl(struct tls_server *tls)
{
    static int slot = -1;
    if (slot < 0)
        slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
    SSL *ssl = SSL_new(tls->contexts[0]);
    if (ssl == NULL || SSL_set_ex_data(ssl, slot, tls) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    tls->users++;
    return ssl;
}
