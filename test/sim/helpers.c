/* Auth and backends as the front sees them: they answer as each session's plan says, after the time that it says,
 * die with questions open, come back and are replaced. What they count must be what lives. */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/front/process.h"
#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum { MODELS_MAX = 16, IDS_MAX = 64, DEATHS_A_WORLD = 3, AUTH = 0, BACKENDS, KINDS };

struct pending {
    uint64_t id;
    int64_t due_ms;
    enum message_type type; /* of the answer */
    struct slot *slot;
    bool other; /* which of its two users is asked for */
};

struct model {
    bool used, is_before, held;
    unsigned kind;
    struct channel *channel;
    uint64_t ids[IDS_MAX]; /* what it counts */
    size_t n;
    struct pending pending[IDS_MAX];
    size_t n_pending;
};

static struct model models[MODELS_MAX];
static struct model *now[KINDS]; /* NULL: dead */
static int64_t birth_ms[KINDS], event_ms;
static unsigned events_left;
static bool settled, revokes;

/* ---- what is counted ---- */

static bool has(const struct model *h, uint64_t id)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->ids[i] == id)
            return true;
    return false;
}

static void count(struct model *h, uint64_t id)
{
    if (has(h, id))
        return;
    SIM_REQUIRE(h->n < IDS_MAX);
    h->ids[h->n++] = id;
}

static void uncount(struct model *h, uint64_t id)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->ids[i] == id)
            h->ids[i--] = h->ids[--h->n];
}

static void forget(struct model *h, uint64_t id)
{
    uncount(h, id);
    for (size_t i = 0; i < h->n_pending; i++)
        if (h->pending[i].id == id)
            h->pending[i--] = h->pending[--h->n_pending];
}

static void keep_pending(struct model *h, struct pending p)
{
    SIM_REQUIRE(h->n_pending < IDS_MAX);
    h->pending[h->n_pending++] = p;
}

static bool is_pending(const struct model *h, uint64_t id)
{
    for (size_t i = 0; i < h->n_pending; i++)
        if (h->pending[i].id == id)
            return true;
    return false;
}

static bool is_counted(const struct session *s, unsigned kind)
{
    return kind == AUTH ? s->admitted : s->leased;
}

/* Nothing is under way, and there is one of it: then both sides know the same. */
static bool is_settled(unsigned kind)
{
    const struct helper *h = kind == AUTH ? &front.auth : &front.backends;
    return now[kind] != NULL && h->before == NULL && h->now != NULL && now[kind]->held &&
           channel_is_quiet(now[kind]->channel) && main_is_quiet();
}

void helpers_require_equal(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        size_t n = 0;
        if (!is_settled(kind))
            continue;
        LIST_EACH(link, &front.sessions) {
            const struct session *s = OWNER_OF(link, struct session, link);
            n += is_counted(s, kind);
            SIM_REQUIRE(!is_counted(s, kind) || has(now[kind], s->id));
        }
        SIM_REQUIRE(n == now[kind]->n);
    }
}

/* ---- IPsec: whose link is watched ---- */

static struct link *site_link(const struct slot *s)
{
    return s->used && s->store != NULL && !store_is_over(s->store) ? s->site_link : NULL;
}

static void unguard_all(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct link *l = site_link(&slots[i]);
        if (l != NULL)
            l->guarded = false;
    }
}

/* From here on the front knows that nobody watches. */
void helpers_front_hears(const struct message *m, const struct ipc *from)
{
    bool is_dead = m == NULL && from == front.backends.now;
    if (is_dead || (m != NULL && m->type == MSG_CHANNEL && m->channel.to == ROLE_BACKENDS))
        unguard_all();
}

static struct slot *slot_of_id(uint64_t id)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (site_link(&slots[i]) != NULL && slots[i].site_link->visit == id)
            return &slots[i];
    return NULL;
}

/* ---- questions ---- */

static int64_t after(unsigned ms)
{
    return loop_now_ms() + ms;
}

/* Some sessions have to end for somebody else's reason. */
static void revoke_later(struct model *h, uint64_t id)
{
    int64_t due_ms = after(random_below(2) == 0 ? 0 : random_below(30000));
    if (revokes && random_chance(300))
        keep_pending(h, (struct pending){ .id = id, .due_ms = due_ms, .type = MSG_REVOKE });
}

