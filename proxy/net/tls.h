/* TLS contexts: one tls_server for each listener's settings, one tls_client for each site. All files come as bytes from
 * the bundle; nothing here opens anything. */
#ifndef PROXY_NET_TLS_H
#define PROXY_NET_TLS_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"

struct tls_server;
struct tls_client;

enum { TLS_CERTIFICATES_MAX = 64 };

/* A chain and its key, PEM, borrowed; the name is for messages. */
struct tls_certificate {
    const char *chain_name, *key_name;
    struct span chain, key;
};

struct tls_server_order {
    const struct tls_certificate *certificates; /* the first is the default; SNI picks by the DNS names inside */
    size_t n_certificates;
    int min_version;             /* 0 … 3 for TLS 1.0 … 1.3 */
    const char *ciphers;         /* for TLS 1.2 and below; "" for ECDHE with AEAD */
    const char *alpn;            /* "imap", "pop3": the only protocol that is accepted; none offered is fine (ALPACA) */
    struct span session_context; /* what binds tickets: the listener's address and so on */
};

struct tls_client_order {
    const char *ca_name; /* for messages */
    struct span ca;      /* PEM, borrowed; unused without verification */
    bool verify;
    const char *verify_name; /* "": the host */
    const char *pin_sha256;  /* "": none; else the pin alone decides, and no CA is asked */
    int min_version;
    const char *ciphers; /* "" for OpenSSL's own list */
    const char *alpn;
};

/* NULL: *why says what was wrong, in one line that names the file. Owned by the caller. Conns keep what they use of a
 * server alive; a client must outlive its conns, which give it their tickets.
 */
struct tls_server *tls_server_new(const struct tls_server_order *order, struct buf *why);
void tls_server_free(struct tls_server **tls);
struct tls_client *tls_client_new(const struct tls_client_order *order, struct buf *why);
void tls_client_free(struct tls_client **tls);

/* Do chain and key load and match? Adds one line to `why` if not. When the leaf expires within days, adds a line to
 * `warning`. */
bool tls_certificate_check(const struct tls_certificate *c, struct buf *why, struct buf *warning) MUST_CHECK;
bool tls_ca_check(const char *name, struct span ca, struct buf *why) MUST_CHECK;

/* Ticket keys of this process, for all its servers: n times TLS_TICKET_KEY bytes; the first encrypts, all decrypt.
 * Copied, wiped. */
enum { TLS_TICKET_KEY = 80 };
void tls_ticket_keys(struct span keys);

const char *tls_library_version(void);

#endif
