/* The channels to the fronts.
 *
 * Counts live here and nowhere else, so after a crash of this process they must come back from the fronts: on every new
 * channel the front first lists what it holds (hold …, held). Until the channels from before the start have all done so
 * no front gets an answer, or the limits would be forgotten for a moment; a front that says nothing can hold up the
 * others for CHANNELS_TELL_MS only. */
#include "auth/channels.h"

#include <stdlib.h>

#include "auth/guesses/trials.h"
#include "proxy/net/ipc.h"

struct channel {
    struct list link;
    struct channels *all;
    struct ipc *ipc;
    struct live live;
    struct trials trials;
    bool held;               /* it has told all its sessions */
    struct deadline telling; /* waits in all->telling, or nowhere */
    struct list waiting;     /* questions */
    size_t n_waiting;
};

/* A question that has no answer yet: it waits for the start to be over or for room, or is being judged. */
struct waiting {
    struct list link;
    struct channel *channel;
    uint64_t id;
    struct msg_ask ask; /* its spans point into text */
    struct inquiry inquiry;
    struct guess guess;
    struct cache_key key;
    bool crowded;            /* it waits for others of its account to be judged */
    struct judging *judging; /* NULL: it waits */
    bool judged, at_once;    /* the judgement is there; it came while it was being asked for */
    size_t n;
    char text[]; /* holds a secret */
};

static void set_crowded(struct waiting *w, bool crowded)
{
    struct channels *all = w->channel->all;
    all->n_crowded += (size_t)crowded - (size_t)w->crowded;
    w->crowded = crowded;
}

/* end: of what was being judged. */
static void forget_question(struct waiting *w, enum guess_end end)
{
    list_remove(&w->link);
    w->channel->n_waiting--;
    set_crowded(w, false);
    penalties_settle(w->channel->all->penalties, &w->guess, end, loop_now_ms());
    judging_free(&w->judging);
    inquiry_fini(&w->inquiry);
    explicit_bzero(w->text, w->n);
    free(w);
}

static void channel_free(struct channel *c)
{
    list_remove(&c->link);
    c->all->n--;
    deadline_stop(&c->all->telling, &c->telling);
    while (!list_empty(&c->waiting))
        forget_question(OWNER_OF(c->waiting.next, struct waiting, link), GUESS_UNJUDGED);
    trials_fini(&c->trials);
    live_fini(&c->live);
    ipc_free(&c->ipc);
    free(c);
}

/* Answers. False from here on: the channel is of no use any more. */

static bool send_verdict(struct channel *c, uint64_t id, const struct inquiry *q, struct guess *g,
                         const struct cache_key *key)
{
    struct policy *policy = c->all->policy;
    struct message m = { .type = MSG_VERDICT, .id = id, .verdict = q->verdict };
    struct live_facts facts = {
        .protocol = q->ask->protocol,
        .mailbox = m.verdict.mailbox,
        .client = policy_exempts(policy, &q->ask->client) ? NULL : &q->ask->client,
        .full = m.verdict.user_full,
        .most = (uint32_t)m.verdict.sessions_max,
    };
    if (m.verdict.status == VERDICT_OK && !live_add(&c->live, id, &facts))
        m.verdict = (struct msg_verdict){ .status = VERDICT_UNAVAILABLE, .why = SPAN("no_memory") };
    trials_add(&c->trials, id, &m.verdict, g, key);
    return ipc_send(c->ipc, &m);
}

static bool answer_with(struct waiting *w, enum verdict_status status, const char *why)
{
    w->inquiry.verdict.status = status;
    w->inquiry.verdict.why = span_of(why);
    bool sent = send_verdict(w->channel, w->id, &w->inquiry, &w->guess, &w->key);
    forget_question(w, GUESS_UNJUDGED);
    return sent;
}

static void channel_end(struct channel *c);

static bool conclude(struct waiting *w)
{
    const struct judgement *judged = &w->judging->judgement;
    inquiry_end(&w->inquiry, judged);
    if (judged->is == JUDGED_YES)
        cache_keep(w->channel->all->cache, &w->key, judged, loop_now_ms());
    bool sent = send_verdict(w->channel, w->id, &w->inquiry, &w->guess, &w->key);
    forget_question(w, GUESS_UNJUDGED);
    return sent;
}

