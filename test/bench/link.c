#include "test/bench/link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "test/bench/pattern.h"

enum { EVENTS = 256, CHUNK = 65536 };

static int epoll_fd = -1;
static uint64_t turn_us;
static char cut_text[160];

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the loop ---- */

uint64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

uint64_t now_us(void)
{
    return turn_us;
}

void loop_init(void)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        give_up("epoll");
    turn_us = clock_us();
}

static void set_interest(struct link *l, uint32_t interest)
{
    struct epoll_event e = { .events = interest, .data.ptr = l };
    if (interest == l->interest)
        return;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, l->fd, &e) != 0)
        give_up("epoll_ctl");
    l->interest = interest;
}

static void add(struct link *l, uint32_t interest)
{
    struct epoll_event e = { .events = interest, .data.ptr = l };
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->fd, &e) != 0)
        give_up("epoll_ctl");
    l->interest = interest;
}

void loop_watch_fd(struct link *l, int fd)
{
    l->fd = fd;
    add(l, EPOLLIN);
}

void loop_on_stop(void (*on_stop)(struct link *l))
{
    static struct link signals;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals.on_ready = on_stop;
    loop_watch_fd(&signals, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void loop_run(int tick_ms, bool (*on_tick)(void))
{
    struct epoll_event events[EVENTS];
    uint64_t tick_us = (uint64_t)tick_ms * 1000U, next_us = clock_us() + tick_us;
    for (;;) {
        uint64_t now = clock_us();
        int wait_ms = next_us > now ? (int)((next_us - now + 999) / 1000) : 0;
        int n = epoll_wait(epoll_fd, events, EVENTS, wait_ms);
        if (n < 0 && errno != EINTR)
            give_up("epoll_wait");
        turn_us = clock_us();
        for (int i = 0; i < n; i++) {
            struct link *l = events[i].data.ptr;
            l->on_ready(l);
        }
        if (turn_us < next_us)
            continue;
        if (!on_tick())
            return;
        next_us = turn_us + tick_us;
    }
}

/* ---- birth and death ---- */

static void start_anew(struct link *l, int fd)
{
    int on = 1;
    l->fd = fd;
    l->ssl = NULL;
    l->quiet = l->tls_write = false;
    l->text_n = l->text_sent = l->tail_n = l->tail_sent = 0;
    l->body_at = l->body_end = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int link_connect(struct link *l, const struct sockaddr_in *to, const struct sockaddr_in *source, int receive_bytes)
{
    int on = 1;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    l->ssl = NULL;
    if (l->fd < 0)
        return errno;
    int fd = l->fd;
    start_anew(l, fd);
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (source != NULL) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)source, sizeof *source) != 0)
            goto failed;
    }
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)
        goto failed;
    add(l, EPOLLOUT);
    return 0;
failed:;
    int error = errno;
    close(fd);
    l->fd = -1;
    return error;
}

void link_accept(struct link *l, int fd)
{
    start_anew(l, fd);
    add(l, EPOLLIN);
}

int link_listen(const struct sockaddr_in *at)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        give_up("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) != 0 || listen(fd, 4096) != 0)
        give_up("listen");
    return fd;
}

