/* The loop: libuv's default one, its clock, signals, work for later, and readiness of single descriptors. */
#include "proxy/net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "proxy/net/loop_uv.h"

static struct {
    uv_loop_t uv;
    uv_check_t check;
    uv_idle_t idle; /* keeps the loop from sleeping while something is queued for later */
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

static void on_idle(uv_idle_t *idle UNUSED)
{
}

/* What is queued while this runs waits for the next turn: nobody starves the descriptors. */
static void run_later(uv_check_t *check UNUSED)
{
    struct list now;
    uv_idle_stop(&loop.idle); /* also when all that was queued has been taken back */
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
    uv_idle_start(&loop.idle, on_idle);
}

void loop_never(struct later *l)
{
    if (l->link.next != NULL)
        list_remove(&l->link);
}

void loop_init(void)
{
    must(uv_loop_init(&loop.uv), "uv_loop_init");
    must(uv_check_init(&loop.uv, &loop.check), "uv_check_init");
    must(uv_idle_init(&loop.uv, &loop.idle), "uv_idle_init");
    must(uv_check_start(&loop.check, run_later), "uv_check_start");
    list_init(&loop.later);
}

void loop_run(void)
{
    uv_run(&loop.uv, UV_RUN_DEFAULT);
}

void loop_stop(void)
{
    uv_stop(&loop.uv);
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
    uv_unref((uv_handle_t *)&row->uv);
}

struct watch {
    uv_poll_t uv;
    watch_fn *fn;
    void *owner;
    unsigned events;
};

struct watch *watch_new(int fd, watch_fn *fn, void *owner)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    if (uv_poll_init(&loop.uv, &w->uv, fd) != 0) {
        free(w);
        return NULL;
    }
    w->fn = fn;
    w->owner = owner;
    return w;
}

static void on_ready(uv_poll_t *uv, int status, int ready);

static void start(struct watch *w)
{
    int events = (w->events & WATCH_READ ? UV_READABLE : 0) | (w->events & WATCH_WRITE ? UV_WRITABLE : 0);
    if (events == 0)
        uv_poll_stop(&w->uv);
    else
        uv_poll_start(&w->uv, events, on_ready);
}

/* libuv stops a poll that saw an error. There may still be bytes to read before it, so it is started again: the owner
 * will come to the error when it has read them. */
static void on_ready(uv_poll_t *uv, int status, int ready)
{
    struct watch *w = OWNER_OF(uv, struct watch, uv);
    unsigned events = (ready & UV_READABLE ? WATCH_READ : 0) | (ready & UV_WRITABLE ? WATCH_WRITE : 0);
    if (status < 0) {
        events = WATCH_READ | WATCH_WRITE;
        start(w);
    }
    w->fn(w->owner, events);
}

void watch_set(struct watch *w, unsigned events)
{
    if (events == w->events)
        return;
    w->events = events;
    start(w);
}

static void on_closed(uv_handle_t *uv)
{
    free(OWNER_OF(uv, struct watch, uv));
}

void watch_free(struct watch **w)
{
    if (*w == NULL)
        return;
    uv_close((uv_handle_t *)&(*w)->uv, on_closed);
    *w = NULL;
}
