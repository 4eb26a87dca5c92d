/* Accepting. Sixteen a turn, so that a burst of new clients does not starve the sessions that exist; when descriptors
 * or memory are short nobody is accepted until a session has ended: a busy loop on EMFILE helps nobody. */
#include "proxy/net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/base/list.h"
#include "proxy/net/conn.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

enum { ACCEPTS_A_TURN = 16, SHORTAGE_PAUSE_MS = 100 };

struct listener {
    struct list link;
    int fd;
    struct watch *watch;
    listener_accepted_fn *accepted;
    listener_closed_fn *closed; /* set: finishing */
    void *owner;
    struct later finish;
};

static struct {
    struct list list;
    struct alarm shortage; /* set: nobody is accepted */
} all;

static bool is_waiting(void)
{
    return all.shortage.place != 0;
}

static void watch_all(void)
{
    if (all.list.next == NULL)
        return;
    LIST_EACH(link, &all.list)
        watch_set(OWNER_OF(link, struct listener, link)->watch, is_waiting() ? 0 : WATCH_READ);
}

static void on_shortage_over(struct alarm *a UNUSED)
{
    watch_all();
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* False: nobody waits any more. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage name;
    socklen_t n = sizeof name;
    struct addr peer;
    int fd = accept4(l->fd, (struct sockaddr *)&name, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (is_shortage(errno) && alarm_set(&all.shortage, SHORTAGE_PAUSE_MS, on_shortage_over))
            watch_all();
        return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
    }
    if (addr_from_sockaddr((struct sockaddr *)&name, &peer))
        l->accepted(l->owner, l, fd, &peer);
    else
        close(fd);
    return true;
}

static void on_readable(void *owner, unsigned events UNUSED)
{
    struct listener *l = owner;
    for (int i = 0; i < ACCEPTS_A_TURN && !is_waiting(); i++)
        if (!accept_one(l))
            return;
}

struct listener *listener_new(int fd, listener_accepted_fn *accepted, void *owner)
{
    struct listener *l = calloc(1, sizeof *l);
    if (all.list.next == NULL)
        list_init(&all.list);
    if (l != NULL)
        l->watch = watch_new(fd, is_waiting() ? 0 : WATCH_READ, on_readable, l);
    if (l == NULL || l->watch == NULL) {
        free(l);
        close(fd);
        return NULL;
    }
    l->fd = fd;
    conn_set_options(fd);
    l->accepted = accepted;
    l->owner = owner;
    list_init(&l->link);
    list_add(&all.list, &l->link);
    return l;
}

/* The descriptor leaves epoll before it is closed: another process may hold the same socket. */
static void finish(struct later *later)
{
    struct listener *l = OWNER_OF(later, struct listener, finish);
    while (accept_one(l))
        ;
    list_remove(&l->link);
    watch_free(&l->watch);
    close(l->fd);
    l->closed(l->owner, l);
    free(l);
}

void listener_finish(struct listener *l, listener_closed_fn *closed)
{
    l->closed = closed;
    watch_set(l->watch, 0);
    loop_later(&l->finish, finish);
}