static void on_judged(struct judging *q)
{
    struct waiting *w = q->owner;
    struct channel *c = w->channel;
    w->judged = true;
    if (!w->at_once && !conclude(w))
        channel_end(c);
}

static struct span on_said(struct judging *q, const struct judgement *said)
{
    struct waiting *w = q->owner;
    return inquiry_hears(&w->inquiry, said);
}

static struct judging *new_judging(const struct waiting *w)
{
    const struct attempt of = {
        .protocol = w->ask.protocol,
        .mechanism = (enum sasl_mechanism)w->ask.mechanism,
        .tls = w->ask.tls,
        .number = w->ask.attempt,
        .client = w->ask.client,
    };
    return judging_new(w->channel->all->chain, &of, buf_span(&w->inquiry.login), w->ask.name, w->ask.secret);
}

/* By the chain, or as it did not long ago. */
static void judge(struct waiting *w)
{
    struct cache *cache = w->channel->all->cache;
    cache_name(cache, &w->judging->attempt, &w->key);
    if (cache_find(cache, &w->key, loop_now_ms(), &w->judging->judgement))
        chain_go_on(w->judging);
    else
        chain_judge(w->judging);
}

/* Who asks, for whom, and how often has that gone wrong? */
static enum weight weigh(struct channels *all, struct inquiry *q, const struct msg_ask *ask, struct guess *g)
{
    bool open = inquiry_begin(q, ask);
    enum weight weight = trial_weigh(all->penalties, q, open, g);
    if (weight != GUESS_WAIT || all->n_crowded < CHANNELS_CROWD_MAX)
        return weight;
    trial_refuse(q);
    return GUESS_REFUSE;
}

/* The answer, or the beginning of the judgement that it needs. */
static bool begin(struct waiting *w)
{
    struct channels *all = w->channel->all;
    set_crowded(w, false);
    enum weight weight = weigh(all, &w->inquiry, &w->ask, &w->guess);
    set_crowded(w, weight == GUESS_WAIT);
    if (w->crowded)
        return true;
    if (weight == GUESS_JUDGE && all->chain->site_alone)
        inquiry_end(&w->inquiry, NULL);
    if (weight == GUESS_REFUSE || all->chain->site_alone) {
        bool sent = send_verdict(w->channel, w->id, &w->inquiry, &w->guess, NULL);
        forget_question(w, GUESS_UNJUDGED);
        return sent;
    }
    if (w->ask.secret.n == 0 &&
        all->chain->judges) /* a front of another configuration, or a token that is too long for us */
        return answer_with(w, VERDICT_UNAVAILABLE, "no_secret");
    w->judging = new_judging(w);
    if (w->judging == NULL)
        return answer_with(w, VERDICT_UNAVAILABLE, "no_memory");
    explicit_bzero((char *)w->ask.secret.at, w->ask.secret.n); /* it has its own */
    w->judging->next = on_said;
    w->judging->done = on_judged;
    w->judging->owner = w;
    w->at_once = true;
    judge(w);
    w->at_once = false;
    return !w->judged || conclude(w);
}

static bool may_answer(const struct channel *c)
{
    return c->held && c->all->started && c->all->telling.n == 0;
}

/* Those that are being judged already stand first. */
static bool answer_waiting(struct channel *c)
{
    if (!may_answer(c))
        return true;
    LIST_EACH_SAFE(link, &c->waiting) {
        struct waiting *w = OWNER_OF(link, struct waiting, link);
        bool stays = w->crowded && penalties_waits(c->all->penalties, &w->guess, loop_now_ms());
        if (w->judging == NULL && !stays && !begin(w))
            return false;
    }
    return true;
}

static void answer_all(struct channels *all)
{
    LIST_EACH_SAFE(link, &all->all) {
        struct channel *c = OWNER_OF(link, struct channel, link);
        if (!answer_waiting(c))
            channel_end(c);
    }
}

/* The end of one that was still telling may be what the others wait for. */
static void channel_end(struct channel *c)
{
    struct channels *all = c->all;
    bool was_telling = !list_empty(&c->telling.link);
    channel_free(c);
    if (was_telling)
        answer_all(all);
    all->ended(all);
}