static void take_auth(void *model, struct message *m)
{
    struct model *h = model;
    struct slot *s;
    switch (m->type) {
    case MSG_ASK:
        s = slot_by_name(m->ask.name);
        if (!has(h, m->id) && !is_pending(h, m->id))
            keep_pending(h, (struct pending){ .id = m->id,
                                              .due_ms = after(s != NULL ? s->plan.auth_ms : 1),
                                              .type = MSG_VERDICT,
                                              .slot = s,
                                              .other = m->ask.name.at[0] == 'v' });
        break;
    case MSG_CANCEL:
    case MSG_SESSION_GONE:
        forget(h, m->id);
        break;
    case MSG_HOLD:
        count(h, m->id);
        break;
    case MSG_HELD:
        h->held = true;
        break;
    case MSG_LOGIN_RESULT:
        if (m->login_result.result == LOGIN_ACCEPTED)
            revoke_later(h, m->id);
        break;
    default:
        SIM_REQUIRE(!"a message that auth does not know");
    }
}

static void take_hold(struct model *h, const struct message *m)
{
    struct slot *s = slot_of_id(m->id);
    count(h, m->id);
    if (m->hold.reqid != 0)
        keep_pending(h, (struct pending){
                            .id = m->id, .due_ms = after(random_below(100)), .type = MSG_IPSEC_GUARDED, .slot = s });
}

static void take_backends(void *model, struct message *m)
{
    struct model *h = model;
    struct slot *s;
    switch (m->type) {
    case MSG_DIAL:
        s = slot_by_name(m->dial.mailbox);
        SIM_REQUIRE(s == NULL || span_eq(m->dial.site, span_of(site_facts[s->plan.site].name)));
        if (!has(h, m->id) && !is_pending(h, m->id))
            keep_pending(
                h, (struct pending){
                       .id = m->id, .due_ms = after(s != NULL ? s->plan.dial_ms : 1), .type = MSG_DIALED, .slot = s });
        break;
    case MSG_SPARE_READY:
    case MSG_SPARE_GONE:
        if (h == now[BACKENDS])
            spares_hear(m);
        break;
    case MSG_IPSEC_CONFIRM:
        keep_pending(h, (struct pending){ .id = m->id,
                                          .due_ms = after(random_below(50)),
                                          .type = MSG_IPSEC_CONFIRMED,
                                          .slot = slot_of_id(m->id) });
        break;
    case MSG_CANCEL:
        forget(h, m->id);
        break;
    case MSG_DIAL_OUTCOME:
        if (m->dial_outcome.stage == STAGE_GONE || m->dial_outcome.fault != FAULT_NONE)
            uncount(h, m->id);
        if (m->dial_outcome.stage == STAGE_IN)
            revoke_later(h, m->id);
        break;
    case MSG_HOLD:
        take_hold(h, m);
        break;
    case MSG_HELD:
        h->held = true;
        break;
    default:
        SIM_REQUIRE(!"a message that backends does not know");
    }
}

/* ---- answers ---- */

static void answer_ask(struct model *h, const struct pending *p)
{
    char mailbox[40];
    struct message m = { .type = MSG_VERDICT, .id = p->id };
    struct msg_verdict *v = &m.verdict;
    if (p->slot == NULL)
        *v = (struct msg_verdict){ .status = VERDICT_REFUSED, .why = SPAN("unknown") };
    else {
        const struct plan *plan = &p->slot->plan;
        const char *name = p->other ? plan->other : plan->name;
        int n = snprintf(mailbox, sizeof mailbox, "%s@sim", name);
        *v = (struct msg_verdict){ .status = plan->verdict,
                                   .mailbox = span_bytes(mailbox, (size_t)n),
                                   .site = span_of(site_facts[plan->site].name),
                                   .store_name = span_of(name),
                                   .user_full = plan->full,
                                   .sessions_max = 3,
                                   .why = SPAN("ok") };
    }
    if (v->status == VERDICT_OK)
        count(h, p->id);
    channel_say(h->channel, &m);
}

