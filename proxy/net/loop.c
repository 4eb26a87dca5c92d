/* The loop: libuv has the clock, timers and signals; descriptors wait in an epoll set, in which libuv's own stands as
 * one of them. */
#include "proxy/net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "proxy/net/loop_uv.h"
#include "proxy/net/watch.h"

static struct {
    uv_loop_t uv;
    struct watch *uv_ready;
    bool uv_due; /* one of its descriptors is ready, or is new to it */
    bool stopped;
    struct list later;
} loop;

uv_loop_t *loop_uv(void)
{
    return &loop.uv;
}

static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "homeward: the event loop cannot start: %s: %s\n", what, uv_strerror(status));
    abort();
}

/* What is queued while this runs waits for the next turn: nobody starves the descriptors. */
static void run_later(void)
{
    struct list now;
    if (list_empty(&loop.later))
        return;
    now = loop.later;
    now.next->prev = now.prev->next = &now;
    list_init(&loop.later);
    while (!list_empty(&now)) {
        struct later *l = OWNER_OF(now.next, struct later, link);
        list_remove(&l->link);
        l->fn(l); /* may free l, or queue it again */
    }
}

void loop_later(struct later *l, void (*fn)(struct later *l))
{
    if (l->link.next != NULL && !list_empty(&l->link))
        return;
    l->fn = fn;
    list_init(&l->link);
    list_add(&loop.later, &l->link);
}

void loop_never(struct later *l)
{
    if (l->link.next != NULL)
        list_remove(&l->link);
}

static void on_uv_ready(void *owner UNUSED, unsigned events UNUSED)
{
    loop.uv_due = true;
}

void loop_init(void)
{
    must(uv_loop_init(&loop.uv), "uv_loop_init");
    list_init(&loop.later);
    watch_init();
    loop.uv_ready = watch_new(uv_backend_fd(&loop.uv), WATCH_READ, on_uv_ready, NULL);
    must(loop.uv_ready != NULL ? 0 : UV_ENOMEM, "uv_backend_fd");
    loop.uv_due = true;
}

/* How long nothing will happen by itself, in milliseconds; -1: for ever. What the callbacks took is not slept again. */
static int quiet_ms(void)
{
    if (loop.uv_due || !list_empty(&loop.later))
        return 0;
    loop_refresh();
    return uv_loop_alive(&loop.uv) ? uv_backend_timeout(&loop.uv) : -1; /* without timers libuv's timeout is 0 */
}

static void run_uv(void)
{
    if (!loop.uv_due && (!uv_loop_alive(&loop.uv) || uv_backend_timeout(&loop.uv) != 0))
        return;
    loop.uv_due = false;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

void loop_run(void)
{
    while (!loop.stopped) {
        watch_wait(quiet_ms());
        uv_update_time(&loop.uv);
        watch_tell();
        run_uv();
        run_later();
    }
    loop.stopped = false;
}

void loop_stop(void)
{
    loop.stopped = true;
}

int64_t loop_now_ms(void)
{
    return (int64_t)uv_now(&loop.uv);
}

void loop_refresh(void)
{
    uv_update_time(&loop.uv);
}

enum { SIGNALS_MAX = 8 };
static struct signal_row {
    uv_signal_t uv;
    loop_signal_fn *fn;
} signals[SIGNALS_MAX];
static size_t n_signals;

static void on_signal(uv_signal_t *uv, int number)
{
    OWNER_OF(uv, struct signal_row, uv)->fn(number);
}

void loop_on_signal(int number, loop_signal_fn *fn)
{
    assert(n_signals < SIGNALS_MAX);
    struct signal_row *row = &signals[n_signals++];
    row->fn = fn;
    must(uv_signal_init(&loop.uv, &row->uv), "uv_signal_init");
    must(uv_signal_start(&row->uv, on_signal, number), "uv_signal_start");
    loop.uv_due = true;
}
