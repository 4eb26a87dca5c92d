/* Starting a check and taking its result. */
#include "proxy/supervisor/checker.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/base/pack.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/check.h"
#include "proxy/supervisor/process.h"

enum { CONFIG_BYTES_MAX = 16 << 20, SEEN_BYTES_MAX = 4 << 20, ORDER_MAX = 8192 };

static struct {
    struct process process;
    struct alarm alarm;
    void (*done)(struct checked *c); /* NULL: has been called, or must not be */
    bool late;
} checker;

bool checker_is_busy(void)
{
    return checker.process.running;
}

/* ---- the result ---- */

static void finish(struct checked *c)
{
    void (*done)(struct checked *) = checker.done;
    checker.done = NULL;
    alarm_clear(&checker.alarm);
    if (done != NULL)
        done(c);
    for (size_t i = 0; i < SETTINGS_PARTS; i++)
        if (c->fds[i] >= 0)
            close(c->fds[i]);
}

static void finish_badly(struct span text)
{
    struct checked c = {
        .text = text, .fds = {-1, -1, -1, -1, -1, -1}
    };
    finish(&c);
}

static bool is_sealed(int fd)
{
    struct span bytes;
    bool good = blob_map(fd, &bytes);
    blob_unmap(&bytes);
    return good;
}

/* The first blob holds two strings; roles get the configuration in a blob of its own. */
static void take_result(struct message *m)
{
    struct span news;
    struct checked c = {
        .good = m->n_fds == SETTINGS_PARTS, .text = m->text.text, .fds = {-1, -1, -1, -1, -1, -1}
    };
    if (!c.good || !blob_map(m->fds[0], &news)) {
        finish_badly(SPAN("the check gave a result that cannot be used\n"));
        return;
    }
    struct unpack from = { .rest = news };
    c.fds[SETTINGS_CONFIG] = blob_make("configuration", unpack_string(&from, CONFIG_BYTES_MAX));
    c.seen = unpack_string(&from, SEEN_BYTES_MAX);
    for (size_t i = SETTINGS_FRONT_BUNDLE; i < SETTINGS_PARTS; i++) {
        c.fds[i] = ipc_take_fd(m, i);
        c.good = c.good && is_sealed(c.fds[i]);
    }
    c.good = c.good && !from.bad && c.fds[SETTINGS_CONFIG] >= 0;
    if (!c.good)
        c.text = SPAN("the check gave a result that cannot be used\n");
    finish(&c);
    blob_unmap(&news);
}

static void on_message(struct process *p UNUSED, struct message *m)
{
    if (m->type == MSG_CHECKED)
        take_result(m);
    else if (m->type == MSG_FAILED)
        finish_badly(m->text.text);
}

static void on_ended(struct process *p UNUSED, int status)
{
    char end[64], text[128];
    snprintf(text, sizeof text, "the process that checks the configuration %s\n",
             checker.late ? "needed more than 60 seconds" : process_end_text(status, end));
    finish_badly(span_of(text)); /* no effect when it has said its result */
}

static void be_late(struct alarm *a UNUSED)
{
    checker.late = true;
    process_kill(&checker.process);
}

/* ---- the order ---- */

static bool send_order(struct check_order *order, const struct settings *in_force)
{
    struct buf packed;
    buf_init(&packed, ORDER_MAX);
    int empty = blob_make("nothing", SPAN_NONE);
    struct message m = { .type = MSG_BOOT, .n_fds = 3 };
    m.fds[0] = check_pack(order, &packed) ? blob_make("order", buf_span(&packed)) : -1;
    m.fds[1] = in_force != NULL ? in_force->fds[SETTINGS_CONFIG] : empty;
    m.fds[2] = in_force != NULL ? in_force->fds[SETTINGS_MAP] : empty;
    bool good = m.fds[0] >= 0 && empty >= 0;
    if (good)
        process_send(&checker.process, &m);
    if (m.fds[0] >= 0)
        close(m.fds[0]);
    if (empty >= 0)
        close(empty);
    buf_fini(&packed);
    return good;
}

bool checker_start(unsigned parts, const char *file, const struct settings *in_force, void (*done)(struct checked *c))
{
    static const struct process_events events = { on_message, on_ended };
    struct check_order order = { .parts = parts, .file = file };
    assert(!checker_is_busy());
    if (!process_start(&checker.process, role_names[ROLE_CHECK], &events))
        return false;
    checker.done = done;
    checker.late = false;
    if (!send_order(&order, in_force) || !alarm_set(&checker.alarm, CHECKER_MS, be_late))
        process_kill(&checker.process); /* on_ended will tell */
    return true;
}

void checker_cancel(void)
{
    checker.done = NULL;
    alarm_clear(&checker.alarm);
    process_kill(&checker.process);
}

void checker_wait(void)
{
    if (checker_is_busy() && !checker.process.reaped)
        waitpid(checker.process.pid, NULL, 0);
}