/* Messages of a front. */

static struct waiting *find_question(const struct channel *c, uint64_t id)
{
    LIST_EACH(link, &c->waiting) {
        struct waiting *w = OWNER_OF(link, struct waiting, link);
        if (w->id == id)
            return w;
    }
    return NULL;
}

static struct span copy_to(char *to, struct span s)
{
    if (s.n > 0)
        memcpy(to, s.at, s.n);
    return span_bytes(to, s.n);
}

static struct waiting *keep_question(struct channel *c, uint64_t id, const struct msg_ask *ask)
{
    size_t n = ask->name.n + ask->authzid.n + ask->secret.n;
    struct waiting *w = c->n_waiting < CHANNEL_WAITING_MAX ? calloc(1, sizeof *w + n) : NULL;
    if (w == NULL)
        return NULL;
    w->channel = c;
    w->id = id;
    w->n = n;
    w->ask = *ask;
    w->ask.name = copy_to(w->text, ask->name);
    w->ask.authzid = copy_to(w->text + ask->name.n, ask->authzid);
    w->ask.secret = copy_to(w->text + ask->name.n + ask->authzid.n, ask->secret);
    inquiry_init(&w->inquiry, c->all->policy);
    list_init(&w->link);
    list_add(&c->waiting, &w->link);
    c->n_waiting++;
    return w;
}

/* Where the home site judges everybody there is nothing to wait for but room. False: it has to wait. */
static bool answer_now(struct channel *c, uint64_t id, const struct msg_ask *ask, bool *sent)
{
    struct inquiry *q = &c->all->inquiry;
    struct guess g;
    enum weight weight = weigh(c->all, q, ask, &g);
    if (weight == GUESS_WAIT)
        return false;
    if (weight == GUESS_JUDGE)
        inquiry_end(q, NULL);
    *sent = send_verdict(c, id, q, &g, NULL);
    return true;
}

/* A second question under the same id, while the first is open or its session lives, is not answered. */
static bool on_ask(struct channel *c, const struct message *m)
{
    if (m->ask.protocol >= PROTOCOLS || m->ask.mechanism >= SASL_MECHANISMS)
        return false;
    if (live_has(&c->live, m->id) || find_question(c, m->id) != NULL)
        return true;
    bool sent;
    if (may_answer(c) && c->all->chain->site_alone && answer_now(c, m->id, &m->ask, &sent))
        return sent;
    struct waiting *w = keep_question(c, m->id, &m->ask);
    return w != NULL && (!may_answer(c) || begin(w));
}

/* Also for a cancel: it may have crossed the verdict on its way. */
static bool on_gone(struct channel *c, const struct message *m)
{
    struct waiting *w = find_question(c, m->id);
    if (w != NULL)
        forget_question(w, GUESS_LEFT);
    trials_left(&c->trials, m->id);
    live_remove(&c->live, m->id);
    return true;
}

/* Several logins of one user may be between verdict and result together: who comes last over the limit leaves. */
static bool on_login_result(struct channel *c, const struct message *m)
{
    bool over;
    trials_result(&c->trials, m->id, (enum login_result)m->login_result.result);
    if (m->login_result.result != LOGIN_ACCEPTED) {
        live_refused(&c->live, m->id);
        return true;
    }
    if (!live_sign_in(&c->live, m->id, &over) || !over)
        return true;
    struct message revoke = { .type = MSG_REVOKE, .id = m->id, .revoke.why = REVOKE_TOO_MANY };
    return ipc_send(c->ipc, &revoke);
}

/* A session that exists. One without a mailbox has had no verdict: it counts for nothing and will ask. Some come after
 * held: what the predecessor grants until it leaves is told one by one. */
static bool on_hold(struct channel *c, const struct message *m)
{
    const struct msg_hold *hold = &m->hold;
    bool over;
    if (hold->protocol >= PROTOCOLS)
        return false;
    if (hold->mailbox.n == 0 || live_has(&c->live, m->id))
        return true;
    struct live_facts facts = {
        .protocol = hold->protocol,
        .mailbox = hold->mailbox,
        .client = policy_exempts(c->all->policy, &hold->client) ? NULL : &hold->client,
        .most = policy_sessions_max(c->all->policy, hold->protocol, hold->mailbox),
    };
    return live_add(&c->live, m->id, &facts) && (!hold->signed_in || live_sign_in(&c->live, m->id, &over));
}

