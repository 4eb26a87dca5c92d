/* For the files of proxy/net that speak OpenSSL. */
#ifndef PROXY_NET_TLS_SSL_H
#define PROXY_NET_TLS_SSL_H

#include <openssl/ssl.h>

#include "proxy/net/tls.h"

SSL *tls_server_ssl(struct tls_server *tls);
SSL *tls_client_ssl(struct tls_client *tls, const char *host, uint64_t member);
bool tls_client_accepts(SSL *ssl, const char **why); /* after the handshake: the pin */

SSL_CTX *tls_context(bool server, int min_version, const char *ciphers, struct buf *why);
bool tls_load_certificate(SSL_CTX *ctx, const struct tls_certificate *c, struct buf *why);
bool tls_leaf_facts(X509 *leaf, int64_t *ends_s, struct buf *names); /* NULL: false */
bool tls_tickets_use(SSL_CTX *ctx);
void tls_say(struct buf *why, const char *format, ...) PRINTF_LIKE(2, 3); /* a line; what does not fit is dropped */
const char *tls_error(void); /* the oldest error in OpenSSL's queue as static text; empties the queue */

#endif
