/* Fronts: a channel each, and a visit for each of their sessions that dials or has a member. What a front can make grow
 * is bounded; what breaks the rules closes the channel. */
#include "backends/fronts.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/checks.h"
#include "backends/dial.h"
#include "backends/ipsec/ipsec.h"
#include "backends/members/orders.h"
#include "backends/members/recovery.h"
#include "backends/spares.h"
#include "backends/members/table.h"
#include "proxy/net/deadline.h"
#include "proxy/net/hash.h"
#include "proxy/net/ipc.h"
#include "proxy/net/loop.h"

enum {
    FRONTS_MAX = 1024,
    DIALS_MAX = 1024,        /* of one front at the same time */
    VISITS_MAX = 256 * 1024, /* of one front; far above what its descriptors allow */
    DIAL_LONGEST_MS = 120000,
};

struct front {
    struct list link;
    struct ipc *channel;
    bool held;
    struct table by_id;
    struct list visits;
    struct spares *spares;
    size_t n_dials;
};

/* A session of a front, from its dial to its end. */
struct visit {
    struct table_entry by_id;
    struct list link;
    struct front *front;
    uint64_t id;
    enum protocol protocol;
    const struct member *member; /* NULL while it dials, and for one that the configuration no longer has */
    bool trial;                  /* health waits for how its login ends */
    struct lease lease;
    struct ipsec_link ipsec; /* watched, or its rule's reqid is 0 */
    struct dial *dial;       /* NULL when it is done */
    struct alarm start;      /* of a dial that waits for its turn at a site in trouble */
};

static struct {
    const struct config *config;
    const struct fronts_events *events;
    struct list fronts;
    size_t n;
    bool may_dial;
} all;

static void visit_free(struct visit *v)
{
    if (v->dial != NULL)
        v->front->n_dials--;
    dial_free(&v->dial);
    alarm_clear(&v->start);
    places_release(&v->lease);
    ipsec_unwatch(&v->ipsec);
    if (v->trial)
        health_end_trial(v->member->health[v->protocol]);
    table_remove(&v->front->by_id, &v->by_id);
    list_remove(&v->link);
    free(v);
}

static uint64_t hash_of(uint64_t id)
{
    return hash_keyed(span_bytes(&id, sizeof id));
}

static struct visit *find_visit(const struct front *f, uint64_t id)
{
    for (struct table_entry *e = table_first(&f->by_id, hash_of(id)); e != NULL; e = table_next(e)) {
        struct visit *v = OWNER_OF(e, struct visit, by_id);
        if (v->id == id)
            return v;
    }
    return NULL;
}

static struct visit *new_visit(struct front *f, uint64_t id, uint8_t protocol)
{
    struct visit *v = f->by_id.n < VISITS_MAX ? calloc(1, sizeof *v) : NULL;
    if (v == NULL || !table_add(&f->by_id, &v->by_id, hash_of(id))) {
        free(v);
        return NULL;
    }
    v->front = f;
    v->id = id;
    v->protocol = protocol;
    list_init(&v->link);
    list_add(&f->visits, &v->link);
    return v;
}

static void send_revoke(const struct visit *v, enum revoke_why why)
{
    struct message m = { .type = MSG_REVOKE, .id = v->id, .revoke = { .why = (uint8_t)why } };
    if (!ipc_send(v->front->channel, &m))
        log_say(LOG_WARNING, "backends", "a front does not read: a session that should end cannot be told");
}

static void on_revoke(struct lease *l)
{
    send_revoke(OWNER_OF(l, struct visit, lease), REVOKE_MOVED);
}

static void on_bad_link(struct ipsec_link *l)
{
    send_revoke(OWNER_OF(l, struct visit, ipsec), REVOKE_IPSEC);
}

static void answer_no(struct front *f, uint64_t id, enum dial_status status, const char *why)
{
    struct message m = {
        .type = MSG_DIALED, .id = id, .dialed = {.status = (uint8_t)status, .why = span_of(why)}
    };
    if (!ipc_send(f->channel, &m))
        log_say(LOG_DEBUG, "backends", "a front does not read: an answer is lost");
}

/* False: the front does not take it. */
static bool answer_yes(const struct visit *v, const struct dial_result *result, int64_t ms)
{
    struct message m = {
        .type = MSG_DIALED,
        .id = v->id,
        .dialed = {.status = DIAL_OK,
                   .member = result->member->key,
                   .ms = (uint64_t)ms,
                   .spare = result->spare,
                   .host = span_of(result->member->config->host),
                   .address = result->address },
        .fds = { result->fd},
        .n_fds = result->fd >= 0
    };
    return ipc_send(v->front->channel, &m);
}

