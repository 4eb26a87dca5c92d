/* A conn and, at the other end of a socket pair, OpenSSL itself: a certificate for both, handshakes step by step, and a
 * loop that runs for so long. For test_conn.c. */
#ifndef TEST_UNIT_CONN_PAIR_H
#define TEST_UNIT_CONN_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "proxy/net/conn.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "proxy/net/tls_ssl.h"

/* ---- a certificate of one's own ---- */

static struct {
    BIO *chain, *key;
    struct tls_server *server;
    struct tls_client *client;
    SSL_CTX *peers;  /* what the other end uses as a client */
    SSL_CTX *stores; /* … and as a server */
} tls;

static struct span pem_of(BIO *bio)
{
    char *at;
    long n = BIO_get_mem_data(bio, &at);
    return span_bytes(at, (size_t)n);
}

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *leaf = X509_new();
    X509_set_version(leaf, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(leaf), 1);
    X509_gmtime_adj(X509_getm_notBefore(leaf), -60);
    X509_gmtime_adj(X509_getm_notAfter(leaf), 3600);
    X509_set_pubkey(leaf, key);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:mail.test");
    X509_add_ext(leaf, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(leaf, key, EVP_sha256()) > 0);
    return leaf;
}

static int tls_begin(void **state UNUSED)
{
    struct buf why;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = self_signed(key);
    tls.chain = BIO_new(BIO_s_mem());
    tls.key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(tls.chain, leaf);
    PEM_write_bio_PrivateKey(tls.key, key, NULL, NULL, 0, NULL, NULL);
    struct tls_certificate certificate = { "chain", "key", pem_of(tls.chain), pem_of(tls.key) };
    struct tls_server_order server = { .certificates = &certificate,
                                       .n_certificates = 1,
                                       .min_version = 2,
                                       .ciphers = "",
                                       .alpn = "imap",
                                       .session_context = SPAN("test") };
    struct tls_client_order client = { .ca_name = "ca",
                                       .ca = pem_of(tls.chain),
                                       .verify = true,
                                       .verify_name = "",
                                       .pin_sha256 = "",
                                       .min_version = 2,
                                       .ciphers = "",
                                       .alpn = "imap" };
    buf_init(&why, 1024);
    tls.server = tls_server_new(&server, &why);
    tls.client = tls_client_new(&client, &why);
    tls.peers = SSL_CTX_new(TLS_client_method());
    tls.stores = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(tls.stores, leaf);
    SSL_CTX_use_PrivateKey(tls.stores, key);
    X509_free(leaf);
    EVP_PKEY_free(key);
    buf_fini(&why);
    if (tls.server == NULL || tls.client == NULL)
        return -1;
    SSL *ssl = tls_server_ssl(tls.server);
    SSL_CTX_set1_groups_list(SSL_get_SSL_CTX(ssl), "P-256");
    SSL_free(ssl);
    return 0;
}

static int tls_over(void **state UNUSED)
{
    tls_server_free(&tls.server);
    tls_client_free(&tls.client);
    SSL_CTX_free(tls.peers);
    SSL_CTX_free(tls.stores);
    BIO_free(tls.chain);
    BIO_free(tls.key);
    return 0;
}

/* ---- both ends ---- */

static struct pair {
    struct conn *conn; /* ours */
    int shaken;        /* what conn_handshake came to */
    unsigned events;   /* that ready told since the last look */
    int woken;
    SSL *peer; /* theirs, on a blocking descriptor with a time limit */
    int fd;
    int ours; /* conn's own */
} at;

static struct alarm patience;

static void on_patience(struct alarm *a UNUSED)
{
    loop_stop();
}

static void run_for(int64_t ms)
{
    loop_refresh();
    assert_true(alarm_set(&patience, ms, on_patience));
    loop_run();
    alarm_clear(&patience);
}

static void on_ready(void *owner UNUSED, unsigned events)
{
    at.events |= events;
    at.woken++;
    if (at.shaken == CONN_AGAIN && conn_is_tls(at.conn))
        at.shaken = conn_handshake(at.conn);
    else
        conn_watch(at.conn, 0);
    loop_stop();
}

static void pair_begin(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    at = (struct pair){ .fd = fds[1], .ours = fds[0] };
    at.conn = conn_new(fds[0], on_ready, NULL);
    assert_non_null(at.conn);
}

static void peer_begin(SSL_CTX *ctx, const char *groups, int version)
{
    at.peer = SSL_new(ctx);
    SSL_set_fd(at.peer, at.fd);
    if (groups != NULL)
        assert_int_equal(SSL_set1_groups_list(at.peer, groups), 1);
    if (version != 0)
        SSL_set_max_proto_version(at.peer, version);
}

static void pair_end(void)
{
    conn_free(&at.conn);
    conn_free(&at.conn);
    SSL_free(at.peer);
    close(at.fd);
    ERR_clear_error();
    run_for(1);
}

/* Both handshakes, step by step; what the peer can read meanwhile goes to `early`. */
static bool shake(void)
{
    at.shaken = conn_handshake(at.conn);
    for (int turn = 0; turn < 50; turn++) {
        int theirs = SSL_do_handshake(at.peer);
        if (theirs == 1 && at.shaken == 1)
            return true;
        if (theirs != 1 && SSL_get_error(at.peer, theirs) != SSL_ERROR_WANT_READ)
            return false;
        if (at.shaken == CONN_BROKEN)
            return false;
        if (at.shaken == CONN_AGAIN)
            run_for(20);
    }
    return false;
}

static void protected_begin(int version)
{
    pair_begin();
    peer_begin(tls.peers, NULL, version);
    SSL_set_connect_state(at.peer);
    assert_true(conn_tls_accept(at.conn, tls.server, SPAN_NONE));
    assert_true(shake());
}

static void peer_says(const char *text, size_t n)
{
    assert_int_equal(SSL_write(at.peer, text, (int)n), (int)n);
}

/* Up to room bytes in a few turns of the loop. */
static ssize_t conn_reads(void *to, size_t room)
{
    ssize_t n = CONN_AGAIN;
    for (int turn = 0; turn < 50 && n == CONN_AGAIN; turn++) {
        n = conn_read(at.conn, to, room);
        if (n != CONN_AGAIN)
            break;
        conn_watch(at.conn, WATCH_READ);
        run_for(20);
    }
    return n;
}

#endif