static void answer_dial(struct model *h, const struct pending *p)
{
    struct message m = { .type = MSG_DIALED, .id = p->id };
    m.dialed.status = p->slot != NULL ? p->slot->plan.dialed : DIAL_UNREACHABLE;
    if (m.dialed.status == DIAL_OK) {
        m.dialed.spare = h == now[BACKENDS] ? slot_take_spare(p->slot) : 0;
        struct link *l = m.dialed.spare != 0 ? p->slot->site_link : slot_dial(p->slot);
        l->visit = p->id;
        m.dialed.member = 1 + p->slot->plan.site;
        m.dialed.host = SPAN("store.sim");
        m.dialed.address = (struct addr){
            .family = AF_INET, .port = 143, .bytes = {10, 0, 0, 1}
        };
        m.fds[0] = l->fd;
        m.n_fds = m.dialed.spare == 0;
        count(h, p->id);
    }
    channel_say(h->channel, &m);
}

static void answer_ipsec(struct model *h, const struct pending *p)
{
    struct message m = { .type = p->type, .id = p->id };
    struct link *l = p->slot != NULL ? site_link(p->slot) : NULL;
    bool good = l != NULL && l->visit == p->id && has(h, p->id) && p->slot->plan.confirm;
    if (p->type == MSG_IPSEC_CONFIRMED)
        m.ipsec_confirmed.good = good;
    if (good && h == now[BACKENDS])
        l->guarded = true;
    if (good && p->type == MSG_IPSEC_CONFIRMED)
        l->may_be_clear = true;
    if (p->type == MSG_IPSEC_CONFIRMED || good)
        channel_say(h->channel, &m);
    else
        channel_say(h->channel, &(struct message){ .type = MSG_REVOKE, .id = p->id, .revoke.why = REVOKE_IPSEC });
}

static void say_revoke(struct model *h, const struct pending *p)
{
    enum revoke_why why = h->kind == AUTH ? REVOKE_TOO_MANY : (enum revoke_why)random_below(REVOKE_WHYS);
    channel_say(h->channel, &(struct message){ .type = MSG_REVOKE, .id = p->id, .revoke.why = (uint8_t)why });
}

static bool may_answer(const struct pending *p)
{
    if (p->due_ms > loop_now_ms() || (p->type == MSG_REVOKE && random_below(30) != 0))
        return false;
    if (p->slot == NULL)
        return true;
    return p->type == MSG_VERDICT  ? p->slot->plan.verdict < VERDICT_STATUSES
           : p->type == MSG_DIALED ? p->slot->plan.dialed < DIAL_STATUSES
                                   : true;
}

static bool answer_one(struct model *h)
{
    for (size_t i = 0; h->held && i < h->n_pending; i++) {
        struct pending p = h->pending[i];
        if (!may_answer(&p))
            continue;
        h->pending[i] = h->pending[--h->n_pending];
        if (p.type == MSG_VERDICT)
            answer_ask(h, &p);
        else if (p.type == MSG_DIALED)
            answer_dial(h, &p);
        else if (p.type == MSG_REVOKE)
            say_revoke(h, &p);
        else
            answer_ipsec(h, &p);
        return true;
    }
    return false;
}

/* A slot is given to somebody else: who waits for its last user is not answered. */
void helpers_forget(const struct slot *s)
{
    for (size_t i = 0; i < MODELS_MAX; i++)
        for (size_t j = 0; models[i].used && j < models[i].n_pending; j++)
            if (models[i].pending[j].slot == s)
                models[i].pending[j].slot = NULL;
}

/* ---- life and death ---- */

static void let_go(void *model)
{
    struct model *h = model;
    if (now[h->kind] == h) {
        now[h->kind] = NULL;
        birth_ms[h->kind] = after(1);
    }
    h->used = false;
}