static void guard(struct visit *v, const struct site *site, const struct ipsec_rule *rule,
                  const struct ipsec_pair *pair)
{
    v->ipsec = (struct ipsec_link){ .site = site, .rule = *rule, .pair = *pair, .bad = on_bad_link };
    ipsec_watch(&v->ipsec);
}

static void on_dialed(void *owner, const struct dial_result *result)
{
    struct visit *v = owner;
    int64_t ms = dial_ms(v->dial);
    v->front->n_dials--;
    dial_free(&v->dial);
    if (result->status != DIAL_OK) {
        answer_no(v->front, v->id, result->status, result->why);
        visit_free(v);
        return;
    }
    v->member = result->member;
    v->trial = result->trial;
    struct ipsec_rule rule = ipsec_rule_of(v->member->site->config);
    if (rule.reqid != 0) {
        struct ipsec_pair pair = ipsec_pair_of(result->fd, &result->address);
        guard(v, v->member->site, &rule, &pair);
    }
    bool taken = answer_yes(v, result, ms);
    if (result->fd >= 0)
        close(result->fd);
    if (!taken)
        visit_free(v);
}

/* ---- a site in trouble ---- */

static void on_turn(struct alarm *a)
{
    struct visit *v = OWNER_OF(a, struct visit, start);
    dial_start(v->dial);
}

/* False: it would have to wait for more than half its time; better to hear at once that it should come later. */
static bool start_in_turn(struct visit *v, const struct site *site, int64_t ms_left)
{
    int64_t wait_ms = recovery_wait(site, v->protocol, all.config->limits.recovery_logins, ms_left / 2);
    if (wait_ms == 0)
        dial_start(v->dial);
    return wait_ms == 0 || (wait_ms > 0 && alarm_set(&v->start, wait_ms, on_turn));
}

static bool begin_dial(struct visit *v, const struct site *site, const struct msg_dial *asked)
{
    struct dial_order order = { .site = site,
                                .protocol = v->protocol,
                                .mailbox = asked->mailbox,
                                .tried = asked->tried,
                                .ms_left = asked->ms_left < DIAL_LONGEST_MS ? (int64_t)asked->ms_left : DIAL_LONGEST_MS,
                                .connect_timeout_ms = all.config->limits.connect_timeout_ms,
                                .spares = v->front->spares };
    v->dial = dial_new(&order, &v->lease, on_dialed, v);
    if (v->dial == NULL)
        return false;
    v->front->n_dials++;
    return true;
}

/* A login that fails over asks again under its id: what it had is over. */
static bool on_dial(struct front *f, const struct message *m)
{
    const struct site *site = site_find(m->dial.site);
    struct visit *v = find_visit(f, m->id);
    if (m->dial.protocol >= PROTOCOLS || m->dial.tried.n % sizeof(uint64_t) != 0)
        return false;
    if (v != NULL)
        visit_free(v);
    if (site == NULL || !site->config->serves[m->dial.protocol]) {
        answer_no(f, m->id, DIAL_NO_SITE, site == NULL ? "no_site" : "protocol_off");
        return true;
    }
    if (site_is_overdue(site)) {
        answer_no(f, m->id, DIAL_UNREACHABLE, "overdue");
        return true;
    }
    if (orders_of_site(site) == ORDER_MAINT) {
        answer_no(f, m->id, DIAL_UNREACHABLE, "maintenance");
        return true;
    }
    v = f->n_dials < DIALS_MAX ? new_visit(f, m->id, m->dial.protocol) : NULL;
    if (v == NULL) {
        answer_no(f, m->id, DIAL_UNREACHABLE, "busy");
    } else if (!begin_dial(v, site, &m->dial)) {
        answer_no(f, m->id, DIAL_UNREACHABLE, "no_memory");
        visit_free(v);
    } else if (all.may_dial && !start_in_turn(v, site, (int64_t)m->dial.ms_left)) {
        answer_no(f, m->id, DIAL_UNREACHABLE, "busy");
        visit_free(v);
    }
    return true;
}

static bool on_cancel(struct front *f, const struct message *m)
{
    struct visit *v = find_visit(f, m->id);
    if (v != NULL)
        visit_free(v);
    return true;
}