void link_close(struct link *l, bool politely)
{
    if (l->ssl != NULL) {
        if (politely && SSL_is_init_finished(l->ssl))
            SSL_shutdown(l->ssl);
        ERR_clear_error();
        SSL_free(l->ssl);
        l->ssl = NULL;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* ---- bytes in ---- */

const char *link_error(void)
{
    return cut_text;
}

static int cut(const char *text)
{
    snprintf(cut_text, sizeof cut_text, "%s", text);
    return LINK_CUT;
}

/* What a TLS call that gave no bytes means: LINK_EOF, LINK_AGAIN or LINK_CUT. */
static int tls_result(struct link *l, int result)
{
    int error = errno;
    switch (SSL_get_error(l->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return LINK_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        l->tls_write = true;
        return LINK_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return LINK_EOF;
    case SSL_ERROR_SYSCALL:
        return cut(error != 0 ? strerror(error) : "cut");
    default:
        break;
    }
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return cut("cut without close_notify");
    ERR_error_string_n(ERR_peek_error(), cut_text, sizeof cut_text);
    return LINK_CUT;
}

int link_handshake(struct link *l)
{
    ERR_clear_error();
    l->tls_write = false;
    int result = SSL_do_handshake(l->ssl);
    if (result == 1)
        return 1;
    result = tls_result(l, result);
    if (result == LINK_AGAIN)
        link_watch(l);
    return result == LINK_EOF ? cut("closed in the handshake") : result;
}

ssize_t link_read(struct link *l, void *into, size_t n)
{
    if (l->ssl != NULL) {
        size_t got;
        ERR_clear_error();
        errno = 0;
        l->tls_write = false;
        int result = SSL_read_ex(l->ssl, into, n, &got);
        return result == 1 ? (ssize_t)got : tls_result(l, result);
    }
    ssize_t got = recv(l->fd, into, n, 0);
    if (got >= 0)
        return got;
    return errno == EAGAIN ? LINK_AGAIN : cut(strerror(errno));
}

bool link_pending(const struct link *l)
{
    return l->ssl != NULL && SSL_has_pending(l->ssl);
}

/* ---- bytes out ---- */

bool link_say(struct link *l, const char *text, size_t n)
{
    if (n > link_room(l))
        return false;
    memcpy(l->text + l->text_n, text, n);
    l->text_n += n;
    return true;
}

size_t link_room(const struct link *l)
{
    return l->body_at < l->body_end || l->tail_sent < l->tail_n ? 0 : sizeof l->text - l->text_n;
}

void link_body(struct link *l, uint32_t start, uint64_t n, const char *tail)
{
    l->body_start = start;
    l->body_at = 0;
    l->body_end = n;
    l->tail_n = strlen(tail);
    l->tail_sent = 0;
    memcpy(l->tail, tail, l->tail_n);
}

static ssize_t write_some(struct link *l, const char *bytes, size_t n)
{
    if (l->ssl != NULL) {
        size_t sent;
        ERR_clear_error();
        errno = 0;
        int result = SSL_write_ex(l->ssl, bytes, n, &sent);
        return result == 1 ? (ssize_t)sent : tls_result(l, result);
    }
    ssize_t sent = send(l->fd, bytes, n, MSG_NOSIGNAL);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN ? LINK_AGAIN : cut(strerror(errno));
}

/* One write of whatever comes next: 0 when nothing is left, else as link_flush(). */
static int send_next(struct link *l)
{
    ssize_t sent;
    if (l->text_sent < l->text_n) {
        sent = write_some(l, l->text + l->text_sent, l->text_n - l->text_sent);
        l->text_sent += sent > 0 ? (size_t)sent : 0;
    } else if (l->body_at < l->body_end) {
        uint64_t left = l->body_end - l->body_at;
        sent = write_some(l, pattern_at(l->body_start, l->body_at), left < CHUNK ? (size_t)left : CHUNK);
        l->body_at += sent > 0 ? (size_t)sent : 0;
    } else if (l->tail_sent < l->tail_n) {
        sent = write_some(l, l->tail + l->tail_sent, l->tail_n - l->tail_sent);
        l->tail_sent += sent > 0 ? (size_t)sent : 0;
    } else {
        return 0;
    }
    if (sent == LINK_EOF)
        return cut("closed while we were sending");
    return sent < 0 ? (int)sent : 1;
}

int link_flush(struct link *l)
{
    int result = 1;
    while (result == 1)
        result = send_next(l);
    if (l->text_sent == l->text_n)
        l->text_n = l->text_sent = 0;
    if (result != LINK_CUT)
        link_watch(l);
    return result == 0 ? 1 : result;
}

void link_watch(struct link *l)
{
    bool sending = l->text_sent < l->text_n || l->body_at < l->body_end || l->tail_sent < l->tail_n;
    set_interest(l, (l->quiet ? 0 : (uint32_t)EPOLLIN) | (sending || l->tls_write ? (uint32_t)EPOLLOUT : 0));
}
