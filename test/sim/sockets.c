/* The sockets by which backends connects (backends/ways/connecting.c), and how watch.h watches them: what becomes of
 * one says the address that it is to reach. */
#include <errno.h>
#include <unistd.h>

#include "proxy/net/deadline.h"
#include "proxy/net/watch.h"
#include "test/sim/sim.h"

enum { SOCKETS_MAX = 256, TIMEOUT_MS = 5000 };

struct watch {
    watch_fn *fn; /* NULL: nobody */
    void *owner;
    unsigned events;
};

struct sock {
    bool used;
    int fd;
    struct watch watch;
    struct alarm settled;
    bool is_settled;
    int error;
    struct addr peer;
};

static struct sock socks[SOCKETS_MAX];
static size_t n_open;

size_t sockets_open(void)
{
    return n_open;
}

bool socket_is(int fd)
{
    void *at = channel_of(fd);
    return at >= (void *)socks && at < (void *)(socks + SOCKETS_MAX);
}

static struct sock *sock_of(int fd)
{
    struct sock *s = channel_of(fd);
    SIM_REQUIRE(socket_is(fd) && s->used && s->fd == fd);
    return s;
}

void socket_closed(int fd)
{
    struct sock *s = sock_of(fd);
    SIM_REQUIRE(s->watch.fn == NULL); /* watch_free goes before close */
    alarm_clear(&s->settled);
    n_open--;
    s->used = false;
}

/* ---- watching ---- */

static void tell(struct sock *s)
{
    if (s->is_settled && s->watch.fn != NULL && (s->watch.events & WATCH_WRITE))
        s->watch.fn(s->watch.owner, WATCH_WRITE);
}

static void on_settled(struct alarm *a)
{
    struct sock *s = OWNER_OF(a, struct sock, settled);
    s->is_settled = true;
    tell(s);
}

struct watch *watch_new(int fd, unsigned events, watch_fn *fn, void *owner)
{
    struct sock *s = sock_of(fd);
    s->watch = (struct watch){ .fn = fn, .owner = owner, .events = events };
    return &s->watch;
}

void watch_set(struct watch *w, unsigned events)
{
    w->events = events;
}

void watch_free(struct watch **w)
{
    if (*w != NULL)
        (*w)->fn = NULL;
    *w = NULL;
}

/* ---- system calls (ld --wrap) ---- */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *to, socklen_t n);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t n);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *n);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *n);
int __real_getpeername(int fd, struct sockaddr *at, socklen_t *n);
int __wrap_getpeername(int fd, struct sockaddr *at, socklen_t *n);
int __real_getsockname(int fd, struct sockaddr *at, socklen_t *n);
int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *n);

int __wrap_socket(int family, int type, int protocol)
{
    if ((type & SOCK_STREAM) == 0 || (type & SOCK_NONBLOCK) == 0)
        return __real_socket(family, type, protocol); /* reach.c asks the kernel which addresses it has */
    struct sock *s = socks;
    while (s->used)
        SIM_REQUIRE(++s < socks + SOCKETS_MAX);
    *s = (struct sock){ .used = true, .fd = channel_fd(s) };
    n_open++;
    return s->fd;
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t n)
{
    if (!fd_is_ours(fd))
        return __real_connect(fd, to, n);
    struct sock *s = sock_of(fd);
    SIM_REQUIRE(addr_from_sockaddr(to, &s->peer));
    ways_require_allowed(&s->peer);
    enum address_kind kind = dns_kind(&s->peer);
    s->error = kind == ADDRESS_LIVES ? 0 : kind == ADDRESS_REFUSES ? ECONNREFUSED : ETIMEDOUT;
    if (kind == ADDRESS_REFUSES && random_below(3) == 0) {
        errno = ENETUNREACH;
        return -1;
    }
    unsigned ms = random_below(random_below(10) == 0 ? 600 : 20);
    SIM_REQUIRE(alarm_set(&s->settled, kind == ADDRESS_SILENT ? TIMEOUT_MS : ms, on_settled));
    errno = EINPROGRESS;
    return -1;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
    if (!fd_is_ours(fd))
        return __real_getsockopt(fd, level, name, value, n);
    SIM_REQUIRE(level == SOL_SOCKET && name == SO_ERROR && *n == sizeof(int));
    memcpy(value, &sock_of(fd)->error, sizeof(int));
    return 0;
}

static int give_address(const struct addr *a, struct sockaddr *at, socklen_t *n)
{
    struct sockaddr_storage room;
    *n = addr_to_sockaddr(a, &room);
    memcpy(at, &room, *n);
    return 0;
}

int __wrap_getpeername(int fd, struct sockaddr *at, socklen_t *n)
{
    if (!fd_is_ours(fd))
        return __real_getpeername(fd, at, n);
    const struct sock *s = sock_of(fd);
    if (s->is_settled && s->error == 0)
        return give_address(&s->peer, at, n);
    errno = ENOTCONN;
    return -1;
}

int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *n)
{
    if (!fd_is_ours(fd))
        return __real_getsockname(fd, at, n);
    struct addr own = sock_of(fd)->peer;
    own.port = 40000;
    return give_address(&own, at, n);
}