static const char *const stage_names[DIAL_STAGES] = {
    [STAGE_CONNECTED] = "connected", [STAGE_TLS] = "tls", [STAGE_GREETING] = "greeting",
    [STAGE_LOGIN] = "login",         [STAGE_IN] = "in",   [STAGE_GONE] = "gone",
};

static void judge_member(struct visit *v, const struct msg_dial_outcome *outcome)
{
    bool fault = outcome->fault == FAULT_MEMBER && outcome->stage < STAGE_IN;
    if (v->member == NULL || (!fault && outcome->stage < STAGE_GREETING))
        return;
    if (fault) {
        checks_distrust(v->member, v->protocol);
        member_fault(v->member, v->protocol, v->trial, stage_names[outcome->stage], outcome->why);
    } else {
        checks_trust(v->member, v->protocol);
        member_success(v->member, v->protocol);
    }
    v->trial = false;
}

/* How a session ends says nothing about its member; a login that failed holds no place any more. */
static bool on_outcome(struct front *f, const struct message *m)
{
    const struct msg_dial_outcome *outcome = &m->dial_outcome;
    struct visit *v = find_visit(f, m->id);
    if (v == NULL || v->dial != NULL)
        return true; /* it was cancelled, or asked of another process */
    if (outcome->stage != STAGE_GONE)
        judge_member(v, outcome);
    if (outcome->stage == STAGE_IN)
        places_signed_in(&v->lease);
    else if (outcome->stage == STAGE_GONE || outcome->fault != FAULT_NONE)
        visit_free(v);
    return true;
}

/* ---- IPsec: what a front may send ---- */

static void answer_confirm(struct front *f, uint64_t id, enum ipsec_verdict v)
{
    struct message m = {
        .type = MSG_IPSEC_CONFIRMED,
        .id = id,
        .ipsec_confirmed = {.good = v == IPSEC_GOOD, .why = span_of(ipsec_words[v])}
    };
    if (!ipc_send(f->channel, &m))
        log_say(LOG_DEBUG, "backends", "a front does not read: an answer is lost");
}

/* The last look before a credential. A connection that was dialled under another configuration, or that is not this
 * process's to guard, gets none. */
static bool on_confirm(struct front *f, const struct message *m)
{
    struct visit *v = find_visit(f, m->id);
    if (v == NULL || v->dial != NULL || v->ipsec.rule.reqid == 0) {
        answer_confirm(f, m->id, IPSEC_UNGUARDED);
        return true;
    }
    enum ipsec_verdict verdict = ipsec_report(v->ipsec.site, &v->ipsec.rule, &v->ipsec.pair);
    if (verdict != IPSEC_GOOD && v->ipsec.site != NULL)
        ipsec_count(v->ipsec.site, IPSEC_REFUSED);
    answer_confirm(f, m->id, verdict);
    return true;
}

/* A link that was dialled by a predecessor is judged before bytes flow through it again. No association at all does not
 * end it: the kernel lets nothing out until there is one. */
static void take_link(struct visit *v, const struct site *site, const struct msg_hold *hold)
{
    struct ipsec_rule rule = { (uint32_t)hold->reqid, hold->mode, hold->algorithms };
    struct ipsec_pair pair = { .local = hold->local, .peer = hold->backend };
    struct message m = { .type = MSG_IPSEC_GUARDED, .id = v->id };
    enum ipsec_verdict verdict = ipsec_look(&rule, &pair);
    guard(v, site, &rule, &pair);
    if (ipsec_is_bad(verdict)) {
        ipsec_unwatch(&v->ipsec);
        ipsec_report(site, &rule, &pair);
        if (site != NULL)
            ipsec_count(site, IPSEC_ENDED);
        send_revoke(v, REVOKE_IPSEC);
    } else if (!ipc_send(v->front->channel, &m)) {
        log_say(LOG_WARNING, "backends", "a front does not read: a session that may go on cannot be told");
    }
}

static bool on_spare(struct front *f, const struct message *m)
{
    if (m->type == MSG_SPARE_READY)
        spares_ready(f->spares, m->id);
    else
        spares_gone(f->spares, m->id, (enum spare_end)m->spare_gone.end, m->spare_gone.why);
    return true;
}

/* ---- what a front holds ---- */

