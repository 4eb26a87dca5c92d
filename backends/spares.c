/* Spares. A pool for each front, member and protocol; once a second each is looked through: who is old, who has to go,
 * how many are missing. What a front says in between is acted upon at once. */
#include "backends/spares.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/ways/approach.h"
#include "backends/members/orders.h"
#include "backends/members/table.h"
#include "proxy/base/log.h"
#include "proxy/net/hash.h"

enum {
    TICK_MS = SECOND,
    MAKING_MOST = 8,         /* of one pool at the same time */
    OVERLAP_MS = 5 * SECOND, /* an old one waits for its successor so long */
    STAY_LEAST_MS = 2 * SECOND,
    BACK_OFF_MOST_MS = 60 * SECOND,
};

enum spare_state { COMING /* connecting */, MAKING /* the front does TLS and greeting */, READY, TAKEN };

struct pool {
    struct spares *spares;
    const struct member *member;
    enum protocol protocol;
    struct list list;    /* the freshest last */
    int64_t stay_ms;     /* how long the store lets them stand, as far as is known */
    int64_t patience_ms; /* when the next one may be begun */
    unsigned failures;   /* in a row */
};

struct spare {
    struct list link;
    struct table_entry by_id;
    struct pool *pool;
    uint64_t id;
    enum spare_state state;
    bool old, gone; /* gone: while it was taken */
    int64_t since_ms;
    struct addr address;
    struct approach approach;
};

struct spares {
    struct list link;
    struct ipc *channel;
    struct pool *
        *of_site; /* by the site's number: a row for each member, a pool for each protocol; NULL: none asked for */
    struct table by_id;
    bool unwanted; /* the front drains */
};

static struct {
    const struct config *config;
    struct list all;
    struct alarm tick;
    uint64_t last_id;
    bool stopped;
} self = {
    .all = {&self.all, &self.all}
};

static void fill(struct pool *pool);

/* ---- the end of one ---- */

static void spare_free(struct spare *one)
{
    approach_stop(&one->approach);
    table_remove(&one->pool->spares->by_id, &one->by_id);
    list_remove(&one->link);
    free(one);
}

static void drop(struct spare *one)
{
    struct message m = { .type = MSG_SPARE_DROP, .id = one->id };
    bool held = one->state == MAKING || one->state == READY;
    if (held && !ipc_send(one->pool->spares->channel, &m))
        log_say(LOG_DEBUG, "backends", "a front does not read: it keeps a connection that nobody wants");
    spare_free(one);
}

static void drop_all(struct pool *pool)
{
    LIST_EACH_SAFE(link, &pool->list) {
        struct spare *one = OWNER_OF(link, struct spare, link);
        if (one->state != TAKEN)
            drop(one);
    }
}

static void log_pool(const struct pool *pool, enum log_level level, const char *state, struct span why)
{
    struct log_line l;
    log_begin(&l, level, "spares");
    log_text(&l, "site", span_of(pool->member->site->config->name));
    log_text(&l, "backend", pool->member->name);
    log_word(&l, "proto", protocol_names[pool->protocol]);
    log_word(&l, "state", state);
    log_text(&l, "why", why);
    log_end(&l);
}

/* It could not be made. That is no fault to health, which has checks and logins to go by. Those that fail together are
 * one failure. */
static void back_off(struct pool *pool, struct span why)
{
    int64_t wait_ms = pool->failures < 6 ? (int64_t)SECOND << pool->failures : BACK_OFF_MOST_MS;
    if (loop_now_ms() < pool->patience_ms)
        return;
    if (pool->failures++ == 0)
        log_pool(pool, LOG_WARNING, "failing", why);
    pool->patience_ms = loop_now_ms() + wait_ms;
}

static void fail(struct spare *one, struct span why)
{
    struct pool *pool = one->pool;
    spare_free(one);
    back_off(pool, why);
}

/* The store has ended one that was not old yet: the next ones are replaced earlier. */
static void learn(struct pool *pool, int64_t stood_ms)
{
    int64_t stay_ms = stood_ms - stood_ms / 4;
    if (stay_ms < pool->stay_ms)
        pool->stay_ms = stay_ms > STAY_LEAST_MS ? stay_ms : STAY_LEAST_MS;
}

/* One that stood its time: perhaps the store has more patience than it once had. */
static void unlearn(struct pool *pool)
{
    int64_t most_ms = pool->member->site->config->spare_age_s * SECOND;
    pool->stay_ms += pool->stay_ms / 8;
    if (pool->stay_ms > most_ms)
        pool->stay_ms = most_ms;
}

/* ---- making ---- */

