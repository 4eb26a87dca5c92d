/* Session tickets under keys that all fronts share (RFC 5077 4, RFC 8446 4.6.1): main draws them, they never touch a
 * disk. A key is 16 bytes of name, 32 of AES-256-CBC, 32 of HMAC-SHA-256. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "proxy/net/tls_ssl.h"

enum { KEYS_MAX = 4, NAME_BYTES = 16, CIPHER_BYTES = 32, MAC_BYTES = 32 };

static struct ticket_key {
    unsigned char name[NAME_BYTES], cipher[CIPHER_BYTES], mac[MAC_BYTES];
} keys[KEYS_MAX];
static size_t n_keys;

void tls_ticket_keys(struct span packed)
{
    static_assert(sizeof(struct ticket_key) == TLS_TICKET_KEY, "a key is packed as it is kept");
    explicit_bzero(keys, sizeof keys);
    n_keys = packed.n / TLS_TICKET_KEY < KEYS_MAX ? packed.n / TLS_TICKET_KEY : KEYS_MAX;
    if (n_keys > 0)
        memcpy(keys, packed.at, n_keys * TLS_TICKET_KEY);
}

static int find(const unsigned char *name)
{
    for (size_t i = 0; i < n_keys; i++)
        if (CRYPTO_memcmp(keys[i].name, name, NAME_BYTES) == 0)
            return (int)i;
    return -1;
}

static bool start_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, MAC_BYTES),
                            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                            OSSL_PARAM_construct_end() };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static const EVP_CIPHER *cipher(void)
{
    static EVP_CIPHER *aes; /* fetched once */
    if (aes == NULL)
        aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    return aes;
}

static int encrypt(unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac)
{
    if (n_keys == 0 || cipher() == NULL)
        return 0; /* no ticket is sent */
    memcpy(name, keys[0].name, NAME_BYTES);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher())) != 1)
        return -1;
    return EVP_EncryptInit_ex2(ctx, cipher(), keys[0].cipher, iv, NULL) == 1 && start_mac(mac, &keys[0]) ? 1 : -1;
}

static int decrypt(const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac, int at)
{
    (void)name;
    if (EVP_DecryptInit_ex2(ctx, cipher(), keys[at].cipher, iv, NULL) != 1 || !start_mac(mac, &keys[at]))
        return -1;
    return at == 0 ? 1 : 2; /* 2: good, and a fresh ticket please */
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac,
                     int encrypting)
{
    if (encrypting)
        return encrypt(name, iv, ctx, mac);
    int at = find(name);
    if (at < 0 || cipher() == NULL)
        return 0; /* a full handshake */
    int good = decrypt(name, iv, ctx, mac, at);
    /* A ticket is used once in TLS 1.3 (RFC 8446 C.4). OpenSSL's own keys renew it at each resumption; a callback must
     * ask for that, or every second handshake of a careful client is a full one. */
    return good == 1 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : good;
}

bool tls_tickets_use(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_num_tickets(ctx, 1) == 1 && SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}
