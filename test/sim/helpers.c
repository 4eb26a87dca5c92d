/* Auth and backends as the front sees them: what they count, and that it is what lives; they die with questions open,
 * come back and are replaced. What they answer is in auth.c and backends.c. */
#include "test/sim/helpers_inside.h"

#include "proxy/front/process.h"
#include "proxy/net/loop.h"

enum { DEATHS_A_WORLD = 5 };

struct model models[MODELS_MAX];
struct model *helper_now[KINDS];
static int64_t birth_ms[KINDS], event_ms;
static unsigned events_left;
static bool settled, revokes;

/* ---- what is counted ---- */

bool helper_has(const struct model *h, uint64_t id)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->ids[i] == id)
            return true;
    return false;
}

void helper_count(struct model *h, uint64_t id)
{
    if (helper_has(h, id))
        return;
    SIM_REQUIRE(h->n < IDS_MAX);
    h->ids[h->n++] = id;
}

void helper_uncount(struct model *h, uint64_t id)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->ids[i] == id)
            h->ids[i--] = h->ids[--h->n];
}

void helper_forget(struct model *h, uint64_t id)
{
    helper_uncount(h, id);
    for (size_t i = 0; i < h->n_pending; i++)
        if (h->pending[i].id == id)
            h->pending[i--] = h->pending[--h->n_pending];
}

void helper_keep(struct model *h, struct pending p)
{
    SIM_REQUIRE(h->n_pending < IDS_MAX);
    h->pending[h->n_pending++] = p;
}

bool helper_is_asked(const struct model *h, uint64_t id)
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
    return helper_now[kind] != NULL && h->before == NULL && h->now != NULL && helper_now[kind]->held &&
           channel_is_quiet(helper_now[kind]->channel) && main_is_quiet();
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
            SIM_REQUIRE(!is_counted(s, kind) || helper_has(helper_now[kind], s->id));
        }
        SIM_REQUIRE(n == helper_now[kind]->n);
    }
}

/* From here on the front knows that nobody watches. */
void helpers_front_hears(const struct message *m, const struct ipc *from)
{
    if (m != NULL)
        orders_front_hears(m);
    bool is_dead = m == NULL && from == front.backends.now;
    if (is_dead || (m != NULL && m->type == MSG_CHANNEL && m->channel.to == ROLE_BACKENDS))
        backends_unguard_all();
}

/* ---- questions ---- */

int64_t helper_after(unsigned ms)
{
    return loop_now_ms() + ms;
}

/* Some sessions have to end for somebody else's reason. */
void helper_revokes_later(struct model *h, uint64_t id)
{
    int64_t due_ms = helper_after(random_below(2) == 0 ? 0 : random_below(30000));
    if (revokes && random_chance(300))
        helper_keep(h, (struct pending){ .id = id, .due_ms = due_ms, .type = MSG_REVOKE });
}

/* ---- answers ---- */

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
            auth_answers(h, &p);
        else if (p.type == MSG_REVOKE)
            say_revoke(h, &p);
        else
            backends_answer(h, &p);
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
    ways_forget(s);
}

/* ---- life and death ---- */

static void gone(struct model *h)
{
    bool last = h->kind == BACKENDS;
    h->used = false;
    if (helper_now[h->kind] == h)
        helper_now[h->kind] = NULL;
    for (size_t i = 0; i < MODELS_MAX; i++)
        last = last && !(models[i].used && models[i].kind == BACKENDS);
    if (h->kind == BACKENDS)
        ways_end(h, last);
}

static void let_go(void *model)
{
    struct model *h = model;
    if (helper_now[h->kind] == h)
        birth_ms[h->kind] = helper_after(1);
    gone(h);
}

static void born(unsigned kind)
{
    struct model *h = models;
    while (h->used)
        SIM_REQUIRE(++h < models + MODELS_MAX);
    *h = (struct model){ .used = true, .kind = kind };
    h->channel = channel_new(kind == AUTH ? auth_takes : backends_take, let_go, h);
    if (helper_now[kind] != NULL)
        helper_now[kind]->is_before = true;
    helper_now[kind] = h;
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
    struct model *h = helper_now[kind];
    totals.deaths++;
    channel_die(h->channel, random_below(2) == 0);
    gone(h);
    birth_ms[kind] = helper_after(random_below(3) == 0 ? 2000 : random_below(900));
}

static void disturb(void)
{
    unsigned kind = random_below(KINDS);
    event_ms = helper_after(random_below(3) == 0 ? 0 : random_below(20000));
    if (--events_left == 0)
        event_ms = INT64_MAX;
    if (random_below(5) == 0)
        orders_kick_all();
    else if (helper_now[kind] != NULL && random_below(3) == 0)
        born(kind); /* a reload */
    else if (helper_now[kind] != NULL)
        die(kind);
}

/* Each world has helpers of its own, or it would depend on the one before. */
void helpers_end_world(void)
{
    for (struct model *h = models; h < models + MODELS_MAX; h++) {
        if (!h->used)
            continue;
        channel_die(h->channel, true);
        gone(h);
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        birth_ms[kind] = INT64_MAX;
    while (channels_move())
        ;
    clock_advance(loop_now_ms() + 5 * SECOND);
    SIM_REQUIRE(channels_alive() == !main_is_dead() && clock_waiting() == 0);
}

void helpers_start_world(bool disturbed)
{
    settled = false;
    revokes = disturbed;
    born(AUTH);
    born(BACKENDS);
    events_left = disturbed ? 1 + random_below(DEATHS_A_WORLD) : 0;
    event_ms = disturbed ? helper_after(random_below(500)) : INT64_MAX;
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
        if (!h->used || !h->is_before || h->n_pending > 0 || ways_busy(h) || !channel_is_quiet(h->channel))
            continue;
        channel_die(h->channel, false);
        gone(h);
        return true;
    }
    return false;
}

bool helpers_act(void)
{
    if (event_ms <= loop_now_ms() && events_left > 0 && random_below(40) == 0) {
        disturb();
        return true;
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (birth_ms[kind] <= loop_now_ms() && helper_now[kind] == NULL) {
            born(kind);
            return true;
        }
    for (size_t i = 0; i < MODELS_MAX; i++)
        if (models[i].used && answer_one(&models[i]))
            return true;
    return leave_one() || backends_keep_spares(settled);
}

int64_t helpers_next(void)
{
    int64_t next = event_ms;
    for (unsigned kind = 0; kind < KINDS; kind++)
        next = helper_now[kind] == NULL && birth_ms[kind] < next ? birth_ms[kind] : next;
    for (size_t i = 0; i < MODELS_MAX; i++)
        for (size_t j = 0; models[i].used && j < models[i].n_pending; j++) {
            int64_t due = models[i].pending[j].due_ms;
            next = due > loop_now_ms() && due < next ? due : next;
        }
    return next <= loop_now_ms() ? loop_now_ms() + 1 : next;
}
