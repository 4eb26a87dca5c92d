/* The life of a child: birth, READY, and one of two ends. */
#include "proxy/supervisor/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/net/loop.h"

struct list children = { &children, &children };

static const struct child_events *events;
static const int *tables;

void children_init(const struct child_events *of, const int of_roles[ROLES])
{
    events = of;
    tables = of_roles;
}

/* An alarm that cannot be set is memory of some bytes that is not there: without its alarms main is no supervisor. */
static void set_alarm(struct child *c, int64_t after_ms, void (*ring)(struct alarm *))
{
    if (!alarm_set(&c->alarm, after_ms, ring))
        abort();
}

/* ---- the end ---- */

static void let_go(struct child *c)
{
    alarm_clear(&c->alarm);
    list_remove(&c->link);
    events->left(c);
    settings_unref(&c->settings);
    free(c);
}

static void let_go_alarm(struct alarm *a)
{
    let_go(OWNER_OF(a, struct child, alarm));
}

static void kill_late(struct alarm *a)
{
    process_kill(&OWNER_OF(a, struct child, alarm)->process);
}

static void on_ended(struct process *p, int status)
{
    struct child *c = OWNER_OF(p, struct child, process);
    bool asked = c->state == CHILD_LEAVING && (status == 0 || c->process.killed);
    alarm_clear(&c->alarm);
    c->lived_ms = loop_now_ms() - c->born_ms;
    if (c->why[0] == '\0')
        process_end_text(status, c->why);
    if (!asked)
        events->fallen(c);
    if (c->state == CHILD_LEAVING)
        let_go(c);
}

/* ---- what it says ---- */

static void be_ready(struct child *c)
{
    if (c->state != CHILD_BORN)
        return;
    alarm_clear(&c->alarm);
    c->state = CHILD_READY;
    events->ready(c);
}

/* It cannot serve: whether it goes by itself or not, it goes. */
static void fail(struct child *c, struct span why)
{
    snprintf(c->why, sizeof c->why, "%.*s", SPAN_ARG(span_trim(why)));
    process_kill(&c->process);
}

static void on_message(struct process *p, struct message *m)
{
    struct child *c = OWNER_OF(p, struct child, process);
    switch (m->type) {
    case MSG_READY:
        be_ready(c);
        break;
    case MSG_FAILED:
        fail(c, m->text.text);
        break;
    case MSG_UNLISTENED:
        events->unlistened(c, m->listen.socket);
        break;
    case MSG_UNCONNECTED:
        events->unconnected(c, (enum role_kind)m->channel.to);
        break;
    case MSG_CONTROLLED:
        events->controlled(c, m);
        break;
    default: /* not for main */
        fail(c, SPAN("it sent main a message that is not for main"));
    }
}

/* ---- birth ---- */

static void be_late(struct alarm *a)
{
    struct child *c = OWNER_OF(a, struct child, alarm);
    fail(c, SPAN("it was not ready to serve within 10 seconds"));
}

static void boot(struct child *c)
{
    static const enum settings_part bundles[ROLES] = {
        [ROLE_FRONT] = SETTINGS_FRONT_BUNDLE,
        [ROLE_AUTH] = SETTINGS_AUTH_BUNDLE,
        [ROLE_BACKENDS] = SETTINGS_BACKENDS_BUNDLE,
    };
    const int *fds = c->settings->fds;
    struct message m = { .type = MSG_BOOT, .n_fds = 2 };
    m.boot.slot = c->slot;
    m.boot.generation = c->settings->number;
    m.fds[0] = fds[SETTINGS_CONFIG];
    m.fds[1] = fds[bundles[c->kind]];
    if (tables[c->kind] >= 0)
        m.fds[m.n_fds++] = tables[c->kind];
    child_send(c, &m);
}

static const struct process_events process_events = { on_message, on_ended };

static void fall_unborn(struct alarm *a)
{
    events->fallen(OWNER_OF(a, struct child, alarm));
}

static void give_birth(struct alarm *a)
{
    struct child *c = OWNER_OF(a, struct child, alarm);
    c->born_ms = loop_now_ms();
    c->why[0] = '\0';
    if (!process_start(&c->process, c->name, &process_events)) {
        snprintf(c->why, sizeof c->why, "it cannot be started: %s", strerror(errno));
        c->lived_ms = 0;
        set_alarm(c, 0, fall_unborn);
        return;
    }
    c->state = CHILD_BORN;
    set_alarm(c, ROLE_BOOT_MS, be_late);
    boot(c);
    events->born(c);
}

static struct child *place_new(enum role_kind kind, uint64_t slot, struct generation *generation,
                               struct settings *settings)
{
    struct child *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct child){ .kind = kind, .slot = slot, .generation = generation, .settings = settings_ref(settings) };
    if (kind == ROLE_FRONT)
        snprintf(c->name, sizeof c->name, "front %u", (unsigned)slot + 1);
    else
        snprintf(c->name, sizeof c->name, "%s", role_names[kind]);
    list_init(&c->holds);
    list_add(&children, &c->link);
    return c;
}

struct child *child_new(enum role_kind kind, uint64_t slot, struct generation *generation, struct settings *settings)
{
    struct child *c = place_new(kind, slot, generation, settings);
    if (c != NULL)
        set_alarm(c, 0, give_birth);
    return c;
}

struct child *child_adopt(uint64_t slot, struct generation *generation, struct settings *settings, pid_t pid,
                          int channel)
{
    struct child *c = place_new(ROLE_FRONT, slot, generation, settings);
    if (c == NULL) {
        close(channel);
        return NULL;
    }
    c->state = CHILD_READY;
    c->born_ms = loop_now_ms();
    if (process_adopt(&c->process, pid, channel, &process_events))
        return c;
    list_remove(&c->link);
    settings_unref(&c->settings);
    free(c);
    return NULL;
}

void child_again(struct child *c)
{
    c->state = CHILD_AWAY;
    set_alarm(c, backoff_wait_ms(&c->backoff, c->lived_ms), give_birth);
}

/* ---- leaving ---- */

void child_drain(struct child *c, const struct msg_drain *drain, int64_t kill_after_ms)
{
    struct message m = { .type = MSG_DRAIN, .drain = *drain };
    if (c->state < CHILD_READY || !child_is_there(c)) {
        child_dismiss(c);
        return;
    }
    c->state = CHILD_LEAVING;
    alarm_clear(&c->alarm);
    child_send(c, &m);
    if (kill_after_ms > 0)
        set_alarm(c, kill_after_ms, kill_late);
}

void child_dismiss(struct child *c)
{
    c->state = CHILD_LEAVING;
    alarm_clear(&c->alarm);
    if (c->process.running)
        process_kill(&c->process);
    else
        set_alarm(c, 0, let_go_alarm);
}

void child_release(struct child *c)
{
    process_release(&c->process);
    child_dismiss(c);
}

void child_send(struct child *c, const struct message *m)
{
    process_send(&c->process, m);
}

void child_send_fd(struct child *c, enum message_type type, int fd)
{
    struct message m = { .type = type, .fds = { fd }, .n_fds = 1 };
    child_send(c, &m);
}

void child_settle(struct child *c, struct settings *settings)
{
    settings_ref(settings);
    settings_unref(&c->settings);
    c->settings = settings;
}
