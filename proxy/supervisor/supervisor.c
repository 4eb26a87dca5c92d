/* main: sets the house up, then answers to signals and to what happens to its children. The stories are told in
 * change.c (start and reload), refresh.c (files that change by themselves) and stop.c. */
#include "proxy/supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "auth/guesses/penalties.h"
#include "proxy/net/loop.h"
#include "proxy/supervisor/assign.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/change.h"
#include "proxy/supervisor/checker.h"
#include "proxy/supervisor/control.h"
#include "proxy/supervisor/files.h"
#include "proxy/supervisor/given.h"
#include "proxy/supervisor/handover.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/logger.h"
#include "proxy/supervisor/notify.h"
#include "proxy/supervisor/refresh.h"
#include "proxy/supervisor/sockets.h"
#include "proxy/supervisor/stop.h"
#include "proxy/supervisor/takeover.h"
#include "proxy/supervisor/tickets.h"
#include "proxy/supervisor/weak.h"

enum { TABLE_BYTES = 1 << 20, SUPERVISOR_FDS_MAX = 1 << 20 };

/* ---- what happens to children ---- */

/* Of two who belong together the one that is born second finds the other there. */
static void on_born(struct child *c)
{
    if (c->kind == ROLE_FRONT)
        tickets_send(c);
    if (c->kind == ROLE_AUTH) {
        child_send_fd(c, MSG_ACCOUNTS, c->settings->fds[SETTINGS_ACCOUNTS]);
        child_send_fd(c, MSG_MAP, c->settings->fds[SETTINGS_MAP]); /* which makes it ready */
    }
    LIST_EACH(link, &children) {
        struct child *other = OWNER_OF(link, struct child, link);
        if (!child_is_there(other))
            continue;
        if (c->kind == ROLE_FRONT && other->kind != ROLE_FRONT && house_belong(c, other))
            house_connect(c, other);
        if (c->kind != ROLE_FRONT && other->kind == ROLE_FRONT && house_belong(other, c))
            house_connect(other, c);
    }
}

static void on_ready(struct child *c UNUSED)
{
    assign(house.now.fronts);
    change_ready();
}

static void on_unlistened(struct child *c, uint64_t socket)
{
    assign_unlistened(c, socket);
    assign(house.now.fronts);
}

static void on_unconnected(struct child *front, enum role_kind kind)
{
    struct child *helper = kind == ROLE_AUTH || kind == ROLE_BACKENDS ? house.now.helpers[kind] : NULL;
    if (helper == NULL || !child_is_there(helper) || !house_belong(front, helper))
        return; /* when there is one, it is introduced to all */
    log_say(LOG_WARNING, "channel", "%s and %s lost each other and are connected again", front->name, helper->name);
    house_connect(front, helper);
}

static void log_fallen(const struct child *c)
{
    struct log_line l;
    log_begin(&l, LOG_ERROR, "role_died");
    log_text(&l, "process", span_of(c->name));
    log_number(&l, "pid", c->process.pid);
    log_number(&l, "generation", (int64_t)c->settings->number);
    log_number(&l, "lived_ms", c->lived_ms);
    log_text(&l, "why", span_of(c->why));
    log_end(&l);
}

static void on_fallen(struct child *c)
{
    assign_forget(c);
    control_lost(c);
    if (house.phase != PHASE_START && house.exit_status == 0) /* why we do not start is said once, on stderr */
        log_fallen(c);
    if (change_fallen(c) || c->state == CHILD_LEAVING)
        return;
    if (house.phase == PHASE_SERVE)
        child_again(c);
    else
        child_dismiss(c);
    assign(house.now.fronts);
}

static void on_left(struct child *c)
{
    assign_forget(c);
    control_lost(c);
    if (house.now.helpers[c->kind] == c)
        house.now.helpers[c->kind] = NULL;
    const struct generation *of = c->generation;
    if (of != NULL && generation_left(c) && of == house.now.fronts)
        house.now.fronts = NULL;
    assign(house.now.fronts);
    change_room();
    stop_left();
}

/* ---- signals ---- */

static void on_hup(int signal UNUSED)
{
    if (house.phase == PHASE_STOP)
        return;
    logger_reopen();
    change_begin();
}

