/* The role: main's channel, the channels that main hands over, the moment from which dials are answered, and the end.
 *
 * A process that is born while sessions live first hears from every front what it holds: a dial that was answered
 * before could send a mailbox to another member than the one where it lives. How many fronts there are main does not
 * say; their channels come in a row, so a short silence after them, with all of them held, is the sign; half a second
 * is the end of all patience. */
#include "backends/backends.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/checks.h"
#include "backends/control.h"
#include "backends/fronts.h"
#include "backends/members/health.h"
#include "backends/ipsec/ipsec.h"
#include "backends/members/orders.h"
#include "backends/members/places.h"
#include "backends/ways/reach.h"
#include "backends/members/site.h"
#include "backends/spares.h"
#include "proxy/net/deadline.h"
#include "proxy/net/dns.h"
#include "proxy/net/loop.h"
#include "proxy/net/sandbox.h"

enum { HELD_PATIENCE_MS = 500, CHANNELS_SETTLE_MS = 20, LAST_WORDS_MS = 1000 };

static struct {
    struct ipc *main; /* NULL: gone */
    struct alarm patience, settle, leave;
    bool leaving;
} self;

static void on_patience(struct alarm *a UNUSED)
{
    fronts_may_dial();
}

static void on_settled(struct alarm *a UNUSED)
{
    if (fronts_all_held())
        fronts_may_dial();
}

static void settle(void)
{
    if (!alarm_set(&self.settle, CHANNELS_SETTLE_MS, on_settled))
        fronts_may_dial();
}

static void on_front_held(void)
{
    if (fronts_all_held())
        settle();
}

/* What was asked is answered before the fronts close their channels: the last channel's end is the end. */
static void leave_if_alone(void)
{
    if (self.leaving && fronts_gauges().fronts == 0)
        loop_stop();
}

static void on_deadline(struct alarm *a UNUSED)
{
    loop_stop();
}

static void log_status(void)
{
    struct log_line l;
    struct fronts_gauges gauges = fronts_gauges();
    log_begin(&l, LOG_INFO, "status");
    log_number(&l, "fronts", (int64_t)gauges.fronts);
    log_number(&l, "dials", (int64_t)gauges.dials);
    log_number(&l, "visits", (int64_t)gauges.visits);
    log_number(&l, "places", (int64_t)places_count());
    log_end(&l);
    sites_log_avoided();
    ipsec_log_status();
}

static void on_channel(struct message *m)
{
    if (m->channel.to != ROLE_FRONT) {
        log_say(LOG_ERROR, "backends", "main gave a channel to something that is not a front");
        return;
    }
    if (!fronts_add(ipc_take_fd(m, 0)))
        log_say(LOG_ERROR, "backends", "a front's channel cannot be opened: no memory");
    settle();
}

static void on_drain(const struct message *m)
{
    uint64_t ms = m->drain.deadline_ms;
    self.leaving = true;
    spares_stop();
    if (ms > INT32_MAX)
        ms = INT32_MAX;
    if (!alarm_set(&self.leave, (int64_t)ms, on_deadline))
        loop_stop();
    leave_if_alone();
}

/* Read in this process's own time, and forgotten: secrets are kept by who needs them. */
static void on_bundle(int fd)
{
    struct stat st;
    void *at = fstat(fd, &st) == 0 && st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                                     : MAP_FAILED;
    if (at != MAP_FAILED) {
        checks_take(span_bytes(at, (size_t)st.st_size));
        munmap(at, (size_t)st.st_size);
    }
    close(fd);
}

static void on_main_message(void *owner UNUSED, struct message *m)
{
    switch (m->type) {
    case MSG_CHANNEL:
        on_channel(m);
        break;
    case MSG_HOSTS:
        dns_take_hosts(m->fds[0]);
        break;
    case MSG_DRAIN:
        on_drain(m);
        break;
    case MSG_BUNDLE:
        on_bundle(ipc_take_fd(m, 0));
        break;
    case MSG_STATUS:
        log_status();
        break;
    case MSG_CONTROL:
        if (!backends_control(self.main, m))
            log_say(LOG_DEBUG, "backends", "main does not take an answer");
        break;
    default:
        log_say(LOG_ERROR, "backends", "main says what is not for this role");
    }
}

/* The fronts drain by themselves; this one stays until the last of them is gone. */
static void on_main_closed(void *owner UNUSED, const char *why)
{
    log_say(LOG_WARNING, "backends", "main is gone (%s): leaving after the last front", why);
    ipc_free(&self.main);
    self.leaving = true;
    leave_if_alone();
}

static bool start(struct role *role, const char **why)
{
    static const struct fronts_events events = { on_front_held, leave_if_alone };
    const struct config *config = role->config;
    *why = "no memory for the sites";
    if (!sites_open(config))
        return false;
    if (!dns_open(config->dns.servers.at, config->dns.servers.n, why))
        return false;
    orders_open(role->state_fd);
    if (!health_open(role->state_fd))
        log_say(LOG_WARNING, "backends", "no shared memory: what is learned of back ends dies with this process");
    reach_open(config);
    if (!ipsec_open(config, why))
        return false;
    fronts_open(config, &events);
    checks_open(config, role->bundle);
    spares_open(config);
    if (!alarm_set(&self.patience, HELD_PATIENCE_MS, on_patience))
        fronts_may_dial();
    return true;
}

/* Everything that a dial needs is open by now. */
static bool confine(const struct role *role, const char **why)
{
    static char text[1024];
    struct buf said = { .at = text, .room = sizeof text - 1, .max = sizeof text - 1 };
    unsigned needs = SANDBOX_DIALS | (config_has_ipsec(role->config) ? SANDBOX_IPSEC : 0);
    *why = text;
    return sandbox_enter(role, needs, &said);
}

static bool say_started(bool ok, const char *why)
{
    struct message m = { .type = ok ? MSG_READY : MSG_FAILED };
    if (!ok)
        m.text.text = span_of(why);
    bool said = ipc_send(self.main, &m);
    if (!ok)
        ipc_flush(self.main, LAST_WORDS_MS);
    return said && ok;
}

int backends_run(struct role *role)
{
    static const struct ipc_events events = { on_main_message, on_main_closed };
    const char *why = NULL;
    loop_init();
    self.main = ipc_new(role->main_fd, &events, NULL);
    if (self.main == NULL)
        return 1;
    bool good = start(role, &why) && confine(role, &why); /* before its reason is looked at */
    if (!say_started(good, why))
        return 1;
    loop_run();
    checks_close();
    fronts_close();
    spares_close();
    ipsec_close();
    dns_close();
    sites_close();
    health_close();
    orders_close();
    if (self.main != NULL)
        ipc_flush(self.main, LAST_WORDS_MS);
    ipc_free(&self.main);
    return 0;
}
