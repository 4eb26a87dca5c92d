/* A change, in the order of its steps: check, compare, make sure of what can fail (lock, log file, ports), wait for
 * room for one more generation, let the new processes rise beside the old ones, and only then swap. Until the swap the
 * old reign serves as if nothing had happened; what goes wrong before it costs nothing. */
#include "proxy/supervisor/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/net/loop.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/check.h"
#include "proxy/supervisor/checker.h"
#include "proxy/supervisor/control.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/logger.h"
#include "proxy/supervisor/notify.h"
#include "proxy/supervisor/sockets.h"
#include "proxy/supervisor/stop.h"
#include "proxy/supervisor/swap.h"
#include "proxy/supervisor/tell.h"

enum {
    RETRY_MS = 50,
    ROOM_MS = 1000, /* how long an old generation may take to leave by itself */
    SENTENCES_MAX = 1 << 16,
    SEEN_MAX = 4 << 20
};

enum step { STEP_NONE, STEP_CHECK, STEP_ROOM, STEP_RISE };

static struct {
    enum step step;
    bool again;         /* asked for meanwhile */
    bool renews[ROLES]; /* whose processes must be born again */
    struct lock lock;   /* on the runtime directory, if that is another one */
    struct buf seen;    /* for files_watch */
    struct buf said;    /* the check's warnings, for whoever asked for the change */
    struct alarm alarm;
    int64_t began_ms;
} change = { .lock = { .fd = -1 } };

/* What came of the last one that has come to its end. */
static struct {
    int64_t at_s; /* since 1970; 0: none has */
    bool good;
    char why[512];
} last;

static void remember(bool good, struct span why)
{
    last.at_s = (int64_t)time(NULL);
    last.good = good;
    snprintf(last.why, sizeof last.why, "%.*s", SPAN_ARG(span_trim(why)));
}

void change_tell(struct json *j)
{
    json_open(j, "reload");
    json_number(j, "at_s", last.at_s);
    json_flag(j, "ok", last.good);
    if (last.why[0] != '\0')
        json_word(j, "why", last.why);
    json_close(j);
}

static void set_alarm(int64_t after_ms, void (*ring)(struct alarm *))
{
    if (!alarm_set(&change.alarm, after_ms, ring))
        abort(); /* a few bytes of heap: without them main is no supervisor */
}

bool change_is_under_way(void)
{
    return change.step != STEP_NONE;
}

/* ---- the bad end ---- */

static void drop(void)
{
    alarm_clear(&change.alarm);
    if (house.coming.fronts != NULL)
        generation_dismiss(house.coming.fronts);
    for (size_t kind = 0; kind < ROLES; kind++)
        if (house.coming.helpers[kind] != NULL)
            child_dismiss(house.coming.helpers[kind]);
    settings_unref(&house.coming.settings);
    house.coming = (struct reign){ 0 };
    sockets_abort();
    logger_abort();
    lock_release(&change.lock);
    buf_fini(&change.seen);
    buf_fini(&change.said);
    change.step = STEP_NONE;
}

void change_cancel(void)
{
    change.again = false;
    checker_cancel();
    drop();
}

static void refuse(struct span why)
{
    drop();
    if (house.phase == PHASE_START) {
        tell_stderr(why); /* nobody reads a log yet: whoever starts us looks here */
        stop_at_once(1);
        return;
    }
    tell_log(why, LOG_ERROR, "reload", "refused");
    remember(false, why);
    control_changed(false, SPAN_NONE, why);
    if (change.again)
        change_begin();
}

static void refuse_part(const char *part, const char *why)
{
    char text[640];
    int n = snprintf(text, sizeof text, "%s: %s", part, why);
    refuse(span_first(span_bytes(text, (size_t)n), sizeof text - 1));
}

/* ---- the check ---- */

static void on_checked(struct checked *c);

static void begin_again(struct alarm *alarm UNUSED)
{
    change_begin();
}

