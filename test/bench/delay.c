/* A delay line: a TCP relay that makes two programs of this machine as far apart as --rtt-ms says. Bytes are held for
 * half a round trip each way. A connection that is opened costs its round trip too: nothing goes forward before the
 * handshake would be over at that distance, though the kernel has it done at once. An end travels like a byte. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS_MAX = 8, PAIRS_MAX = 512, CHUNK_BYTES = 16384, CHUNKS_MAX = 64 /* of one direction on their way */ };

struct chunk {
    struct chunk *next;
    int64_t due_us;
    size_t n, sent; /* n == 0: the end */
    char bytes[];
};

struct way {
    int from, to;
    struct chunk *first, **last;
    size_t n;
    bool ended;  /* nothing more comes in; it may still be on its way */
    bool closed; /* and has been told */
};

struct pair {
    bool used;
    int64_t opened_us;
    uint16_t port; /* the far end's */
    int near, far; /* far: -1 until the handshake has got there */
    struct way up, down;
};

static struct {
    int fd;
    uint16_t to;
} listeners[LISTENERS_MAX];
static size_t n_listeners;
static struct pair pairs[PAIRS_MAX];
static int64_t half_us;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static void make_quick(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* ---- one direction ---- */

static void way_init(struct way *w, int from, int to)
{
    *w = (struct way){ .from = from, .to = to };
    w->last = &w->first;
}

static void add(struct way *w, const char *bytes, size_t n, int64_t due_us)
{
    struct chunk *c = malloc(sizeof *c + n);
    if (c == NULL)
        give_up("memory");
    *c = (struct chunk){ .due_us = due_us, .n = n };
    if (n > 0)
        memcpy(c->bytes, bytes, n);
    *w->last = c;
    w->last = &c->next;
    w->n++;
}

static bool wants_more(const struct way *w)
{
    return w->from >= 0 && !w->ended && w->n < CHUNKS_MAX;
}

static void take_in(struct way *w, int64_t due_us)
{
    char bytes[CHUNK_BYTES];
    ssize_t n = recv(w->from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    w->ended = n <= 0;
    add(w, bytes, n > 0 ? (size_t)n : 0, due_us);
}

static void drop_first(struct way *w)
{
    struct chunk *c = w->first;
    w->first = c->next;
    if (w->first == NULL)
        w->last = &w->first;
    w->n--;
    free(c);
}

static void let_out(struct way *w)
{
    while (w->to >= 0 && w->first != NULL && w->first->due_us <= now_us()) {
        struct chunk *c = w->first;
        ssize_t n = c->n > 0 ? send(w->to, c->bytes + c->sent, c->n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (c->n == 0 || n < 0) {
            shutdown(w->to, SHUT_WR);
            w->closed = true;
        }
        c->sent += n > 0 ? (size_t)n : 0;
        if (c->sent == c->n || w->closed)
            drop_first(w);
    }
}

/* ---- a connection ---- */

static void pair_end(struct pair *p)
{
    while (p->up.first != NULL)
        drop_first(&p->up);
    while (p->down.first != NULL)
        drop_first(&p->down);
    close(p->near);
    if (p->far >= 0)
        close(p->far);
    p->used = false;
}

/* One and a half round trips after it was opened the far end knows that there is somebody. */
static int64_t arrives_us(const struct pair *p)
{
    return p->opened_us + 3 * half_us;
}

static void reach(struct pair *p)
{
    struct sockaddr_in to = loopback(p->port);
    p->far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->far < 0 || connect(p->far, (struct sockaddr *)&to, sizeof to) != 0) {
        pair_end(p); /* to the near end a store that is down */
        return;
    }
    make_quick(p->far);
    p->up.to = p->down.from = p->far;
}

static void on_new(int listener, uint16_t port)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < PAIRS_MAX; i++)
        if (!pairs[i].used) {
            make_quick(fd);
            pairs[i] = (struct pair){ .used = true, .opened_us = now_us(), .port = port, .near = fd, .far = -1 };
            way_init(&pairs[i].up, fd, -1);
            way_init(&pairs[i].down, -1, fd);
            return;
        }
    close(fd);
}

static void serve(struct pair *p, bool near_reads, bool far_reads)
{
    int64_t due_us = now_us() + half_us;
    if (p->far < 0 && now_us() >= arrives_us(p))
        reach(p);
    if (!p->used)
        return;
    if (near_reads && wants_more(&p->up))
        take_in(&p->up, due_us > arrives_us(p) ? due_us : arrives_us(p));
    if (far_reads && wants_more(&p->down))
        take_in(&p->down, due_us);
    let_out(&p->up);
    let_out(&p->down);
    if (p->up.closed && p->down.closed)
        pair_end(p);
}

/* ---- the loop ---- */

static int64_t next_us(const struct pair *p)
{
    int64_t next = INT64_MAX;
    if (p->far < 0)
        next = arrives_us(p);
    if (p->far >= 0 && p->up.first != NULL && p->up.first->due_us < next)
        next = p->up.first->due_us;
    if (p->down.first != NULL && p->down.first->due_us < next)
        next = p->down.first->due_us;
    return next;
}

static void turn(void)
{
    struct pollfd fds[LISTENERS_MAX + 2 * PAIRS_MAX];
    int64_t next = INT64_MAX, now;
    for (size_t i = 0; i < n_listeners; i++)
        fds[i] = (struct pollfd){ .fd = listeners[i].fd, .events = POLLIN };
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *p = &pairs[i];
        struct pollfd *at = &fds[n_listeners + 2 * i];
        at[0] = (struct pollfd){ .fd = p->used && wants_more(&p->up) ? p->near : -1, .events = POLLIN };
        at[1] = (struct pollfd){ .fd = p->used && wants_more(&p->down) ? p->far : -1, .events = POLLIN };
        if (p->used && next_us(p) < next)
            next = next_us(p);
    }
    now = now_us();
    int64_t wait_us = next == INT64_MAX ? 1000000 : next > now ? next - now : 0;
    struct timespec wait = { wait_us / 1000000, wait_us % 1000000 * 1000 };
    if (ppoll(fds, n_listeners + 2 * (size_t)PAIRS_MAX, &wait, NULL) < 0 && errno != EINTR)
        give_up("ppoll");
    for (size_t i = 0; i < PAIRS_MAX; i++)
        if (pairs[i].used)
            serve(&pairs[i], fds[n_listeners + 2 * i].revents != 0, fds[n_listeners + 2 * i + 1].revents != 0);
    for (size_t i = 0; i < n_listeners; i++)
        if (fds[i].revents != 0)
            on_new(listeners[i].fd, listeners[i].to);
}

static void listen_on(const char *words)
{
    unsigned from, to;
    int on = 1;
    if (n_listeners == LISTENERS_MAX || sscanf(words, "%u:%u", &from, &to) != 2 || from > 65535 || to > 65535) {
        fprintf(stderr, "delay: --line FROM:TO was expected, two ports\n");
        exit(2);
    }
    struct sockaddr_in at = loopback((uint16_t)from);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 128) != 0)
        give_up(words);
    listeners[n_listeners].fd = fd;
    listeners[n_listeners++].to = (uint16_t)to;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--line") == 0)
            listen_on(argv[i + 1]);
        else if (strcmp(argv[i], "--rtt-ms") == 0)
            half_us = strtol(argv[i + 1], NULL, 10) * 500;
    if (n_listeners == 0) {
        fprintf(stderr, "usage: delay --rtt-ms N --line FROM:TO ...   ports of 127.0.0.1\n");
        return 2;
    }
    puts("ready");
    fflush(stdout);
    for (;;)
        turn();
}
