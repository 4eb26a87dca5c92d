/* The cache: sets of a few places; the entry that ends first makes room. */
#include "auth/verifiers/cache.h"

#include <stdlib.h>

#include "proxy/base/pack.h"
#include "proxy/net/loop.h"

enum { QUESTION_MAX = 32768, SWEEP_MS = 60 * SECOND };

struct cache_entry {
    unsigned char mac[MAC_BYTES];
    uint64_t account;
    int64_t until_ms; /* 0: free */
    struct judgement said;
};

/* ---- life ---- */

static void drop(struct cache_entry *e)
{
    if (e->until_ms == 0)
        return;
    judgement_fini(&e->said);
    explicit_bzero(e, sizeof *e);
}

static void drop_until(struct cache *c, int64_t now_ms)
{
    for (size_t i = 0; c->entries != NULL && i < CACHE_SETS * CACHE_WAYS; i++)
        if (c->entries[i].until_ms <= now_ms)
            drop(&c->entries[i]);
}

static void on_sweep(struct alarm *a)
{
    struct cache *c = OWNER_OF(a, struct cache, sweep);
    drop_until(c, loop_now_ms());
    if (!alarm_set(&c->sweep, SWEEP_MS, on_sweep))
        cache_clear(c);
}

bool cache_open(struct cache *c, const struct config *config, const struct chain *chain)
{
    *c = (struct cache){ .stay_ms = config->auth.cache_s * SECOND, .with_client = chain_has(chain, VERIFIER_HTTP) };
    if (c->stay_ms == 0 || !chain->judges)
        return true;
    random_bytes(c->key, sizeof c->key);
    c->entries = calloc(CACHE_SETS * CACHE_WAYS, sizeof *c->entries);
    return c->entries != NULL && alarm_set(&c->sweep, SWEEP_MS, on_sweep);
}

void cache_clear(struct cache *c)
{
    drop_until(c, INT64_MAX);
}

void cache_close(struct cache *c)
{
    alarm_clear(&c->sweep);
    cache_clear(c);
    free(c->entries);
    explicit_bzero(c, sizeof *c);
}

/* ---- questions ---- */

static bool add_client(const struct attempt *a, struct buf *to)
{
    return pack_number(to, a->tls, 1) && pack_number(to, a->client.family, 1) &&
           buf_add(to, span_bytes(a->client.bytes, sizeof a->client.bytes));
}

void cache_name(const struct cache *c, const struct attempt *a, struct cache_key *key)
{
    struct buf question;
    *key = (struct cache_key){ 0 };
    if (c->entries == NULL || sasl_is_bearer(a->mechanism))
        return;
    buf_init_secret(&question, QUESTION_MAX);
    key->usable = pack_number(&question, a->protocol, 1) && pack_number(&question, a->mechanism, 1) &&
                  pack_string(&question, span_of(a->login)) && pack_string(&question, span_of(a->typed)) &&
                  (!c->with_client || add_client(a, &question)) && pack_string(&question, secret_span(&a->secret));
    if (key->usable)
        mac_of(c->key, buf_span(&question), key->mac);
    key->account = hash_keyed(span_of(a->login));
    buf_fini(&question);
}

/* All of one account lie in one set. */
static struct cache_entry *set_of(const struct cache *c, uint64_t account)
{
    return &c->entries[account % CACHE_SETS * CACHE_WAYS];
}

static bool copy_text(char **to, const char *from)
{
    *to = from != NULL ? span_copy(span_of(from)) : NULL;
    return from == NULL || *to != NULL;
}

static bool copy(struct judgement *to, const struct judgement *from)
{
    *to = (struct judgement){ .is = from->is, .is_all = from->is_all };
    if (copy_text(&to->name, from->name) && copy_text(&to->site, from->site) &&
        copy_text(&to->store_name, from->store_name) && copy_text(&to->options, from->options) &&
        (from->password.n == 0 || secret_set(&to->password, secret_span(&from->password))))
        return true;
    judgement_fini(to);
    return false;
}

bool cache_find(const struct cache *c, struct cache_key *key, int64_t now_ms, struct judgement *j)
{
    if (c->entries == NULL || !key->usable)
        return false;
    struct cache_entry *set = set_of(c, key->account);
    for (size_t i = 0; i < CACHE_WAYS && !key->found; i++)
        if (set[i].until_ms > now_ms && memcmp(set[i].mac, key->mac, MAC_BYTES) == 0)
            key->found = copy(j, &set[i].said);
    return key->found;
}

/* That of the same question, or the one that ends first; a free one has ended. */
static struct cache_entry *place_for(const struct cache *c, const struct cache_key *key)
{
    struct cache_entry *set = set_of(c, key->account), *place = &set[0];
    for (size_t i = 0; i < CACHE_WAYS; i++) {
        if (set[i].until_ms != 0 && memcmp(set[i].mac, key->mac, MAC_BYTES) == 0)
            return &set[i];
        if (set[i].until_ms < place->until_ms)
            place = &set[i];
    }
    return place;
}

void cache_keep(struct cache *c, const struct cache_key *key, const struct judgement *j, int64_t now_ms)
{
    if (c->entries == NULL || !key->usable || key->found || (j->is != JUDGED_YES && j->is != JUDGED_BY_SITE))
        return;
    struct cache_entry *e = place_for(c, key);
    drop(e);
    if (!copy(&e->said, j))
        return;
    memcpy(e->mac, key->mac, sizeof e->mac);
    e->account = key->account;
    e->until_ms = now_ms + c->stay_ms;
}

void cache_forget(struct cache *c, uint64_t account)
{
    struct cache_entry *set = c->entries != NULL ? set_of(c, account) : NULL;
    for (size_t i = 0; set != NULL && i < CACHE_WAYS; i++)
        if (set[i].account == account)
            drop(&set[i]);
}
