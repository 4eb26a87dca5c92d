/* The rest of proxy/net that the front needs: listeners that the world feeds, TLS contexts that are only names, hashes
 * and random numbers that are the same in every run; and the few system calls that the front makes on descriptors. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/hash.h"
#include "proxy/net/listener.h"
#include "proxy/net/loop.h"
#include "proxy/net/sandbox.h"
#include "proxy/net/tls.h"
#include "proxy/net/tls_pool.h"
#include "test/sim/sim.h"

/* ---- listeners ---- */

enum { LISTENERS_MAX = 16 };

struct listener {
    listener_accepted_fn *accepted; /* NULL: it is closed, or about to be */
    listener_closed_fn *closed;
    void *owner;
    struct later closing;
};
static struct listener listeners[LISTENERS_MAX];
static size_t n_listeners;

struct listener *listener_new(int fd, listener_accepted_fn *accepted, void *owner)
{
    SIM_REQUIRE(n_listeners < LISTENERS_MAX && fd_is_ours(fd));
    struct listener *l = &listeners[n_listeners++];
    *l = (struct listener){ .accepted = accepted, .owner = owner };
    return l;
}

static void on_closing(struct later *later)
{
    struct listener *l = OWNER_OF(later, struct listener, closing);
    l->closed(l->owner, l);
}

void listener_finish(struct listener *l, listener_closed_fn *closed)
{
    l->accepted = NULL;
    l->closed = closed;
    loop_later(&l->closing, on_closing);
}

bool port_listens(unsigned port)
{
    return port < n_listeners && listeners[port].accepted != NULL;
}

void accept_on(unsigned port, int fd, const struct addr *peer)
{
    SIM_REQUIRE(port < n_listeners);
    listeners[port].accepted(listeners[port].owner, &listeners[port], fd, peer);
}

/* ---- TLS ---- */

void tls_pool_open(size_t blocks UNUSED)
{
}

void tls_pool_trim(void)
{
}

struct tls_server {
    int none;
};
struct tls_client {
    int none;
};

struct tls_server *tls_server_new(const struct tls_server_order *order UNUSED, struct buf *why UNUSED)
{
    return calloc(1, sizeof(struct tls_server));
}

void tls_server_free(struct tls_server **tls)
{
    free(*tls);
    *tls = NULL;
}

struct tls_client *tls_client_new(const struct tls_client_order *order UNUSED, struct buf *why UNUSED)
{
    return calloc(1, sizeof(struct tls_client));
}

void tls_client_free(struct tls_client **tls)
{
    free(*tls);
    *tls = NULL;
}

void tls_ticket_keys(struct span keys UNUSED)
{
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash, struct span bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        hash = (hash ^ (unsigned char)bytes.at[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

uint64_t hash_keyed(struct span bytes)
{
    return mix(0xcbf29ce484222325u, bytes);
}

uint64_t hash_with(const unsigned char key[16], struct span bytes)
{
    return mix(key[0], bytes);
}

uint64_t hash_stable(struct span bytes)
{
    return mix(1, bytes);
}

bool sandbox_enter(const struct role *role UNUSED, unsigned needs UNUSED, struct buf *why UNUSED)
{
    return true; /* the world around the front has to go on */
}

void random_bytes(void *to, size_t n)
{
    memset(to, 0x17, n);
}

/* ---- system calls (ld --wrap) ---- */

int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_send(int fd, const void *from, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t n, int flags);
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);

int __wrap_close(int fd)
{
    if (!fd_is_ours(fd))
        return __real_close(fd);
    if (socket_is(fd))
        socket_closed(fd);
    fd_close(fd);
    return 0;
}

ssize_t __wrap_send(int fd, const void *from, size_t n, int flags)
{
    struct link *l = link_of(fd);
    if (l == NULL)
        return __real_send(fd, from, n, flags);
    struct wire *w = l->out;
    size_t room = w->room - w->n < n ? w->room - w->n : n;
    memcpy(w->at + w->n, from, room);
    w->n += room;
    return (ssize_t)room;
}

int __wrap_shutdown(int fd, int how)
{
    struct link *l = link_of(fd);
    if (l == NULL)
        return __real_shutdown(fd, how);
    l->out->ended = true;
    return 0;
}
