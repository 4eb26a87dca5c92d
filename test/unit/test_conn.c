/* Streams under TLS: greetings in the first flight, ends and cuts, bytes that epoll cannot see, buffers given back, and
 * full sockets. */
#include <signal.h>

#include "test/unit/conn_pair.h"

static const char greeting[] = "* OK early\r\n";

/* ---- the greeting in the first flight ---- */

static bool peer_reads(const char *expected)
{
    char got[256];
    int n = 0;
    for (int turn = 0; turn < 50 && n <= 0; turn++)
        n = SSL_read(at.peer, got, sizeof got);
    return n == (int)strlen(expected) && memcmp(got, expected, (size_t)n) == 0;
}

static int group; /* the last handshake's */

static bool greeted_by(const char *groups, int version)
{
    char got[8];
    pair_begin();
    peer_begin(tls.peers, groups, version);
    SSL_set_connect_state(at.peer);
    assert_true(conn_tls_accept(at.conn, tls.server, SPAN(greeting)));
    assert_true(shake());
    bool greeted = conn_greeted(at.conn);
    group = SSL_get_negotiated_group(at.peer);
    if (!greeted) /* then it is said the usual way */
        assert_int_equal(conn_write(at.conn, greeting, sizeof greeting - 1), sizeof greeting - 1);
    assert_true(peer_reads(greeting));
    peer_says("hello", 5);
    assert_int_equal(conn_reads(got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
    pair_end();
    return greeted;
}

static void the_greeting_leaves_with_the_first_flight(void **state UNUSED)
{
    assert_true(greeted_by("P-256", 0));
    assert_true(greeted_by("P-256:X25519", 0));
}

/* Our server has P-256 alone: a first share of another group is answered by a HelloRetryRequest, in which
 * there is no key yet: what is written early would leave in clear. */
static void a_hello_retry_request_is_survived(void **state UNUSED)
{
    assert_false(greeted_by("X25519:P-256", 0));
    assert_int_equal(group, NID_X9_62_prime256v1);
}

static void not_in_an_older_tls(void **state UNUSED)
{
    assert_false(greeted_by(NULL, TLS1_2_VERSION));
}

static void a_foreign_alpn_ends_the_handshake(void **state UNUSED)
{
    pair_begin();
    peer_begin(tls.peers, NULL, 0);
    SSL_set_alpn_protos(at.peer, (const unsigned char *)"\x08http/1.1", 9);
    SSL_set_connect_state(at.peer);
    assert_true(conn_tls_accept(at.conn, tls.server, SPAN(greeting)));
    assert_false(shake());
    run_for(5);
    assert_int_equal(at.shaken, CONN_BROKEN);
    assert_false(conn_greeted(at.conn));
    assert_null(conn_tls_version(at.conn));
    pair_end();
}

/* Whatever the moment: an end of the whole connection in the handshake is a failure with a name, and no leak. */
static void a_handshake_may_end_at_every_octet(void **state UNUSED)
{
    for (size_t cut = 0; cut < 600; cut += 7) {
        char hello[2048];
        pair_begin();
        SSL *ssl = SSL_new(tls.peers);
        BIO *out = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
        SSL_set_connect_state(ssl);
        SSL_do_handshake(ssl);
        int n = BIO_read(out, hello, sizeof hello);
        size_t part = cut < (size_t)n ? cut : (size_t)n;
        assert_true(conn_tls_accept(at.conn, tls.server, SPAN(greeting)));
        assert_int_equal(write(at.fd, hello, part), part);
        at.shaken = conn_handshake(at.conn);
        assert_int_equal(at.shaken, CONN_AGAIN);
        if (cut % 2 == 0) {
            shutdown(at.fd, SHUT_WR);
            for (int turn = 0; turn < 10 && at.shaken == CONN_AGAIN; turn++)
                run_for(5);
            assert_int_equal(at.shaken, CONN_BROKEN);
            assert_string_equal(conn_why(at.conn), "cut");
        }
        SSL_free(ssl);
        pair_end();
    }
}

/* ---- ends and cuts ---- */

static void an_end_and_a_cut_are_told_apart(void **state UNUSED)
{
    char got[8];
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t i = 0; i < 4; i++) {
        bool cut = i % 2 == 1;
        protected_begin(versions[i / 2]);
        peer_says("bye", 3);
        if (!cut)
            SSL_shutdown(at.peer);
        shutdown(at.fd, SHUT_WR);
        assert_int_equal(conn_reads(got, sizeof got), 3);
        assert_int_equal(conn_reads(got, sizeof got), cut ? CONN_CUT : CONN_EOF);
        assert_int_equal(conn_write(at.conn, "still", 5), 5); /* half-closed, not dead */
        assert_int_equal(conn_end(at.conn, cut), 1);
        assert_true(peer_reads("still"));
        int n = SSL_read(at.peer, got, sizeof got);
        assert_true(n <= 0);
        assert_int_equal(SSL_get_shutdown(at.peer) & SSL_RECEIVED_SHUTDOWN, cut ? 0 : SSL_RECEIVED_SHUTDOWN);
        pair_end();
    }
}

static void an_end_in_clear(void **state UNUSED)
{
    char got[8];
    pair_begin();
    assert_int_equal(write(at.fd, "bye", 3), 3);
    shutdown(at.fd, SHUT_WR);
    assert_int_equal(conn_peek(at.conn, got, sizeof got), 3);
    assert_int_equal(conn_read(at.conn, got, 2), 2);
    assert_true(conn_has_more(at.conn));
    assert_int_equal(conn_read(at.conn, got, sizeof got), 1);
    assert_false(conn_has_more(at.conn));
    assert_int_equal(conn_read(at.conn, got, sizeof got), CONN_EOF);
    assert_int_equal(conn_write(at.conn, "still", 5), 5);
    assert_int_equal(conn_end(at.conn, false), 1);
    assert_int_equal(read(at.fd, got, sizeof got), 5);
    assert_int_equal(read(at.fd, got, sizeof got), 0);
    assert_int_equal(conn_write(at.conn, "more", 4), CONN_BROKEN);
    assert_string_equal(conn_why(at.conn), "reset");
    pair_end();
}

/* The socket is full when the end is said (with what did not pass through OpenSSL): close_notify waits for room. */
static void an_end_waits_for_room(void **state UNUSED)
{
    static char block[65536];
    size_t filled = 0;
    ssize_t n;
    protected_begin(0);
    assert_int_equal(SSL_read(at.peer, block, sizeof block), -1); /* the tickets */
    while ((n = send(at.ours, block, sizeof block, 0)) > 0)
        filled += (size_t)n;
    assert_int_equal(conn_end(at.conn, false), CONN_AGAIN);
    assert_int_equal(conn_end(at.conn, false), CONN_AGAIN);
    while (filled > 0 && (n = recv(at.fd, block, filled < sizeof block ? filled : sizeof block, 0)) > 0)
        filled -= (size_t)n;
    assert_int_equal(filled, 0);
    assert_int_equal(conn_end(at.conn, false), 1);
    assert_int_equal(SSL_read(at.peer, block, sizeof block), 0);
    assert_int_equal(SSL_get_shutdown(at.peer), SSL_RECEIVED_SHUTDOWN);
    pair_end();
}

/* ---- bytes that epoll cannot see ---- */

static void bytes_inside_openssl_wake_the_owner(void **state UNUSED)
{
    char got[4];
    protected_begin(0);
    peer_says("one two three", 13);
    assert_int_equal(conn_reads(got, sizeof got), 4);
    assert_true(conn_has_more(at.conn));
    at.woken = 0;
    conn_watch(at.conn, WATCH_READ);
    run_for(1000);
    assert_int_equal(at.woken, 1);
    assert_true((at.events & WATCH_READ) != 0);
    conn_watch(at.conn, WATCH_READ);
    conn_watch(at.conn, 0); /* not wanted any more */
    run_for(20);
    assert_int_equal(at.woken, 1);
    pair_end();
}

/* Half a record is no reason to try again and again. */
static void half_a_record_is_waited_for(void **state UNUSED)
{
    char record[256], got[64];
    protected_begin(0);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(at.peer, out);
    peer_says("a whole record", 14);
    int n = BIO_read(out, record, sizeof record);
    assert_int_equal(write(at.fd, record, 9), 9);
    assert_int_equal(conn_read(at.conn, got, sizeof got), CONN_AGAIN);
    at.woken = 0;
    conn_watch(at.conn, WATCH_READ);
    run_for(30);
    assert_int_equal(at.woken, 0);
    assert_int_equal(write(at.fd, record + 9, (size_t)n - 9), n - 9);
    assert_int_equal(conn_reads(got, sizeof got), 14);
    assert_memory_equal(got, "a whole record", 14);
    pair_end();
}

/* Buffers are given back between records, and not within. */
static void a_record_may_come_in_parts(void **state UNUSED)
{
    char record[256], got[64];
    for (size_t part = 1; part < 30; part++) {
        protected_begin(0);
        conn_login_over(at.conn);
        BIO *out = BIO_new(BIO_s_mem());
        SSL_set0_wbio(at.peer, out);
        peer_says("hello", 5);
        int n = BIO_read(out, record, sizeof record);
        size_t first = part < (size_t)n ? part : (size_t)n;
        assert_int_equal(write(at.fd, record, first), first);
        ssize_t done = conn_read(at.conn, got, 2);
        assert_int_equal(write(at.fd, record + first, (size_t)n - first), (size_t)n - first);
        while (done < 5) {
            ssize_t more = conn_reads(got + done, 2);
            assert_true(more > 0);
            done += more;
        }
        assert_memory_equal(got, "hello", 5);
        pair_end();
    }
}

/* OpenSSL's memory, as it asks for it: how many of its buffers for records and messages there are. */
enum { BUFFER_BYTES = 16384 };
static size_t buffers;

static void *count_malloc(size_t n, const char *file UNUSED, int line UNUSED)
{
    size_t *at_n = malloc(n + 16);
    if (at_n == NULL)
        return NULL;
    *at_n = n;
    buffers += n >= BUFFER_BYTES;
    return (char *)at_n + 16;
}

static void count_free(void *p, const char *file UNUSED, int line UNUSED)
{
    if (p == NULL)
        return;
    size_t *at_n = (size_t *)(void *)((char *)p - 16);
    buffers -= *at_n >= BUFFER_BYTES;
    free(at_n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
    void *fresh = count_malloc(n, file, line);
    if (fresh == NULL || p == NULL)
        return fresh;
    size_t had = *(size_t *)(void *)((char *)p - 16);
    memcpy(fresh, p, had < n ? had : n);
    count_free(p, file, line);
    return fresh;
}

static void a_conn_that_waits_holds_no_buffer(void **state UNUSED)
{
    char got[8];
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        protected_begin(version);
        conn_login_over(at.conn);
        peer_says("hello", 5);
        assert_int_equal(conn_reads(got, sizeof got), 5);
        assert_int_equal(conn_write(at.conn, "hello", 5), 5);
        assert_int_equal(conn_read(at.conn, got, sizeof got), CONN_AGAIN);
        assert_int_equal(SSL_free_buffers(at.peer), 1);
        assert_int_equal(buffers, 0);
        pair_end();
    }
}

/* ---- towards a store ---- */

static bool reaches_store(const char *host)
{
    pair_begin();
    peer_begin(tls.stores, NULL, 0);
    SSL_set_accept_state(at.peer);
    assert_true(conn_tls_connect(at.conn, tls.client, host, 7));
    bool good = shake();
    if (good)
        assert_string_equal(conn_tls_version(at.conn), "TLSv1.3");
    else
        run_for(5);
    pair_end();
    return good;
}

static void a_store_must_be_who_it_is_asked_to_be(void **state UNUSED)
{
    assert_true(reaches_store("mail.test"));
    assert_true(reaches_store("MAIL.test"));
    assert_false(reaches_store("other.test"));
    assert_false(reaches_store("127.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greeting_leaves_with_the_first_flight),
        cmocka_unit_test(a_hello_retry_request_is_survived),
        cmocka_unit_test(not_in_an_older_tls),
        cmocka_unit_test(a_foreign_alpn_ends_the_handshake),
        cmocka_unit_test(a_handshake_may_end_at_every_octet),
        cmocka_unit_test(an_end_and_a_cut_are_told_apart),
        cmocka_unit_test(an_end_in_clear),
        cmocka_unit_test(an_end_waits_for_room),
        cmocka_unit_test(bytes_inside_openssl_wake_the_owner),
        cmocka_unit_test(half_a_record_is_waited_for),
        cmocka_unit_test(a_record_may_come_in_parts),
        cmocka_unit_test(a_conn_that_waits_holds_no_buffer),
        cmocka_unit_test(a_store_must_be_who_it_is_asked_to_be),
    };
    signal(SIGPIPE, SIG_IGN);
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
        return 1;
    loop_init();
    return cmocka_run_group_tests(tests, tls_begin, tls_over);
}