static void on_connected(struct approach *a, int fd, const struct addr *address)
{
    struct spare *one = OWNER_OF(a, struct spare, approach);
    struct pool *pool = one->pool;
    if (fd < 0) {
        fail(one, span_of(a->connecting.why));
        return;
    }
    struct message m = {
        .type = MSG_SPARE,
        .id = one->id,
        .spare = {.protocol = (uint8_t)pool->protocol,
                  .member = pool->member->key,
                  .site = span_of(pool->member->site->config->name),
                  .host = span_of(pool->member->config->host),
                  .address = *address },
        .fds = { fd},
        .n_fds = 1
    };
    one->address = *address;
    one->state = MAKING;
    bool sent = ipc_send(pool->spares->channel, &m);
    close(fd);
    if (!sent)
        fail(one, SPAN("the front does not read"));
}

static bool begin(struct pool *pool)
{
    struct spare *one = calloc(1, sizeof *one);
    if (one == NULL)
        return false;
    list_init(&one->link);
    one->pool = pool;
    one->id = ++self.last_id;
    one->since_ms = loop_now_ms();
    if (!table_add(&pool->spares->by_id, &one->by_id, hash_keyed(span_bytes(&one->id, sizeof one->id)))) {
        free(one);
        return false;
    }
    list_add(&pool->list, &one->link);
    approach_start(&one->approach, pool->member, pool->protocol, on_connected);
    return true;
}

/* May connections stand ready for it at all? */
static bool is_wanted(const struct pool *pool)
{
    const struct member *m = pool->member;
    return !pool->spares->unwanted && !site_is_overdue(m->site) && !m->config->standby && !orders_drain(m) &&
           orders_of_site(m->site) != ORDER_MAINT && member_look(m, pool->protocol).state == HEALTH_UP;
}

static void fill(struct pool *pool)
{
    size_t making = 0, there = 0;
    LIST_EACH(link, &pool->list) {
        const struct spare *one = OWNER_OF(link, struct spare, link);
        making += one->state < READY;
        there += one->state < TAKEN && !one->old;
    }
    if (self.stopped || loop_now_ms() < pool->patience_ms || !is_wanted(pool))
        return;
    for (; there < (size_t)pool->member->site->config->spare && making < MAKING_MOST; there++, making++)
        if (!begin(pool))
            return;
}

/* ---- every second ---- */

static void look_at(struct spare *one)
{
    struct pool *pool = one->pool;
    int64_t ms = loop_now_ms() - one->since_ms;
    if (one->state == COMING && ms >= self.config->limits.connect_timeout_ms) {
        fail(one, SPAN("timeout"));
    } else if (one->state == READY && ms >= pool->stay_ms + OVERLAP_MS) {
        drop(one);
    } else if (one->state == READY && ms >= pool->stay_ms && !one->old) {
        one->old = true;
        unlearn(pool);
    }
}

static void look_through(struct pool *pool)
{
    if (!is_wanted(pool))
        drop_all(pool);
    LIST_EACH_SAFE(link, &pool->list)
        look_at(OWNER_OF(link, struct spare, link));
    fill(pool);
}

static void each_pool(struct spares *s, void (*what)(struct pool *pool))
{
    for (size_t i = 0; i < sites_count(); i++)
        for (size_t k = 0; s->of_site[i] != NULL && k < sites_at(i)->n_members * PROTOCOLS; k++)
            if (s->of_site[i][k].member != NULL)
                what(&s->of_site[i][k]);
}

static void on_tick(struct alarm *a)
{
    LIST_EACH(link, &self.all)
        each_pool(OWNER_OF(link, struct spares, link), look_through);
    if (!alarm_set(a, TICK_MS, on_tick))
        spares_stop();
}

/* ---- what a front says ---- */

static struct spare *find(const struct spares *s, uint64_t id)
{
    uint64_t hash = hash_keyed(span_bytes(&id, sizeof id));
    for (struct table_entry *e = table_first(&s->by_id, hash); e != NULL; e = table_next(e)) {
        struct spare *one = OWNER_OF(e, struct spare, by_id);
        if (one->id == id)
            return one;
    }
    return NULL;
}

static void let_an_old_one_go(struct pool *pool)
{
    LIST_EACH(link, &pool->list) {
        struct spare *one = OWNER_OF(link, struct spare, link);
        if (one->old && one->state == READY) {
            drop(one);
            return;
        }
    }
}

void spares_ready(struct spares *s, uint64_t id)
{
    struct spare *one = find(s, id);
    if (one == NULL || one->state != MAKING)
        return; /* it was dropped meanwhile */
    struct pool *pool = one->pool;
    if (pool->failures > 0)
        log_pool(pool, LOG_INFO, "ready", SPAN_NONE);
    pool->failures = 0;
    one->state = READY;
    one->since_ms = loop_now_ms();
    list_remove(&one->link);
    list_add(&pool->list, &one->link);
    let_an_old_one_go(pool);
    fill(pool);
}

