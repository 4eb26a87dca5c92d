/* What OpenSSL reads and writes through: the connection's descriptor, and whether more follows at once. A TCP segment
 * is what a record costs most on its way; those that belong together leave in one. */
#ifndef PROXY_NET_TLS_SOCKET_H
#define PROXY_NET_TLS_SOCKET_H

#include <openssl/ssl.h>

#include "proxy/base/check.h"

struct tls_socket {
    int fd;
    bool more; /* what is written now is soon followed by something: the kernel may wait for it, 200 ms at most */
    bool held; /* it does, perhaps */
};

bool tls_socket_use(SSL *ssl, struct tls_socket *s) MUST_CHECK; /* borrows s until the SSL is freed; false: no memory */
void tls_socket_push(struct tls_socket *s);                     /* nothing follows: what is held leaves now */

#endif
