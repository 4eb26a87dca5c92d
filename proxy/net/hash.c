/* Hashes by OpenSSL. The SipHash context is fetched and keyed once; a use of it is an init without key. */
#include "proxy/net/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

static EVP_MAC_CTX *siphash;

static void give_up(const char *what)
{
    fprintf(stderr, "homeward: OpenSSL cannot do %s\n", what);
    abort();
}

void random_bytes(void *to, size_t n)
{
    if (n > INT32_MAX || RAND_bytes(to, (int)n) != 1)
        give_up("random numbers");
}

/* With a random key of its own. */
static EVP_MAC_CTX *siphash_open(void)
{
    unsigned char key[16];
    size_t bytes = sizeof(uint64_t);
    OSSL_PARAM size[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &bytes), OSSL_PARAM_END };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    random_bytes(key, sizeof key);
    if (context == NULL || EVP_MAC_init(context, key, sizeof key, size) != 1)
        give_up("SipHash");
    EVP_MAC_free(mac);
    return context;
}

static uint64_t siphash_of(EVP_MAC_CTX *context, const unsigned char *key, struct span bytes)
{
    unsigned char out[sizeof(uint64_t)];
    size_t n;
    uint64_t value;
    if (EVP_MAC_init(context, key, key != NULL ? 16 : 0, NULL) != 1 ||
        EVP_MAC_update(context, (const unsigned char *)bytes.at, bytes.n) != 1 ||
        EVP_MAC_final(context, out, &n, sizeof out) != 1)
        give_up("SipHash");
    memcpy(&value, out, sizeof value);
    return value;
}

uint64_t hash_keyed(struct span bytes)
{
    if (siphash == NULL)
        siphash = siphash_open();
    return siphash_of(siphash, NULL, bytes);
}

uint64_t hash_with(const unsigned char key[16], struct span bytes)
{
    static EVP_MAC_CTX *other; /* the one above keeps its own key */
    if (other == NULL)
        other = siphash_open();
    return siphash_of(other, key, bytes);
}

uint64_t hash_stable(struct span bytes)
{
    static EVP_MD *sha256; /* fetched once: an implicit fetch at every use costs more than the hash */
    unsigned char out[EVP_MAX_MD_SIZE];
    uint64_t value = 0;
    if (sha256 == NULL)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (sha256 == NULL || EVP_Digest(bytes.at != NULL ? bytes.at : "", bytes.n, out, NULL, sha256, NULL) != 1)
        give_up("SHA-256");
    for (size_t i = 0; i < sizeof value; i++)
        value |= (uint64_t)out[i] << (8 * i);
    return value;
}

void mac_of(const unsigned char key[MAC_KEY_BYTES], struct span bytes, unsigned char mac[MAC_BYTES])
{
    size_t n;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, MAC_KEY_BYTES, (const unsigned char *)bytes.at, bytes.n, mac,
                  MAC_BYTES, &n) == NULL ||
        n != MAC_BYTES)
        give_up("HMAC");
}
