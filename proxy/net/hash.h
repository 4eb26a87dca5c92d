/* Hashes, all OpenSSL's. */
#ifndef PROXY_NET_HASH_H
#define PROXY_NET_HASH_H

#include "proxy/base/span.h"

/* SipHash with a key that this process drew at random: for tables whose keys outsiders choose. */
uint64_t hash_keyed(struct span bytes);

/* The same with a key of the caller's, 16 bytes: where several processes must agree. */
uint64_t hash_with(const unsigned char key[16], struct span bytes);

/* The same on every machine and in every version (the first 8 bytes of SHA-256, little endian): for choices on which
 * many front ends must agree without talking, and for names of things across restarts. */
uint64_t hash_stable(struct span bytes);

/* HMAC-SHA256: where a hash must tell nothing and fit nothing else. */
enum { MAC_KEY_BYTES = 32, MAC_BYTES = 32 };
void mac_of(const unsigned char key[MAC_KEY_BYTES], struct span bytes, unsigned char mac[MAC_BYTES]);

/* Cryptographic random bytes; aborts when the system has none. */
void random_bytes(void *to, size_t n);

#endif