static void born(unsigned kind)
{
    struct model *h = models;
    while (h->used)
        SIM_REQUIRE(++h < models + MODELS_MAX);
    *h = (struct model){ .used = true, .kind = kind };
    h->channel = channel_new(kind == AUTH ? take_auth : take_backends, let_go, h);
    if (now[kind] != NULL)
        now[kind]->is_before = true;
    now[kind] = h;
    birth_ms[kind] = INT64_MAX;
    if (kind == BACKENDS)
        spares_forget();
    if (kind == AUTH)
        channel_say(h->channel, &(struct message){ .type = MSG_MARK_KEY, .mark_key.key = SPAN("0123456789abcdef") });
    struct message m = { .type = MSG_CHANNEL, .n_fds = 1, .fds = { channel_front_end(h->channel) } };
    m.channel.to = kind == AUTH ? ROLE_AUTH : ROLE_BACKENDS;
    main_says(&m);
}

static void die(unsigned kind)
{
    struct model *h = now[kind];
    totals.deaths++;
    channel_die(h->channel, random_below(2) == 0);
    h->used = false;
    now[kind] = NULL;
    birth_ms[kind] = after(random_below(3) == 0 ? 2000 : random_below(900));
}

static void disturb(void)
{
    unsigned kind = random_below(KINDS);
    event_ms = after(random_below(3) == 0 ? 0 : random_below(20000));
    if (--events_left == 0)
        event_ms = INT64_MAX;
    if (random_below(5) == 0)
        main_kick();
    else if (now[kind] != NULL && random_below(3) == 0)
        born(kind); /* a reload */
    else if (now[kind] != NULL)
        die(kind);
}

/* Each world has helpers of its own, or it would depend on the one before. */
void helpers_end_world(void)
{
    for (struct model *h = models; h < models + MODELS_MAX; h++) {
        if (h->used)
            channel_die(h->channel, true);
        h->used = false;
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        now[kind] = NULL;
        birth_ms[kind] = INT64_MAX;
    }
    while (channels_move())
        ;
    clock_advance(loop_now_ms() + 5 * SECOND);
    SIM_REQUIRE(channels_alive() == 1 && clock_waiting() == 0);
}

void helpers_start_world(bool disturbed)
{
    settled = false;
    revokes = disturbed;
    born(AUTH);
    born(BACKENDS);
    events_left = disturbed ? 1 + random_below(DEATHS_A_WORLD) : 0;
    event_ms = disturbed ? after(random_below(500)) : INT64_MAX;
}

void helpers_settle(void)
{
    settled = true;
    events_left = 0;
    event_ms = INT64_MAX;
}

/* A predecessor leaves when it has answered what it was asked. */
static bool leave_one(void)
{
    for (struct model *h = models; h < models + MODELS_MAX; h++) {
        if (!h->used || !h->is_before || h->n_pending > 0 || !channel_is_quiet(h->channel))
            continue;
        channel_die(h->channel, false);
        h->used = false;
        return true;
    }
    return false;
}

/* In a world that comes to its end none are wanted. */
static bool keep_spares(void)
{
    struct model *h = now[BACKENDS];
    struct message m = { .type = MSG_SPARE_DROP };
    if (h == NULL || !h->held)
        return false;
    if (settled || random_below(200) == 0)
        m.id = spares_drop_one();
    if (m.id == 0 && (settled || random_below(10) != 0 || !spares_order(&m)))
        return false;
    channel_say(h->channel, &m);
    return true;
}

bool helpers_act(void)
{
    if (event_ms <= loop_now_ms() && events_left > 0 && random_below(40) == 0) {
        disturb();
        return true;
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (birth_ms[kind] <= loop_now_ms() && now[kind] == NULL) {
            born(kind);
            return true;
        }
    for (size_t i = 0; i < MODELS_MAX; i++)
        if (models[i].used && answer_one(&models[i]))
            return true;
    return leave_one() || keep_spares();
}

int64_t helpers_next(void)
{
    int64_t next = event_ms;
    for (unsigned kind = 0; kind < KINDS; kind++)
        next = now[kind] == NULL && birth_ms[kind] < next ? birth_ms[kind] : next;
    for (size_t i = 0; i < MODELS_MAX; i++)
        for (size_t j = 0; models[i].used && j < models[i].n_pending; j++) {
            int64_t due = models[i].pending[j].due_ms;
            next = due > loop_now_ms() && due < next ? due : next;
        }
    return next <= loop_now_ms() ? loop_now_ms() + 1 : next;
}
