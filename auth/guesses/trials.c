/* Trials: guesses under the ids of their logins. */
#include "auth/guesses/trials.h"

#include "proxy/net/loop.h"

struct trial {
    struct record record; /* key: the login's id */
    struct guess guess;
    struct cache_key key;
    bool verified;
};

static bool is_refusal(enum verdict_status status)
{
    return status == VERDICT_REFUSED || status == VERDICT_DENIED;
}

void trial_refuse(struct inquiry *q)
{
    q->verdict.status = VERDICT_REFUSED;
    q->verdict.why = SPAN("throttled");
}

/* A name that cannot be read is a name too; what is wrong with the address or with us is nobody's guess. */
enum weight trial_weigh(struct penalties *p, struct inquiry *q, bool open, struct guess *g)
{
    struct guess_facts facts = { .account = buf_span(&q->login),
                                 .client = q->ask->client,
                                 .exempt = policy_exempts(q->policy, &q->ask->client),
                                 .mark = q->ask->mark };
    *g = (struct guess){ 0 };
    if (!open && !is_refusal(q->verdict.status))
        return GUESS_REFUSE;
    if (!open && q->verdict.mailbox.n == 0)
        facts.account = q->ask->name;
    enum weight weight = penalties_weigh(p, &facts, loop_now_ms(), g);
    q->verdict.delay = g->delay;
    if (!open)
        return GUESS_REFUSE;
    if (weight == GUESS_REFUSE)
        trial_refuse(q);
    return weight;
}

void trials_init(struct trials *t, struct penalties *p, struct cache *cache)
{
    t->penalties = p;
    t->cache = cache;
    records_init(&t->open, sizeof(struct trial));
}

void trials_fini(struct trials *t)
{
    for (struct trial *each = records_next(&t->open, NULL); each != NULL; each = records_next(&t->open, each))
        penalties_settle(t->penalties, &each->guess, GUESS_UNJUDGED, loop_now_ms());
    records_fini(&t->open);
}

void trials_add(struct trials *t, uint64_t id, const struct msg_verdict *verdict, struct guess *g,
                const struct cache_key *key)
{
    struct trial *trial = verdict->status == VERDICT_OK && g->is_open ? records_add(&t->open, id) : NULL;
    if (trial != NULL) {
        trial->guess = *g;
        trial->verified = verdict->verified;
        if (key != NULL)
            trial->key = *key;
        g->is_open = false;
        return;
    }
    penalties_settle(t->penalties, g, is_refusal(verdict->status) ? GUESS_WRONG : GUESS_UNJUDGED, loop_now_ms());
}

/* A yes of a verifier has been kept when it said so; that the site was to say yes is known only now. */
static void learn(struct trials *t, const struct trial *trial, enum guess_end how)
{
    static const struct judgement by_site = { .is = JUDGED_BY_SITE };
    if (how == GUESS_WRONG && trial->key.usable)
        cache_forget(t->cache, trial->key.account);
    if (how == GUESS_RIGHT && !trial->verified)
        cache_keep(t->cache, &trial->key, &by_site, loop_now_ms());
}

static void end(struct trials *t, uint64_t id, enum guess_end how)
{
    struct trial *trial = records_find(&t->open, id);
    if (trial == NULL)
        return;
    struct guess g = trial->guess;
    learn(t, trial, how);
    records_remove(&t->open, trial);
    penalties_settle(t->penalties, &g, how, loop_now_ms());
}

void trials_result(struct trials *t, uint64_t id, enum login_result result)
{
    static const enum guess_end ends[LOGIN_RESULTS] = {
        [LOGIN_ACCEPTED] = GUESS_RIGHT, [LOGIN_REFUSED] = GUESS_WRONG, [LOGIN_UNREACHABLE] = GUESS_UNJUDGED
    };
    end(t, id, ends[result]);
}

/* Who left after a verifier had found the credential right has not failed. */
void trials_left(struct trials *t, uint64_t id)
{
    const struct trial *trial = records_find(&t->open, id);
    end(t, id, trial != NULL && trial->verified ? GUESS_UNJUDGED : GUESS_LEFT);
}
