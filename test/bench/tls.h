/* TLS contexts of the bench's programs: version 1.2 and up, OpenSSL's own ciphers, small buffers. A file that cannot be
 * read ends the program with a sentence. */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <openssl/ssl.h>

SSL_CTX *tls_server(const char *chain, const char *key);

/* ca NULL: whatever certificate is believed. on_ticket: see SSL_CTX_sess_set_new_cb. */
SSL_CTX *tls_client(const char *ca, int (*on_ticket)(SSL *, SSL_SESSION *));

#endif
