/* Streams. The one trick: OpenSSL works on the descriptor itself, so an idle session holds no buffer of ours, and epoll
 * is asked for what each direction last said that it needs. RFC 8446 for what an end and a cut are. */
#include "proxy/net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/net/loop.h"
#include "proxy/net/tls_socket.h"
#include "proxy/net/tls_ssl.h"

enum handshake_step { SHAKE_NONE, SHAKE_CLIENT_HELLO, SHAKE_GREET, SHAKE_FINISH, SHAKE_DONE };

struct conn {
    struct tls_socket socket;
    uint8_t step;       /* enum handshake_step */
    uint8_t wanted;     /* what the owner waits for */
    uint8_t read_needs; /* what OpenSSL needs before the next read (write) can go on */
    uint8_t write_needs;
    bool read_dry;  /* the last read found nothing: what OpenSSL still holds is half a record */
    bool read_full; /* … found as much as there was room for */
    bool greeted, is_client;
    SSL *ssl;
    struct watch *watch;
    conn_ready_fn *ready;
    void *owner;
    struct later again;
    struct span early;
    const char *why;
};

void conn_set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP,  TCP_NODELAY,      1     },
        { SOL_SOCKET,  SO_KEEPALIVE,     1     },
        { IPPROTO_TCP, TCP_KEEPIDLE,     60    },
        { IPPROTO_TCP, TCP_KEEPINTVL,    20    },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, 120000}, /* milliseconds; keepalive's too, in place of a count of probes */
    };
    for (size_t i = 0; i < COUNT_OF(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

/* ---- waiting ---- */

static void on_watch(void *owner, unsigned events)
{
    struct conn *c = owner;
    unsigned told = 0;
    if (events & c->read_needs)
        told |= WATCH_READ;
    if (events & c->write_needs)
        told |= WATCH_WRITE;
    told &= c->wanted;
    if (told != 0)
        c->ready(c->owner, told);
    else
        conn_watch(c, c->wanted); /* nobody has said yet what it waits for */
}

static void on_again(struct later *l)
{
    struct conn *c = OWNER_OF(l, struct conn, again);
    if (c->wanted & WATCH_READ)
        c->ready(c->owner, WATCH_READ);
}

static bool holds_bytes(const struct conn *c)
{
    return c->ssl != NULL && c->step == SHAKE_DONE && !c->read_dry && SSL_has_pending(c->ssl);
}

void conn_watch(struct conn *c, unsigned events)
{
    c->wanted = (uint8_t)events;
    watch_set(c->watch, (events & WATCH_READ ? c->read_needs : 0) | (events & WATCH_WRITE ? c->write_needs : 0));
    if ((events & WATCH_READ) && holds_bytes(c))
        loop_later(&c->again, on_again);
    else
        loop_never(&c->again);
}

static void needs(struct conn *c, uint8_t *direction, unsigned events)
{
    if (*direction == events)
        return;
    *direction = (uint8_t)events;
    conn_watch(c, c->wanted);
}

/* ---- life ---- */

struct conn *conn_new(int fd, conn_ready_fn *ready, void *owner)
{
    struct conn *c = calloc(1, sizeof *c);
    struct watch *watch = c != NULL ? watch_new(fd, WATCH_READ, on_watch, c) : NULL;
    if (watch == NULL) {
        free(c);
        close(fd);
        return NULL;
    }
    *c = (struct conn){ .socket.fd = fd, .watch = watch, .ready = ready, .owner = owner };
    c->read_needs = WATCH_READ;
    c->write_needs = WATCH_WRITE;
    return c;
}

void conn_adopt(struct conn *c, conn_ready_fn *ready, void *owner)
{
    c->ready = ready;
    c->owner = owner;
}

void conn_free(struct conn **pointer)
{
    struct conn *c = *pointer;
    if (c == NULL)
        return;
    *pointer = NULL;
    loop_never(&c->again);
    SSL_free(c->ssl);
    watch_free(&c->watch);
    close(c->socket.fd);
    free(c);
}

void conn_forsake(struct conn *c)
{
    struct linger at_once = { .l_onoff = 1 };
    setsockopt(c->socket.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* ---- bytes ---- */

/* What SSL_get_error is going to look at. Looking first costs a fifth of clearing, twice in each exchange. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
    errno = 0;
}

static ssize_t broken(struct conn *c, const char *why)
{
    c->why = why;
    return CONN_BROKEN;
}

static const char *errno_why(void)
{
    switch (errno) {
    case ECONNRESET:
    case EPIPE:
        return "reset";
    case ETIMEDOUT:
        return "timeout";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "unreachable";
    default:
        return "socket";
    }
}

/* With SSL_OP_IGNORE_UNEXPECTED_EOF OpenSSL reports both ends alike; only in a cut has the socket itself come to its
 * end. */
static ssize_t tls_end(const struct conn *c)
{
    return BIO_eof(SSL_get_rbio(c->ssl)) ? CONN_CUT : CONN_EOF;
}

static ssize_t tls_result(struct conn *c, int returned, uint8_t *direction)
{
    switch (SSL_get_error(c->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        needs(c, direction, WATCH_READ);
        return CONN_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        needs(c, direction, WATCH_WRITE);
        return CONN_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return tls_end(c);
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return broken(c, errno != 0 ? errno_why() : "cut");
    default:
        return broken(c, tls_error());
    }
}

static ssize_t clear_read(struct conn *c, void *to, size_t room, int flags)
{
    ssize_t n = recv(c->socket.fd, to, room, flags);
    c->read_full = n == (ssize_t)room;
    if (n > 0)
        return n;
    if (n == 0)
        return CONN_EOF;
    return errno == EAGAIN || errno == EINTR ? CONN_AGAIN : broken(c, errno_why());
}

ssize_t conn_read(struct conn *c, void *to, size_t room)
{
    size_t n;
    if (c->ssl == NULL)
        return clear_read(c, to, room, 0);
    forget_errors();
    int done = SSL_read_ex(c->ssl, to, room, &n);
    c->read_dry = done != 1;
    if (done != 1)
        return tls_result(c, done, &c->read_needs);
    needs(c, &c->read_needs, WATCH_READ);
    return (ssize_t)n;
}

void conn_acknowledge(struct conn *c)
{
    int on = 1; /* the kernel forgets it by itself */
    setsockopt(c->socket.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

bool conn_has_more(const struct conn *c)
{
    return c->ssl != NULL ? holds_bytes(c) : c->read_full;
}

ssize_t conn_peek(struct conn *c, void *to, size_t room)
{
    assert(c->ssl == NULL);
    return clear_read(c, to, room, MSG_PEEK);
}

static ssize_t clear_write(struct conn *c, const void *from, size_t n)
{
    ssize_t sent = send(c->socket.fd, from, n, MSG_NOSIGNAL | (c->socket.more ? MSG_MORE : 0));
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EINTR ? CONN_AGAIN : broken(c, errno_why());
}

ssize_t conn_write(struct conn *c, const void *from, size_t n)
{
    size_t sent;
    if (c->ssl == NULL)
        return clear_write(c, from, n);
    forget_errors();
    int done = SSL_write_ex(c->ssl, from, n, &sent);
    if (done != 1) {
        ssize_t result = tls_result(c, done, &c->write_needs);
        return result == CONN_AGAIN ? CONN_AGAIN : broken(c, c->why != NULL ? c->why : "cut");
    }
    needs(c, &c->write_needs, WATCH_WRITE);
    return (ssize_t)sent;
}

ssize_t conn_write_last(struct conn *c, const void *from, size_t n)
{
    c->socket.more = true;
    ssize_t sent = conn_write(c, from, n);
    c->socket.more = false;
    return sent;
}

ssize_t conn_end(struct conn *c, bool cut)
{
    if (c->ssl != NULL && !cut && c->step == SHAKE_DONE) {
        forget_errors();
        c->socket.more = true; /* the alert leaves in the segment of the FIN */
        int done = SSL_shutdown(c->ssl);
        /* SSL_SENT_SHUTDOWN is set before the alert has found room in the socket: only the result tells. */
        if (done < 0 && tls_result(c, done, &c->write_needs) == CONN_AGAIN && c->write_needs == WATCH_WRITE)
            return CONN_AGAIN;
    }
    shutdown(c->socket.fd, SHUT_WR);
    return 1;
}

/* ---- TLS ---- */

static bool take_ssl(struct conn *c, SSL *ssl)
{
    if (ssl == NULL || !tls_socket_use(ssl, &c->socket)) {
        SSL_free(ssl);
        c->why = "memory";
        return false;
    }
    SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
    c->ssl = ssl;
    return true;
}

bool conn_tls_accept(struct conn *c, struct tls_server *tls, struct span early)
{
    if (!take_ssl(c, tls_server_ssl(tls)))
        return false;
    SSL_set_accept_state(c->ssl);
    c->early = early;
    c->step = early.n > 0 ? SHAKE_CLIENT_HELLO : SHAKE_FINISH;
    return true;
}

bool conn_tls_connect(struct conn *c, struct tls_client *tls, const char *host, uint64_t member)
{
    if (!take_ssl(c, tls_client_ssl(tls, host, member)))
        return false;
    SSL_set_connect_state(c->ssl);
    c->is_client = true;
    c->step = SHAKE_FINISH;
    return true;
}

static int shake_result(struct conn *c, int returned)
{
    ssize_t result = tls_result(c, returned, &c->read_needs);
    if (result == CONN_AGAIN) {
        conn_watch(c, WATCH_READ); /* read_needs says which way */
        return CONN_AGAIN;
    }
    if (result == CONN_EOF || result == CONN_CUT)
        c->why = "cut";
    return CONN_BROKEN;
}

/* The server's first flight goes out inside. Client early data is never asked for, so there is none to read. */
static int shake_hello(struct conn *c)
{
    char none[1];
    size_t n;
    int got = SSL_read_early_data(c->ssl, none, sizeof none, &n);
    if (got == SSL_READ_EARLY_DATA_ERROR)
        return shake_result(c, 0);
    if (got == SSL_READ_EARLY_DATA_SUCCESS)
        return (int)broken(c, "early data");
    /* Finished already: TLS 1.2. No key of the peer's: a HelloRetryRequest is under way, and what is written now would
     * leave in clear. */
    EVP_PKEY *peer_key = NULL;
    bool keyed = !SSL_is_init_finished(c->ssl) && SSL_get_peer_tmp_key(c->ssl, &peer_key) == 1;
    EVP_PKEY_free(peer_key);
    c->step = keyed ? SHAKE_GREET : SHAKE_FINISH;
    return 1;
}

static int shake_greet(struct conn *c)
{
    size_t sent;
    c->socket.more = false;
    if (SSL_write_early_data(c->ssl, c->early.at, c->early.n, &sent) != 1)
        return shake_result(c, 0);
    c->early = span_after(c->early, sent);
    if (c->early.n > 0)
        return 1;
    c->greeted = true;
    c->socket.more = true; /* the client may have answered meanwhile: then the ticket is next */
    c->step = SHAKE_FINISH;
    return 1;
}

static int shake_finish(struct conn *c)
{
    int done = SSL_do_handshake(c->ssl);
    if (done != 1)
        return shake_result(c, done);
    if (c->is_client && !tls_client_accepts(c->ssl, &c->why))
        return CONN_BROKEN;
    c->step = SHAKE_DONE;
    c->read_needs = WATCH_READ;
    c->write_needs = WATCH_WRITE;
    return 1;
}

/* The first flight leaves with the greeting in it, a ticket of TLS 1.3 with the first reply. Anything else that we have
 * said the peer waits for. */
static void let_go(struct conn *c)
{
    c->socket.more = false;
    if (c->step != SHAKE_DONE || SSL_version(c->ssl) != TLS1_3_VERSION)
        tls_socket_push(&c->socket);
}

int conn_handshake(struct conn *c)
{
    int result = 1;
    forget_errors();
    c->socket.more = !c->is_client;
    while (result == 1 && c->step != SHAKE_DONE)
        switch ((enum handshake_step)c->step) {
        case SHAKE_CLIENT_HELLO:
            result = shake_hello(c);
            break;
        case SHAKE_GREET:
            result = shake_greet(c);
            break;
        default:
            result = shake_finish(c);
            break;
        }
    let_go(c);
    return result;
}

bool conn_greeted(const struct conn *c)
{
    return c->greeted;
}

void conn_login_over(struct conn *c)
{
    if (c->ssl != NULL)
        SSL_clear_options(c->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

/* ---- what others want to know ---- */

bool conn_is_tls(const struct conn *c)
{
    return c->ssl != NULL;
}

const char *conn_tls_version(const struct conn *c)
{
    return c->ssl != NULL && c->step == SHAKE_DONE ? SSL_get_version(c->ssl) : NULL;
}

bool conn_tls_peer(const struct conn *c, int64_t *ends_s, struct buf *names)
{
    return c->ssl != NULL && tls_leaf_facts(SSL_get0_peer_certificate(c->ssl), ends_s, names);
}

bool conn_tls_resumed(const struct conn *c)
{
    return c->ssl != NULL && SSL_session_reused(c->ssl);
}

const char *conn_why(const struct conn *c)
{
    return c->why != NULL ? c->why : "unknown";
}

static struct addr name_of(const struct conn *c, int (*ask)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage name;
    socklen_t n = sizeof name;
    struct addr a = { 0 };
    if (ask(c->socket.fd, (struct sockaddr *)&name, &n) != 0 || !addr_from_sockaddr((struct sockaddr *)&name, &a))
        a = (struct addr){ 0 };
    return a;
}

struct addr conn_local(const struct conn *c)
{
    return name_of(c, getsockname);
}

struct addr conn_peer(const struct conn *c)
{
    return name_of(c, getpeername);
}