/* The checker may be busy with a map that has changed by itself; that is not thrown away. */
void change_begin(void)
{
    change.again = change_is_under_way() || checker_is_busy();
    if (change.again && !change_is_under_way())
        set_alarm(RETRY_MS, begin_again);
    if (change.again)
        return;
    change.step = STEP_CHECK;
    change.began_ms = loop_now_ms();
    if (!checker_start(CHECK_ALL, house.file, house.now.settings, on_checked))
        refuse_part("the check cannot be started", strerror(errno));
}

/* ---- what must be born again ---- */

static void compare(void)
{
    const struct settings *was = house.now.settings, *will = house.coming.settings;
    bool all = was == NULL || strcmp(was->config->run.user, will->config->run.user) != 0;
    change.renews[ROLE_FRONT] =
        all || was->config->run.workers != will->config->run.workers || settings_differ(was, will, FOR_FRONT);
    change.renews[ROLE_AUTH] = all || settings_differ(was, will, FOR_AUTH) ||
                               !blob_same(was->fds[SETTINGS_AUTH_BUNDLE], will->fds[SETTINGS_AUTH_BUNDLE]);
    change.renews[ROLE_BACKENDS] = all || settings_differ(was, will, FOR_BACKENDS);
}

/* ---- what can fail ---- */

static bool take_lock(struct buf *errors)
{
    const char *dir = house.coming.settings->config->run.runtime_dir;
    struct buf why;
    if (house.now.settings != NULL && strcmp(house.now.settings->config->run.runtime_dir, dir) == 0)
        return true;
    buf_init(&why, SENTENCES_MAX);
    enum lock_result result = lock_take(&change.lock, dir, &why);
    bool good = result != LOCK_BUSY || complain(errors, "%.*s", SPAN_ARG(span_trim(buf_span(&why))));
    if (result == LOCK_HOPELESS)
        tell_log(buf_span(&why), LOG_WARNING, "runtime_dir", NULL);
    buf_fini(&why);
    return good;
}

static bool prepare(struct buf *errors)
{
    return logger_prepare(house.coming.settings->config, errors) && take_lock(errors) &&
           sockets_prepare(house.coming.settings, house.phase == PHASE_START, errors);
}

/* Everything from here on is said where the admin wants the log. */
static void say_start(void)
{
    const struct config *config = house.coming.settings->config;
    struct buf text;
    if (house.phase != PHASE_START)
        return;
    logger_commit();
    log_set(config->log.level, config->log.format);
    buf_init(&text, SENTENCES_MAX);
    if (settings_tell(config, &text))
        log_say(LOG_INFO, "start", "%.*s", SPAN_ARG(buf_span(&text)));
    buf_fini(&text);
}

static void make_room(void);

static bool take_checked(struct checked *c)
{
    int fds[SETTINGS_PARTS];
    buf_init(&change.seen, SEEN_MAX);
    if (!buf_add(&change.seen, c->seen))
        return false;
    memcpy(fds, c->fds, sizeof fds);
    for (size_t i = 0; i < SETTINGS_PARTS; i++)
        c->fds[i] = -1;
    house.coming.settings = settings_new(fds);
    return house.coming.settings != NULL;
}

/* They are in the log in any case. */
static void keep_warnings(struct span lines)
{
    buf_init(&change.said, SENTENCES_MAX);
    if (!buf_add(&change.said, lines))
        buf_clear(&change.said);
}

static void on_checked(struct checked *c)
{
    struct buf errors;
    if (!c->good) {
        refuse(c->text);
        return;
    }
    if (!take_checked(c)) {
        refuse(SPAN("out of memory"));
        return;
    }
    compare();
    buf_init(&errors, SENTENCES_MAX);
    if (prepare(&errors)) {
        say_start();
        tell_log(c->text, LOG_WARNING, "configuration", NULL);
        keep_warnings(c->text);
        make_room();
    } else {
        refuse(errors.n > 0 ? buf_span(&errors) : SPAN("out of memory"));
    }
    buf_fini(&errors);
}

/* ---- room for one more generation ---- */

static void rise(void);

static size_t generations_most(void)
{
    size_t most = (size_t)house.coming.settings->config->run.generations_max;
    return most > 2 ? most : 2; /* old and new, for a moment */
}

