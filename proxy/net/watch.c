/* One epoll set (epoll(7)). A descriptor is added once and stays until it is freed, so that nothing can fail in
 * between. */
#include "proxy/net/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct watch {
    int fd;
    unsigned events;
    watch_fn *fn;
    void *owner;
};

enum { READY_MAX = 256 };

static struct {
    int epoll;
    struct epoll_event ready[READY_MAX];
    int n_ready, at; /* those before `at` have been told */
} set = { .epoll = -1 };

void watch_init(void)
{
    set.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (set.epoll >= 0)
        return;
    fprintf(stderr, "homeward: the event loop cannot start: epoll_create1: %s\n", strerror(errno));
    abort();
}

/* epoll reports errors and hang-ups to those who wait for nothing as well: as edges they come but once. */
static int tell_kernel(struct watch *w, int operation)
{
    struct epoll_event event = { .data.ptr = w };
    event.events =
        (w->events & WATCH_READ ? (unsigned)EPOLLIN : 0) | (w->events & WATCH_WRITE ? (unsigned)EPOLLOUT : 0);
    if (w->events == 0)
        event.events = EPOLLET;
    return epoll_ctl(set.epoll, operation, w->fd, &event);
}

struct watch *watch_new(int fd, unsigned events, watch_fn *fn, void *owner)
{
    struct watch *w = malloc(sizeof *w);
    if (w == NULL)
        return NULL;
    *w = (struct watch){ .fd = fd, .events = events, .fn = fn, .owner = owner };
    if (tell_kernel(w, EPOLL_CTL_ADD) == 0)
        return w;
    free(w);
    return NULL;
}

void watch_set(struct watch *w, unsigned events)
{
    if (events == w->events)
        return;
    w->events = events;
    int status = tell_kernel(w, EPOLL_CTL_MOD);
    assert(status == 0); /* no memory is needed for it */
}

void watch_free(struct watch **pointer)
{
    struct watch *w = *pointer;
    if (w == NULL)
        return;
    *pointer = NULL;
    /* Closing alone would not do: another process may hold the same descriptor still. */
    epoll_ctl(set.epoll, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = set.at; i < set.n_ready; i++)
        if (set.ready[i].data.ptr == w)
            set.ready[i].data.ptr = NULL;
    free(w);
}

void watch_wait(int timeout_ms)
{
    int n = epoll_wait(set.epoll, set.ready, READY_MAX, timeout_ms);
    set.at = 0;
    set.n_ready = n > 0 ? n : 0; /* interrupted: the loop goes round once more */
}

void watch_tell(void)
{
    while (set.at < set.n_ready) {
        const struct epoll_event *event = &set.ready[set.at++];
        struct watch *w = event->data.ptr;
        if (w == NULL)
            continue;
        unsigned events = (event->events & EPOLLIN ? WATCH_READ : 0) | (event->events & EPOLLOUT ? WATCH_WRITE : 0);
        if (event->events & (EPOLLERR | EPOLLHUP))
            events = WATCH_READ | WATCH_WRITE;
        events &= w->events;
        if (events != 0)
            w->fn(w->owner, events);
    }
}