static bool on_hold(struct front *f, const struct message *m)
{
    const struct msg_hold *hold = &m->hold;
    const struct site *site = site_find(hold->site);
    bool has_place = hold->member != 0 && site != NULL && site->config->affinity == AFFINITY_MAILBOX;
    if (hold->protocol >= PROTOCOLS || hold->reqid > UINT32_MAX)
        return false;
    if ((!has_place && hold->reqid == 0) || find_visit(f, m->id) != NULL)
        return true;
    struct visit *v = new_visit(f, m->id, hold->protocol);
    if (v == NULL)
        return true; /* one mailbox may be in two places for a while: better than to end sessions */
    v->member = site != NULL ? site_member(site, hold->member) : NULL;
    /* lint: has_place says that there is a site */
    bool placed = has_place && places_hold(&v->lease, site->number, hold->mailbox, hold->member, hold->signed_in != 0);
    if (hold->reqid != 0)
        take_link(v, site, hold);
    else if (!placed)
        visit_free(v);
    return true;
}

static bool on_held(struct front *f, const struct message *m UNUSED)
{
    f->held = true;
    all.events->held();
    return true;
}

static bool (*const handlers[MSG_TYPES])(struct front *f, const struct message *m) = {
    [MSG_DIAL] = on_dial,         [MSG_CANCEL] = on_cancel,    [MSG_DIAL_OUTCOME] = on_outcome,
    [MSG_HOLD] = on_hold,         [MSG_HELD] = on_held,        [MSG_IPSEC_CONFIRM] = on_confirm,
    [MSG_SPARE_READY] = on_spare, [MSG_SPARE_GONE] = on_spare,
};

static void front_free(struct front *f)
{
    LIST_EACH_SAFE(link, &f->visits)
        visit_free(OWNER_OF(link, struct visit, link));
    table_fini(&f->by_id);
    spares_free(&f->spares);
    ipc_free(&f->channel);
    list_remove(&f->link);
    all.n--;
    free(f);
}

static void on_closed(void *owner, const char *why)
{
    log_say(LOG_DEBUG, "backends", "the channel of a front is closed: %s", why);
    front_free(owner);
    all.events->gone();
}

static void on_message(void *owner, struct message *m)
{
    struct front *f = owner;
    if (handlers[m->type] != NULL && handlers[m->type](f, m))
        return;
    log_say(LOG_ERROR, "backends", "a front broke the rules: its channel is closed");
    front_free(f);
    all.events->gone();
}

void fronts_open(const struct config *config, const struct fronts_events *events)
{
    all.config = config;
    all.events = events;
    all.n = 0;
    all.may_dial = false;
    list_init(&all.fronts);
    places_open(on_revoke);
}

void fronts_close(void)
{
    LIST_EACH_SAFE(link, &all.fronts)
        front_free(OWNER_OF(link, struct front, link));
    places_close();
}

bool fronts_add(int fd)
{
    static const struct ipc_events events = { on_message, on_closed };
    struct front *f = all.n < FRONTS_MAX ? calloc(1, sizeof *f) : NULL;
    if (f == NULL) {
        close(fd);
        return false;
    }
    list_init(&f->visits);
    f->channel = ipc_new(fd, &events, f);
    f->spares = f->channel != NULL ? spares_new(f->channel) : NULL;
    if (f->spares == NULL) {
        ipc_free(&f->channel);
        free(f);
        return false;
    }
    list_init(&f->link);
    list_add(&all.fronts, &f->link);
    all.n++;
    return true;
}

void fronts_may_dial(void)
{
    if (all.may_dial)
        return;
    all.may_dial = true;
    LIST_EACH(link, &all.fronts) {
        struct front *f = OWNER_OF(link, struct front, link);
        LIST_EACH(visit, &f->visits) {
            struct visit *v = OWNER_OF(visit, struct visit, link);
            if (v->dial != NULL)
                dial_start(v->dial);
        }
    }
}

bool fronts_all_held(void)
{
    LIST_EACH(link, &all.fronts) {
        if (!OWNER_OF(link, struct front, link)->held)
            return false;
    }
    return true;
}

size_t fronts_visits_of(const struct member *m, enum protocol protocol)
{
    size_t n = 0;
    LIST_EACH(link, &all.fronts) {
        const struct front *f = OWNER_OF(link, struct front, link);
        LIST_EACH(visit, &f->visits) {
            const struct visit *v = OWNER_OF(visit, struct visit, link);
            n += v->member == m && v->protocol == protocol;
        }
    }
    return n;
}

struct fronts_gauges fronts_gauges(void)
{
    struct fronts_gauges gauges = { .fronts = all.n };
    LIST_EACH(link, &all.fronts) {
        const struct front *f = OWNER_OF(link, struct front, link);
        gauges.dials += f->n_dials;
        gauges.visits += f->by_id.n;
    }
    return gauges;
}
