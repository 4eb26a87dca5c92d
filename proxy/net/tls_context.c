/* What servers and clients share: the safe settings, PEM from memory, errors as words (RFC 8996, 9325). */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>

#include "proxy/net/tls_ssl.h"

const char *tls_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

void tls_say(struct buf *why, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0 && !buf_printf(why, "%s\n", text))
        return; /* the bound is the caller's: enough has been said */
}

const char *tls_error(void)
{
    unsigned long code = ERR_get_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason != NULL ? reason : "TLS failed";
}

SSL_CTX *tls_context(bool server, int min_version, const char *ciphers, struct buf *why)
{
    static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (ctx == NULL) {
        tls_say(why, "TLS cannot start: %s", tls_error());
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, versions[min_version]);
    if (min_version < 2)
        SSL_CTX_set_security_level(ctx, 0); /* OpenSSL 3 has no TLS 1.0 and 1.1 above it */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_NO_AUTO_CHAIN /* what the file has, no search at each handshake */ |
                              SSL_MODE_RELEASE_BUFFERS /* whoever waits for bytes holds no buffer; see tls_pool.h */);
    SSL_CTX_set_read_ahead(ctx, 1);
    if (ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
        tls_say(why, "tls_ciphers \"%s\" names no cipher that OpenSSL has", ciphers);
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static BIO *bio_of(struct span bytes)
{
    return BIO_new_mem_buf(bytes.at != NULL ? bytes.at : "", (int)bytes.n);
}

/* No terminal is ever asked for a passphrase. */
static int no_passphrase(char *to UNUSED, int room UNUSED, int writing UNUSED, void *ignored UNUSED)
{
    return -1;
}

static bool use_chain(SSL_CTX *ctx, const struct tls_certificate *c, struct buf *why)
{
    BIO *pem = bio_of(c->chain);
    X509 *leaf = pem != NULL ? PEM_read_bio_X509_AUX(pem, NULL, no_passphrase, NULL) : NULL;
    bool good = leaf != NULL && SSL_CTX_use_certificate(ctx, leaf) == 1;
    if (!good)
        tls_say(why, "%s: no usable certificate in PEM was found in it: %s", c->chain_name, tls_error());
    X509_free(leaf);
    while (good) {
        X509 *next = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
        if (next == NULL)
            break;
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
            X509_free(next);
            tls_say(why, "%s: a certificate of the chain cannot be used: %s", c->chain_name, tls_error());
            good = false;
        }
    }
    ERR_clear_error(); /* the end of the file is an error to OpenSSL */
    BIO_free(pem);
    return good;
}

static bool use_key(SSL_CTX *ctx, const struct tls_certificate *c, struct buf *why)
{
    BIO *pem = bio_of(c->key);
    EVP_PKEY *key = pem != NULL ? PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL) : NULL;
    bool good = key != NULL;
    if (!good)
        tls_say(why, "%s: no private key in PEM without a passphrase was found in it", c->key_name);
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        tls_say(why, "%s: the key does not belong to the certificate in %s", c->key_name, c->chain_name);
        good = false;
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    BIO_free(pem);
    return good;
}

bool tls_load_certificate(SSL_CTX *ctx, const struct tls_certificate *c, struct buf *why)
{
    return use_chain(ctx, c, why) && use_key(ctx, c, why);
}

bool tls_certificate_check(const struct tls_certificate *c, struct buf *why, struct buf *warning)
{
    SSL_CTX *ctx = tls_context(true, 2, "", why);
    bool good = ctx != NULL && tls_load_certificate(ctx, c, why);
    if (good) {
        int days = 0, seconds = 0;
        const ASN1_TIME *end = X509_get0_notAfter(SSL_CTX_get0_certificate(ctx));
        if (ASN1_TIME_diff(&days, &seconds, NULL, end) == 1 && (days < 0 || seconds < 0))
            tls_say(warning, "%s: the certificate has expired", c->chain_name);
        else if (days < 7)
            tls_say(warning, "%s: the certificate expires in %d days", c->chain_name, days);
    }
    SSL_CTX_free(ctx);
    return good;
}

bool tls_ca_check(const char *name, struct span ca, struct buf *why)
{
    struct tls_client *tls = tls_client_new(&(struct tls_client_order){ .ca_name = name,
                                                                        .ca = ca,
                                                                        .verify = true,
                                                                        .verify_name = "",
                                                                        .pin_sha256 = "",
                                                                        .min_version = 2,
                                                                        .ciphers = "",
                                                                        .alpn = "imap" },
                                            why);
    bool good = tls != NULL;
    tls_client_free(&tls);
    return good;
}