void spares_gone(struct spares *s, uint64_t id, enum spare_end end, struct span why)
{
    struct spare *one = find(s, id);
    if (end == SPARE_UNWANTED) {
        s->unwanted = true;
        each_pool(s, drop_all);
        return;
    }
    if (one == NULL || one->state == COMING)
        return;
    if (one->state == TAKEN) {
        one->gone = true;
        return;
    }
    struct pool *pool = one->pool;
    int64_t stood_ms = one->state == READY ? loop_now_ms() - one->since_ms : 0;
    spare_free(one);
    if (end == SPARE_FAILED || (end == SPARE_LOST && stood_ms < TICK_MS))
        back_off(pool, why);
    else if (end == SPARE_LOST)
        learn(pool, stood_ms);
    fill(pool);
}

/* ---- what a dial does ---- */

static struct pool *pool_of(struct spares *s, const struct member *m, enum protocol p)
{
    struct pool *row = s->of_site[m->site->number];
    return row != NULL ? &row[(size_t)(m - m->site->members) * PROTOCOLS + p] : NULL;
}

struct spare *spares_take(struct spares *s, const struct member *m, enum protocol p)
{
    struct pool *pool = s != NULL ? pool_of(s, m, p) : NULL;
    if (pool == NULL || pool->member == NULL || !is_wanted(pool))
        return NULL;
    for (struct list *link = pool->list.prev; link != &pool->list; link = link->prev) {
        struct spare *one = OWNER_OF(link, struct spare, link);
        if (one->state == READY) {
            one->state = TAKEN;
            return one;
        }
    }
    return NULL;
}

struct addr spare_address(const struct spare *taken)
{
    return taken->address;
}

uint64_t spare_use(struct spare **taken)
{
    struct spare *one = *taken;
    *taken = NULL;
    if (one == NULL)
        return 0;
    uint64_t id = one->id;
    struct pool *pool = one->pool;
    spare_free(one);
    fill(pool);
    return id;
}

void spare_give_back(struct spare **taken)
{
    struct spare *one = *taken;
    *taken = NULL;
    if (one == NULL)
        return;
    one->state = READY;
    if (one->gone)
        spare_free(one);
}

/* ---- life ---- */

static bool open_site(struct spares *s, const struct site *site)
{
    struct pool *row = calloc(site->n_members * PROTOCOLS, sizeof *row);
    s->of_site[site->number] = row;
    for (size_t i = 0; row != NULL && i < site->n_members; i++)
        for (enum protocol p = 0; p < PROTOCOLS; p++) {
            struct pool *pool = &row[i * PROTOCOLS + p];
            list_init(&pool->list);
            pool->spares = s;
            pool->protocol = p;
            pool->stay_ms = site->config->spare_age_s * SECOND;
            if (site->config->serves[p] && self.config->protocols[p].on)
                pool->member = &site->members[i];
        }
    return row != NULL;
}

struct spares *spares_new(struct ipc *channel)
{
    struct spares *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    list_init(&s->link);
    s->channel = channel;
    s->of_site = calloc(sites_count() + 1, sizeof(struct pool *));
    for (size_t i = 0; i < sites_count(); i++)
        if (s->of_site == NULL || (sites_at(i)->config->spare > 0 && !open_site(s, sites_at(i)))) {
            spares_free(&s);
            return NULL;
        }
    list_add(&self.all, &s->link);
    each_pool(s, fill);
    return s;
}

static void free_all(struct pool *pool)
{
    while (!list_empty(&pool->list))
        spare_free(OWNER_OF(pool->list.next, struct spare, link));
}

void spares_free(struct spares **pointer)
{
    struct spares *s = *pointer;
    if (s == NULL)
        return;
    *pointer = NULL;
    if (s->of_site != NULL)
        each_pool(s, free_all);
    for (size_t i = 0; s->of_site != NULL && i < sites_count(); i++)
        free(s->of_site[i]);
    free(s->of_site);
    table_fini(&s->by_id);
    list_remove(&s->link);
    free(s);
}

size_t spares_count(const struct member *m, enum protocol p)
{
    size_t n = 0;
    LIST_EACH(link, &self.all) {
        const struct pool *pool = pool_of(OWNER_OF(link, struct spares, link), m, p);
        if (pool == NULL || pool->member == NULL)
            continue;
        LIST_EACH(one, &pool->list)
            n += OWNER_OF(one, struct spare, link)->state == READY;
    }
    return n;
}

void spares_stop(void)
{
    self.stopped = true;
}

/* Ids of one process mean nothing to fronts that hold spares of its predecessor. */
void spares_open(const struct config *config)
{
    self.config = config;
    self.stopped = false;
    random_bytes(&self.last_id, sizeof self.last_id);
    for (size_t i = 0; i < config->n_sites; i++)
        if (config->sites[i].spare > 0) {
            on_tick(&self.tick);
            return;
        }
}

void spares_close(void)
{
    alarm_clear(&self.tick);
}