static bool is_room(void)
{
    return !change.renews[ROLE_FRONT] || house.phase == PHASE_START || /* nobody else serves new clients */
           generations_alive() < generations_most();
}

/* There may be more of them than one too many: a takeover waits for no room. Those that are ending already make room
 * as soon as they have. */
static void hurry(struct alarm *alarm UNUSED)
{
    if (generations_staying() >= generations_most() &&
        generation_hurry_oldest(house.now.settings->config->run.drain_spread_s * SECOND))
        log_say(LOG_WARNING, "generations", "%zu generations of fronts are alive; the oldest ends its sessions",
                generations_alive());
    set_alarm(ROOM_MS + house.now.settings->config->run.drain_spread_s * SECOND, hurry);
}

static void make_room(void)
{
    change.step = STEP_ROOM;
    if (is_room())
        rise();
    else
        set_alarm(ROOM_MS, hurry);
}

void change_room(void)
{
    if (change.step == STEP_ROOM && is_room())
        rise();
}

/* ---- the new ones ---- */

static void commit(void);

static bool all_ready(void)
{
    bool ready = house.coming.fronts == NULL || generation_is_ready(house.coming.fronts);
    for (size_t kind = 0; kind < ROLES; kind++)
        ready = ready && (house.coming.helpers[kind] == NULL || house.coming.helpers[kind]->state == CHILD_READY);
    return ready;
}

static bool renew_helper(enum role_kind kind)
{
    if (!change.renews[kind])
        return true;
    house.coming.helpers[kind] = child_new(kind, 0, NULL, house.coming.settings);
    return house.coming.helpers[kind] != NULL;
}

static bool renew_fronts(void)
{
    if (!change.renews[ROLE_FRONT])
        return true;
    house.coming.fronts = generation_new(house.coming.settings);
    return house.coming.fronts != NULL;
}

static void rise(void)
{
    alarm_clear(&change.alarm);
    change.step = STEP_RISE;
    if (!renew_helper(ROLE_AUTH) || !renew_helper(ROLE_BACKENDS) || !renew_fronts())
        refuse(SPAN("out of memory"));
    else if (all_ready())
        commit();
}

void change_ready(void)
{
    if (change.step == STEP_RISE && all_ready())
        commit();
}

bool change_fallen(const struct child *c)
{
    bool is_part =
        c == house.coming.helpers[c->kind] || (c->generation != NULL && c->generation == house.coming.fronts);
    if (change.step != STEP_RISE || !is_part)
        return false;
    refuse_part(c->name, c->why);
    return true;
}

/* ---- the good end ---- */

static void say_done(bool first)
{
    const struct config *config = house.now.settings->config;
    struct log_line l;
    struct buf text;
    buf_init(&text, SENTENCES_MAX);
    log_begin(&l, LOG_INFO, first ? "ready" : "reload");
    log_word(&l, "result", first ? NULL : "ok");
    log_number(&l, "generation", (int64_t)house.now.settings->number);
    log_number(&l, "ms", loop_now_ms() - change.began_ms);
    log_word(&l, "fronts", change.renews[ROLE_FRONT] ? "new" : "same");
    log_word(&l, "auth", change.renews[ROLE_AUTH] ? "new" : "same");
    log_word(&l, "backends", change.renews[ROLE_BACKENDS] ? "new" : "same");
    if (settings_tell(config, &text))
        log_text(&l, "text", buf_span(&text));
    log_end(&l);
    buf_fini(&text);
}

static void commit(void)
{
    bool first = house.phase == PHASE_START, new_house = change.lock.fd >= 0;
    if (new_house) {
        lock_release(&house.lock);
        house.lock = change.lock;
        change.lock = (struct lock){ .fd = -1 };
    }
    swap(&change.seen);
    buf_fini(&change.seen);
    house.phase = PHASE_SERVE;
    if (new_house)
        control_open(house.now.settings->config->run.runtime_dir);
    say_done(first);
    notify("READY=1");
    change.step = STEP_NONE;
    remember(true, SPAN_NONE);
    control_changed(true, buf_span(&change.said), SPAN_NONE);
    buf_fini(&change.said);
    if (change.again)
        change_begin();
}
