/* Stopping. */
#include "proxy/supervisor/stop.h"

#include "proxy/net/loop.h"
#include "proxy/supervisor/assign.h"
#include "proxy/supervisor/change.h"
#include "proxy/supervisor/files.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/notify.h"
#include "proxy/supervisor/sockets.h"

enum { SPREAD_MS = 2000, GRACE_MS = 10000 };

static struct {
    bool helpers_told;
    struct alarm alarm;
} stop;

static void end_loop(struct alarm *alarm UNUSED)
{
    loop_stop();
}

static void tell_helpers(void)
{
    stop.helpers_told = true;
    LIST_EACH(link, &children)
        child_drain(OWNER_OF(link, struct child, link), &(struct msg_drain){ 0 }, GRACE_MS);
}

static bool has_fronts(void)
{
    LIST_EACH(link, &children)
        if (OWNER_OF(link, struct child, link)->kind == ROLE_FRONT)
            return true;
    return false;
}

void stop_left(void)
{
    if (house.phase != PHASE_STOP)
        return;
    if (list_empty(&children) && !alarm_set(&stop.alarm, 0, end_loop)) /* with the children's callbacks behind us */
        loop_stop();
    if (!stop.helpers_told && !has_fronts())
        tell_helpers();
}

static void drain_fronts(int64_t deadline_ms)
{
    struct msg_drain drain = { .say_bye = 1, .deadline_ms = (uint64_t)deadline_ms, .spread_ms = SPREAD_MS };
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (c->kind == ROLE_FRONT)
            child_drain(c, &drain, deadline_ms + SPREAD_MS + GRACE_MS);
    }
}

static void close_sockets(void)
{
    sockets_remove_all();
    assign(house.now.fronts);
}

void stop_begin(void)
{
    if (house.phase == PHASE_START) {
        stop_at_once(0);
        return;
    }
    int64_t deadline_ms = house.phase == PHASE_STOP ? 0 : house.now.settings->config->run.drain_timeout_s * SECOND;
    house.phase = PHASE_STOP;
    notify("STOPPING=1");
    change_cancel();
    files_stop();
    close_sockets();
    log_say(LOG_INFO, "stop", "sessions have %lld seconds to end", (long long)(deadline_ms / SECOND));
    drain_fronts(deadline_ms);
    stop_left();
}

void stop_at_once(int status)
{
    house.phase = PHASE_STOP;
    house.exit_status = status;
    stop.helpers_told = true;
    change_cancel();
    close_sockets();
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (c->settings->config == NULL) /* a predecessor's: its sessions are none of our trouble */
            child_release(c);
        else
            child_dismiss(c);
    }
    stop_left();
}