static bool on_held(struct channel *c, const struct message *m UNUSED)
{
    bool was_telling = !list_empty(&c->telling.link);
    c->held = true;
    deadline_stop(&c->all->telling, &c->telling);
    if (!answer_waiting(c))
        return false;
    if (was_telling)
        answer_all(c->all);
    return true;
}

static bool (*const handlers[MSG_TYPES])(struct channel *c, const struct message *m) = {
    [MSG_ASK] = on_ask,           [MSG_CANCEL] = on_gone, [MSG_LOGIN_RESULT] = on_login_result,
    [MSG_SESSION_GONE] = on_gone, [MSG_HOLD] = on_hold,   [MSG_HELD] = on_held,
};

static void on_message(void *owner, struct message *m)
{
    struct channel *c = owner;
    if (handlers[m->type] == NULL || !handlers[m->type](c, m))
        channel_end(c);
}

static void on_closed(void *owner, const char *why UNUSED)
{
    channel_end(owner);
}

/* Life. */

static void on_told_too_late(struct deadline *d)
{
    answer_all(OWNER_OF(d, struct channel, telling)->all);
}

static void on_start(struct alarm *a)
{
    struct channels *all = OWNER_OF(a, struct channels, start);
    all->started = true;
    answer_all(all);
}

/* Somebody has been judged: perhaps there is room now. */
static void on_room(struct later *l)
{
    answer_all(OWNER_OF(l, struct channels, room));
}

static void on_settled(void *owner)
{
    struct channels *all = owner;
    if (all->n_crowded > 0)
        loop_later(&all->room, on_room);
}

void channels_init(struct channels *all, struct policy *policy, struct chain *chain, struct penalties *penalties,
                   struct cache *cache, void (*ended)(struct channels *all))
{
    *all =
        (struct channels){ .policy = policy, .chain = chain, .penalties = penalties, .cache = cache, .ended = ended };
    penalties_on_settled(penalties, on_settled, all);
    list_init(&all->all);
    deadline_queue_init(&all->telling, CHANNELS_TELL_MS, on_told_too_late);
    inquiry_init(&all->inquiry, policy);
}

/* Before any answer: the front marks the credentials of all its questions with it. */
static bool tell_mark_key(struct channel *c)
{
    struct message m = { .type = MSG_MARK_KEY, .mark_key.key = penalties_mark_key(c->all->penalties) };
    return ipc_send(c->ipc, &m);
}

/* The first channel begins the start: main gives those of all living fronts in one go. */
static bool start_is_timed(struct channels *all)
{
    return all->started || all->start.place != 0 || alarm_set(&all->start, CHANNELS_START_MS, on_start);
}

bool channels_add(struct channels *all, int fd)
{
    static const struct ipc_events events = { .message = on_message, .closed = on_closed };
    struct channel *c = calloc(1, sizeof *c);
    struct ipc *ipc = ipc_new(fd, &events, c);
    if (c == NULL || ipc == NULL || !start_is_timed(all)) {
        ipc_free(&ipc);
        free(c);
        return false;
    }
    c->all = all;
    c->ipc = ipc;
    trials_init(&c->trials, all->penalties, all->cache);
    live_init(&c->live, &all->policy->counts);
    deadline_init(&c->telling);
    list_init(&c->waiting);
    list_add(&all->all, &c->link);
    all->n++;
    if (!all->started)
        deadline_start(&all->telling, &c->telling);
    (void)tell_mark_key(c); /* one that is dead already says so by itself */
    return true;
}

void channels_fini(struct channels *all)
{
    alarm_clear(&all->start);
    penalties_on_settled(all->penalties, NULL, NULL);
    loop_never(&all->room);
    while (!list_empty(&all->all))
        channel_free(OWNER_OF(all->all.next, struct channel, link));
    inquiry_fini(&all->inquiry);
}