static void on_stop(int signal UNUSED)
{
    stop_begin();
}

static size_t count(const struct list *list)
{
    size_t n = 0;
    LIST_EACH(link, list)
        n++;
    return n;
}

static void on_usr2(int signal UNUSED)
{
    takeover();
}

static void on_usr1(int signal UNUSED)
{
    struct message m = { .type = MSG_STATUS };
    struct log_line l;
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (child_is_there(c) && c->state != CHILD_BORN)
            child_send(c, &m);
    }
    log_begin(&l, LOG_INFO, "status");
    log_number(&l, "generation", house.now.settings != NULL ? (int64_t)house.now.settings->number : 0);
    log_number(&l, "generations", (int64_t)generations_alive());
    log_number(&l, "processes", (int64_t)count(&children));
    log_number(&l, "sockets", (int64_t)count(&sockets));
    log_number(&l, "log_dropped", (int64_t)log_dropped());
    log_end(&l);
}

/* ---- life ---- */

/* Descriptors 0 to 2 are taken, so that none of ours can become somebody's stderr. */
static void fill_standard_fds(void)
{
    for (int fd = open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = open("/dev/null", O_RDWR | O_CLOEXEC)) {
        if (fd <= STDERR_FILENO)
            continue;
        close(fd);
        return;
    }
}

static void set_limits(void)
{
    struct rlimit fds, core = { 0, 0 };
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0) {
        fds.rlim_cur = fds.rlim_max < SUPERVISOR_FDS_MAX ? fds.rlim_max : SUPERVISOR_FDS_MAX;
        setrlimit(RLIMIT_NOFILE, &fds);
    }
    setrlimit(RLIMIT_CORE, &core); /* main holds ticket keys */
}

static bool open_table(enum role_kind kind, size_t bytes)
{
    house.tables[kind] = handover_table(kind, bytes);
    if (house.tables[kind] < 0)
        house.tables[kind] = blob_make_table(role_names[kind], bytes);
    return house.tables[kind] >= 0;
}

/* The log's, and the memory of helpers: new, or a predecessor's. */
static bool open_channels(void)
{
    int ends[2];
    handover_log(ends);
    return open_table(ROLE_BACKENDS, TABLE_BYTES) && open_table(ROLE_AUTH, PENALTIES_BYTES) && logger_start(ends);
}

static bool set_up(const char *file)
{
    static const struct child_events events = { on_born,          on_ready,  on_unlistened, on_unconnected,
                                                control_answered, on_fallen, on_left };
    fill_standard_fds();
    set_limits();
    signal(SIGPIPE, SIG_IGN);
    house.file = file;
    handover_open();
    if (!open_channels())
        return false;
    log_open(logger_fd(), role_names[ROLE_MAIN]);
    takeover_init();
    loop_init();
    house.started_ms = loop_now_ms();
    processes_init();
    children_init(&events, house.tables);
    given_adopt();
    handover_adopt();
    tickets_start(12 * HOUR); /* until the configuration says how long */
    files_start(refresh);
    weak_start();
    loop_on_signal(SIGHUP, on_hup);
    loop_on_signal(SIGTERM, on_stop);
    loop_on_signal(SIGINT, on_stop);
    loop_on_signal(SIGUSR1, on_usr1);
    loop_on_signal(SIGUSR2, on_usr2);
    notify_watchdog();
    return true;
}

static void tear_down(void)
{
    checker_wait();
    tickets_stop();
    files_stop();
    weak_stop();
    notify_stop();
    control_close();
    settings_unref(&house.now.settings);
    lock_release(&house.lock);
    close(house.tables[ROLE_AUTH]);
    close(house.tables[ROLE_BACKENDS]);
    if (house.exit_status == 0)
        log_say(LOG_INFO, "stopped", "all processes have ended");
    logger_stop();
}

int supervisor_run(const char *file)
{
    if (!set_up(file)) {
        fprintf(stderr, "homeward: cannot start: %s\n", strerror(errno));
        return 1;
    }
    change_begin();
    loop_run();
    tear_down();
    return house.exit_status;
}
