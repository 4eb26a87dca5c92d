/* One stream to one peer, in clear or under TLS, readiness-driven: nobody buffers here but the kernel and OpenSSL.
 *
 * The owner says what it waits for (conn_watch), is told when it may try (ready), and reads and writes until
 * CONN_AGAIN. Bytes that OpenSSL already holds wake it as well. A conn belongs to one owner; conn_free ends it at once,
 * in any callback. */
#ifndef PROXY_NET_CONN_H
#define PROXY_NET_CONN_H

#include <sys/types.h>

#include "proxy/net/tls.h"
#include "proxy/net/watch.h"

struct conn;

enum conn_result {
    CONN_AGAIN = 0,  /* not now; ready will tell */
    CONN_EOF = -1,   /* the peer ended its side properly: FIN in clear, close_notify under TLS. Writing may go on */
    CONN_CUT = -2,   /* FIN under TLS without close_notify. Writing may go on */
    CONN_BROKEN = -3 /* reset, timed out, or TLS gone wrong: nothing more will work */
};

typedef void conn_ready_fn(void *owner, unsigned events /* WATCH_READ | WATCH_WRITE */);

/* Takes over the connected, non-blocking fd in every case. NULL: no memory. Counts towards nothing but memory. */
struct conn *conn_new(int fd, conn_ready_fn *ready, void *owner);
void conn_adopt(struct conn *c, conn_ready_fn *ready, void *owner); /* it has another owner from now on */
void conn_free(struct conn **c);   /* closes; ready is never called again; safe for NULL */
void conn_forsake(struct conn *c); /* conn_free will be a reset: what the kernel has not sent stays unsent */

void conn_watch(struct conn *c, unsigned events);

/* 1 to room bytes, or a conn_result. */
ssize_t conn_read(struct conn *c, void *to, size_t room);
/* Acknowledge what came at once: a peer whose Nagle waits for that would else keep its next line back for 40 ms. */
void conn_acknowledge(struct conn *c);
/* After a read: is it worth reading again at once? Bytes are inside OpenSSL, or the last read filled its room. */
bool conn_has_more(const struct conn *c);
/* Look at what waits in the kernel without taking it; in clear only. As conn_read. */
ssize_t conn_peek(struct conn *c, void *to, size_t room);
/* 1 to n bytes, or a conn_result. What was refused must be offered again unchanged in content (at any address). */
ssize_t conn_write(struct conn *c, const void *from, size_t n);
/* The same for what conn_end follows at once: both leave in one segment. */
ssize_t conn_write_last(struct conn *c, const void *from, size_t n);

/* End our side: close_notify and FIN; `cut`: FIN alone. CONN_AGAIN: call again when writable. 1: done. */
ssize_t conn_end(struct conn *c, bool cut);

/* Put the conn under TLS. Then call conn_handshake until it is not CONN_AGAIN (watching happens by itself).
 *   early  a greeting to be sent in the server's first flight (TLS 1.3, RFC 8446 4.2.10's 0.5-RTT data); may be empty.
 *          Borrowed until the handshake is over; conn_greeted tells afterwards whether it left. */
bool conn_tls_accept(struct conn *c, struct tls_server *tls, struct span early) MUST_CHECK;
/*   host    the back end's configured host, for SNI and verification unless the site names another
 *   member  key of the session cache */
bool conn_tls_connect(struct conn *c, struct tls_client *tls, const char *host, uint64_t member) MUST_CHECK;
int conn_handshake(struct conn *c); /* 1: done; CONN_AGAIN; CONN_BROKEN (conn_why tells) */
bool conn_greeted(const struct conn *c);

/* The login is over: stop wiping OpenSSL's plain text after each read. */
void conn_login_over(struct conn *c);

bool conn_is_tls(const struct conn *c);
const char *conn_tls_version(const struct conn *c); /* "TLSv1.3", or NULL in clear */
/* What the peer's certificate says, as tls_certificate_facts (tls_facts.h) has it; after the handshake, trusted or not.
 */
bool conn_tls_peer(const struct conn *c, int64_t *ends_s, struct buf *names) MUST_CHECK;
bool conn_tls_resumed(const struct conn *c);
const char *conn_why(
    const struct conn *c); /* why it is CONN_BROKEN: "reset", "certificate verify failed" …; static text */
struct addr conn_local(const struct conn *c);
struct addr conn_peer(const struct conn *c);

/* For the TCP sockets of both ends: no delay, keepalive, and how long unanswered bytes are waited for. What a listening
 * socket has, its connections inherit. Options that a kernel does not know are no reason to fail. */
void conn_set_options(int fd);

#endif
