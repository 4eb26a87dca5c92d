/* Happy eyeballs: a row of non-blocking sockets. */
#include "backends/ways/connecting.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "backends/ipsec/ipsec_policy.h"
#include "proxy/net/conn.h"

static const struct {
    int error;
    bool ours;
    const char *why;
} reasons[] = {
    {ECONNREFUSED,   false, "refused"    },
    { ETIMEDOUT,     false, "timeout"    },
    { ENETUNREACH,   false, "unreachable"},
    { EHOSTUNREACH,  false, "unreachable"},
    { ENETDOWN,      false, "unreachable"},
    { ECONNRESET,    false, "reset"      },
    { EAFNOSUPPORT,  false, "unreachable"}, /* a machine without IPv6 */
    { EADDRNOTAVAIL, true,  "our_limits" },
    { EMFILE,        true,  "our_limits" },
    { ENFILE,        true,  "our_limits" },
    { ENOMEM,        true,  "our_limits" },
    { ENOBUFS,       true,  "our_limits" },
    { EACCES,        true,  "forbidden"  },
    { EPERM,         true,  "forbidden"  },
    { EAGAIN,        false, "no_sa"      }, /* of a socket with an IPsec policy: nothing was
  sent */
};

static void note_failure(struct connecting *c, int error)
{
    c->why = "connect_error";
    c->ours = false;
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].error == error) {
            c->why = reasons[i].why;
            c->ours = reasons[i].ours;
        }
    }
}

static void attempt_close(struct attempt *a)
{
    if (a->watch == NULL)
        return;
    watch_free(&a->watch);
    close(a->fd);
    a->connecting->open--;
}

static void on_stagger(struct alarm *a);
static void on_failed(struct later *l);

static bool attempt_start(struct attempt *a);

/* The next address, and the one after it if that fails at once; when none is left and none is under way, the end. */
static void go_on(struct connecting *c)
{
    alarm_clear(&c->stagger);
    while (c->next < c->n) {
        if (!attempt_start(&c->attempts[c->next++]))
            continue;
        if (c->next == c->n || alarm_set(&c->stagger, CONNECTING_STAGGER_MS, on_stagger))
            return;
    }
    if (c->open == 0)
        loop_later(&c->failed, on_failed);
}

static void on_stagger(struct alarm *a)
{
    go_on(OWNER_OF(a, struct connecting, stagger));
}

static void on_failed(struct later *l)
{
    struct connecting *c = OWNER_OF(l, struct connecting, failed);
    c->done(c, -1, NULL);
}

/* A port of this machine on which nobody listens can be its own partner, when the kernel picks just that one as the
 * source (simultaneous open, RFC 9293 3.5). */
static bool is_self(int fd, const struct addr *peer)
{
    struct sockaddr_storage at;
    struct addr own;
    socklen_t n = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &n) == 0 && addr_from_sockaddr((struct sockaddr *)&at, &own) &&
           addr_eq(&own, peer);
}

/* 0: connected; EINPROGRESS: not yet; else what went wrong. */
static int look(const struct attempt *a)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    int error = 0;
    socklen_t error_n = sizeof error;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &error_n) < 0)
        return errno;
    if (error != 0)
        return error;
    if (getpeername(a->fd, (struct sockaddr *)&peer, &n) < 0)
        return errno == ENOTCONN ? EINPROGRESS : errno;
    return is_self(a->fd, &a->address) ? ECONNREFUSED : 0;
}

static void on_attempt_ready(void *owner, unsigned events UNUSED)
{
    struct attempt *a = owner;
    struct connecting *c = a->connecting;
    int error = look(a);
    if (error == EINPROGRESS)
        return;
    if (error != 0) {
        note_failure(c, error);
        attempt_close(a);
        go_on(c);
        return;
    }
    int fd = a->fd;
    struct addr address = a->address;
    watch_free(&a->watch);
    c->open--;
    connecting_stop(c);
    c->done(c, fd, &address);
}

static bool attempt_start(struct attempt *a)
{
    struct sockaddr_storage to;
    socklen_t n = addr_to_sockaddr(&a->address, &to);
    int fd = socket(a->address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        note_failure(a->connecting, errno);
        return false;
    }
    conn_set_options(fd);
    if (a->connecting->rule.reqid != 0 && !ipsec_policy_set(fd, &a->connecting->rule, &a->address)) {
        note_failure(a->connecting, errno);
        close(fd);
        return false;
    }
    if (connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS) {
        note_failure(a->connecting, errno);
        close(fd);
        return false;
    }
    a->watch = watch_new(fd, WATCH_WRITE, on_attempt_ready, a);
    if (a->watch == NULL) {
        note_failure(a->connecting, ENOMEM);
        close(fd);
        return false;
    }
    a->fd = fd;
    a->connecting->open++;
    return true;
}

void connecting_start(struct connecting *c, const struct ipsec_rule *rule, const struct addr *addrs, size_t n,
                      void (*done)(struct connecting *c, int fd, const struct addr *address))
{
    *c = (struct connecting){
        .n = n < CONNECTING_ADDRS_MAX ? n : CONNECTING_ADDRS_MAX, .done = done, .rule = *rule, .why = "no_address"
    };
    for (size_t i = 0; i < c->n; i++)
        c->attempts[i] = (struct attempt){ .connecting = c, .fd = -1, .address = addrs[i] };
    go_on(c);
}

void connecting_stop(struct connecting *c)
{
    alarm_clear(&c->stagger);
    loop_never(&c->failed);
    for (size_t i = 0; i < c->next; i++)
        attempt_close(&c->attempts[i]);
    c->next = c->n; /* nothing more is started */
}
