/* Penalties: the memory, what an attempt weighs, what it came to. */
#include "auth/guesses/penalties.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "proxy/net/hash.h"

enum { VERSION = 1, DAY_S = 86400, LEAK_WITHOUT_LIMIT = 30, NAME_MAX_BYTES = 512 };

static const char magic[16] = "homeward guesses";

struct penalties_head {
    char magic[16];
    uint64_t version, bytes;
    unsigned char hash_key[PENALTIES_KEY_BYTES], mark_key[PENALTIES_KEY_BYTES];
    uint64_t refused;
};

/* ---- the memory ---- */

static bool is_ours(const struct penalties_head *h)
{
    return memcmp(h->magic, magic, sizeof magic) == 0 && h->version == VERSION && h->bytes == PENALTIES_BYTES;
}

static void *map_fd(int fd)
{
    struct stat is;
    if (fd < 0 || fstat(fd, &is) != 0 || is.st_size < PENALTIES_BYTES)
        return MAP_FAILED;
    return mmap(NULL, PENALTIES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Memory that main has just made is empty already, and pages that nobody has touched cost nothing: they stay so. The
 * magic goes in last, so what a crash leaves half done is done again. */
static void begin(struct penalties_head *h)
{
    static const char none[sizeof h->magic];
    if (memcmp(h->magic, none, sizeof none) != 0 && madvise(h, PENALTIES_BYTES, MADV_REMOVE) != 0)
        memset(h, 0, PENALTIES_BYTES);
    h->version = VERSION;
    h->bytes = PENALTIES_BYTES;
    random_bytes(h->hash_key, sizeof h->hash_key);
    random_bytes(h->mark_key, sizeof h->mark_key);
    memcpy(h->magic, magic, sizeof magic);
}

bool penalties_open(struct penalties *p, const struct config *config, int fd, bool *shared)
{
    void *memory = map_fd(fd);
    *shared = memory != MAP_FAILED;
    if (!*shared)
        memory =
            mmap(NULL, PENALTIES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    struct bucket *first = (struct bucket *)((char *)memory + PENALTIES_HEAD);
    *p = (struct penalties){
        .config = config,
        .head = memory,
        .accounts = {first,                                        PENALTIES_SETS, PENALTIES_WAYS},
        .blocks = { first + PENALTIES_SETS * PENALTIES_WAYS,     PENALTIES_SETS, PENALTIES_WAYS},
        .known = { first + 2 * PENALTIES_SETS * PENALTIES_WAYS, KNOWN_SETS,     KNOWN_WAYS    },
    };
    flights_init(&p->flights);
    if (!is_ours(p->head))
        begin(p->head);
    return true;
}

void penalties_close(struct penalties *p)
{
    flights_fini(&p->flights);
    if (p->head != NULL)
        munmap(p->head, PENALTIES_BYTES);
    p->head = NULL;
}

struct span penalties_mark_key(const struct penalties *p)
{
    return span_bytes((const char *)p->head->mark_key, sizeof p->head->mark_key);
}

uint64_t penalties_refused(const struct penalties *p)
{
    return p->head->refused;
}

/* ---- names ---- */

/* what: tells the kinds of name apart. */
static uint64_t hash_of(const struct penalties *p, char what, struct span bytes)
{
    char text[1 + NAME_MAX_BYTES];
    size_t n = bytes.n < NAME_MAX_BYTES ? bytes.n : NAME_MAX_BYTES;
    text[0] = what;
    if (n > 0)
        memcpy(text + 1, bytes.at, n);
    uint64_t hash = hash_with(p->head->hash_key, span_bytes(text, 1 + n));
    return hash != 0 ? hash : 1;
}

/* Without what stands behind a "+" in the local part: to many stores that is the same account, and a guesser would have
 * as many as he can think of. */
static uint64_t hash_of_account(const struct penalties *p, struct span name)
{
    char text[NAME_MAX_BYTES];
    ptrdiff_t plus = span_find(name, '+'), at = span_find_last(name, '@');
    if (plus < 1 || (at >= 0 && at < plus) || name.n > sizeof text)
        return hash_of(p, 'a', name);
    struct span domain = at >= 0 ? span_after(name, (size_t)at) : SPAN_NONE;
    memcpy(text, name.at, (size_t)plus);
    if (domain.n > 0)
        memcpy(text + plus, domain.at, domain.n);
    return hash_of(p, 'a', span_bytes(text, (size_t)plus + domain.n));
}

static uint64_t hash_of_block(const struct penalties *p, const struct addr *client)
{
    struct addr block = addr_block(client);
    unsigned char bytes[1 + sizeof block.bytes] = { block.family };
    /* lint: addr_block gives all of it */
    memcpy(bytes + 1, block.bytes, sizeof block.bytes);
    return hash_of(p, 'b', span_bytes(bytes, sizeof bytes));
}

static uint64_t hash_of_two(const struct penalties *p, char what, uint64_t a, uint64_t b)
{
    uint64_t both[] = { a, b };
    return hash_of(p, what, span_bytes((const char *)both, sizeof both));
}

/* ---- limits ---- */

struct limit {
    uint64_t most; /* failures that may lie in a bucket; 0: any number */
    uint64_t leak; /* failures an hour */
};

/* Half at once and half over the hour. */
static struct limit limit_of(int64_t an_hour)
{
    uint64_t all = (uint64_t)an_hour, half = all > 1 ? all / 2 : all;
    return all == 0 ? (struct limit){ 0, LEAK_WITHOUT_LIMIT } : (struct limit){ half, all - half };
}

static struct limit of_account(const struct penalties *p)
{
    return limit_of(p->config->auth.guesses_per_account);
}

static struct limit of_block(const struct penalties *p)
{
    return limit_of(p->config->auth.guesses_per_address);
}

/* Is there room for one failure more than those `beside` that may come? */
static bool has_room(struct limit limit, uint32_t level, uint64_t beside)
{
    return limit.most == 0 || level + (beside + 1) * BUCKET_FAILURE <= limit.most * BUCKET_FAILURE;
}

/* ---- known addresses ---- */

/* All of one account lie in one set. */
static uint32_t group_of(uint64_t account)
{
    return (uint32_t)(account >> 32) | 1;
}

static bool is_fresh(const struct penalties *p, const struct bucket *b, uint32_t now_s)
{
    uint64_t age = now_s > b->seen_s ? now_s - b->seen_s : 0;
    return age < (uint64_t)p->config->auth.known_address_days * DAY_S;
}

static struct bucket *find_known(const struct penalties *p, const struct guess *g, uint32_t now_s)
{
    struct bucket *b = buckets_find(&p->known, g->account, g->pair);
    return b != NULL && b->group == group_of(g->account) && is_fresh(p, b, now_s) ? b : NULL;
}

static struct bucket *older(struct bucket *a, struct bucket *b)
{
    return a == NULL || b->seen_s < a->seen_s ? b : a;
}

/* A free place is the oldest of all. */
static struct bucket *place_for_known(const struct penalties *p, uint64_t account)
{
    struct bucket *set = buckets_set(&p->known, account), *own = NULL, *any = NULL;
    unsigned n_own = 0;
    for (uint32_t i = 0; i < KNOWN_WAYS; i++) {
        any = older(any, &set[i]);
        if (set[i].key == 0 || set[i].group != group_of(account))
            continue;
        own = older(own, &set[i]);
        n_own++;
    }
    return n_own >= KNOWN_MOST ? own : any;
}

/* One that had expired begins anew; one that is known keeps what lies in its bucket. */
static void note_known(const struct penalties *p, const struct guess *g, uint32_t now_s)
{
    struct bucket *b = buckets_find(&p->known, g->account, g->pair);
    if (b == NULL) {
        b = place_for_known(p, g->account);
        *b = (struct bucket){ .key = g->pair, .group = group_of(g->account), .at_s = now_s };
    }
    b->seen_s = now_s > 0 ? now_s : 1;
}

/* ---- what an attempt weighs ---- */

static struct bucket *find_account(const struct penalties *p, const struct guess *g)
{
    return buckets_find(&p->accounts, g->account, g->account);
}

static struct bucket *find_block(const struct penalties *p, const struct guess *g)
{
    return g->block != 0 ? buckets_find(&p->blocks, g->block, g->block) : NULL;
}

/* Of an address every pair of account and password is another. */
static uint16_t mark_at_block(const struct penalties *p, const struct guess *g)
{
    return g->mark != 0 ? (uint16_t)(1 + hash_of_two(p, 'm', g->account, g->mark) % UINT16_MAX) : 0;
}

/* Would this failure be another one than those that lie in the bucket or are being judged? */
static bool is_distinct(const struct penalties *p, const struct bucket *b, uint64_t key, uint16_t mark)
{
    return !bucket_has_mark(b, mark) && !flights_have(&p->flights, key, mark);
}

/* Points of the grid for the nth failure: 1, 2, 4, 8 …, from the first one that is not free. */
static uint8_t delay_of(const struct penalties *p, uint64_t nth, uint64_t shared_by)
{
    uint64_t none = (uint64_t)p->config->auth.free_failures * shared_by,
             most = (uint64_t)p->config->auth.delay_points_max;
    if (nth <= none)
        return 0;
    uint64_t points = nth - none > 8 ? most : (uint64_t)1 << (nth - none - 1);
    return (uint8_t)(points < most ? points : most);
}

static unsigned failures(uint32_t level)
{
    return (level + BUCKET_FAILURE / 2) / BUCKET_FAILURE;
}

static uint32_t seconds(int64_t ms)
{
    return (uint32_t)(ms / 1000);
}

static uint32_t level_of_account(const struct penalties *p, const struct guess *g, uint32_t now_s)
{
    return bucket_level(find_account(p, g), of_account(p).leak, now_s);
}

static uint32_t level_of_block(const struct penalties *p, const struct guess *g, uint32_t now_s)
{
    return bucket_level(find_block(p, g), of_block(p).leak, now_s);
}

/* A password that the account is known to have wrong costs its address nothing either: many telephones with old ones
 * may stand behind one address. */
static void set_distinct(const struct penalties *p, struct guess *g)
{
    g->distinct = is_distinct(p, find_account(p, g), g->account, g->mark);
    g->distinct_there = g->block != 0 && g->distinct && is_distinct(p, find_block(p, g), g->block, mark_at_block(p, g));
}

static void set_delay(const struct penalties *p, struct guess *g, uint32_t now_s)
{
    uint64_t of_name = failures(level_of_account(p, g, now_s)) + flights_of(&p->flights, g->account) + g->distinct;
    uint64_t of_place = failures(level_of_block(p, g, now_s)) + g->distinct_there;
    if (g->block != 0)
        of_place += flights_of(&p->flights, g->block);
    uint8_t for_name = delay_of(p, of_name, 1), for_place = delay_of(p, of_place, GUESS_SHARED_BY);
    g->delay = for_name > for_place ? for_name : for_place;
}

bool penalties_waits(const struct penalties *p, const struct guess *g, int64_t now_ms)
{
    size_t beside = flights_of(&p->flights, g->account);
    uint32_t level = level_of_account(p, g, seconds(now_ms));
    if (!has_room(of_account(p), level, 0) || !is_distinct(p, find_account(p, g), g->account, g->mark))
        return false;
    return beside == FLIGHTS_MOST || !has_room(of_account(p), level, beside);
}

static enum weight weigh(const struct penalties *p, const struct guess *g, int64_t now_ms)
{
    uint32_t now_s = seconds(now_ms);
    const struct bucket *known = find_known(p, g, now_s);
    if (known != NULL)
        return has_room(of_account(p), bucket_level(known, of_account(p).leak, now_s), 0) ? GUESS_JUDGE : GUESS_REFUSE;
    if (!has_room(of_account(p), level_of_account(p, g, now_s), 0))
        return GUESS_REFUSE;
    if (g->block != 0 && !has_room(of_block(p), level_of_block(p, g, now_s), 0))
        return GUESS_REFUSE;
    return penalties_waits(p, g, now_ms) ? GUESS_WAIT : GUESS_JUDGE;
}

static void take_off(struct penalties *p, struct guess *g)
{
    g->flies[0] = !bucket_has_mark(find_account(p, g), g->mark) && flights_add(&p->flights, g->account, g->mark);
    g->flies[1] = g->distinct_there && flights_add(&p->flights, g->block, mark_at_block(p, g));
}

static void name(const struct penalties *p, const struct guess_facts *facts, struct guess *g)
{
    uint64_t block = hash_of_block(p, &facts->client);
    *g = (struct guess){ .account = hash_of_account(p, facts->account),
                         .block = facts->exempt ? 0 : block,
                         .mark = facts->mark };
    g->pair = hash_of_two(p, 'p', g->account, block);
}

struct penalties_view penalties_look(const struct penalties *p, const struct guess_facts *facts, int64_t now_ms)
{
    struct guess g;
    uint32_t now_s = seconds(now_ms);
    name(p, facts, &g);
    return (struct penalties_view){ .of_account = failures(level_of_account(p, &g, now_s)),
                                    .of_address = failures(level_of_block(p, &g, now_s)),
                                    .known = find_known(p, &g, now_s) != NULL,
                                    .refuses = weigh(p, &g, now_ms) == GUESS_REFUSE };
}

enum weight penalties_weigh(struct penalties *p, const struct guess_facts *facts, int64_t now_ms, struct guess *g)
{
    name(p, facts, g);
    g->asked_ms = now_ms;
    set_distinct(p, g);
    enum weight weight = weigh(p, g, now_ms);
    set_delay(p, g, seconds(now_ms));
    g->is_open = weight == GUESS_JUDGE;
    if (weight == GUESS_JUDGE)
        take_off(p, g);
    if (weight == GUESS_REFUSE)
        p->head->refused++;
    return weight;
}

/* ---- what it came to ---- */

/* What is distinct at the address has been decided when it was asked: what came together may end in any order. */
static void fail(struct penalties *p, const struct guess *g, uint32_t now_s)
{
    struct limit account = of_account(p), block = of_block(p);
    struct bucket *known = find_known(p, g, now_s);
    bucket_fail(buckets_get(&p->accounts, g->account, account.leak, now_s), g->mark, account.leak, now_s);
    if (g->distinct_there)
        bucket_fail(buckets_get(&p->blocks, g->block, block.leak, now_s), mark_at_block(p, g), block.leak, now_s);
    if (known != NULL)
        bucket_fail(known, g->mark, account.leak, now_s);
}

/* Less than a login may take: that one was given up, not left. */
static int64_t patience_ms(const struct penalties *p)
{
    int64_t half_ms = p->config->limits.site_login_timeout_s * 500;
    return half_ms < GUESS_PATIENCE_MS ? half_ms : GUESS_PATIENCE_MS;
}

void penalties_on_settled(struct penalties *p, void (*settled)(void *owner), void *owner)
{
    p->settled = settled;
    p->owner = owner;
}

void penalties_settle(struct penalties *p, struct guess *g, enum guess_end end, int64_t now_ms)
{
    bool left_early = end == GUESS_LEFT && now_ms - g->asked_ms < patience_ms(p);
    if (!g->is_open)
        return;
    g->is_open = false;
    if (g->flies[0])
        flights_remove(&p->flights, g->account, g->mark);
    if (g->flies[1])
        flights_remove(&p->flights, g->block, mark_at_block(p, g));
    if (end == GUESS_RIGHT)
        note_known(p, g, seconds(now_ms));
    if (end == GUESS_WRONG || left_early)
        fail(p, g, seconds(now_ms));
    if (p->settled != NULL)
        p->settled(p->owner);
}

/* ---- forgiving ---- */

static void empty(struct bucket *b)
{
    if (b == NULL)
        return;
    b->level = 0;
    memset(b->marks, 0, sizeof b->marks);
}

void penalties_forgive_account(struct penalties *p, struct span account)
{
    uint64_t hash = hash_of_account(p, account);
    struct bucket *set = buckets_set(&p->known, hash);
    empty(buckets_find(&p->accounts, hash, hash));
    for (uint32_t i = 0; i < KNOWN_WAYS; i++)
        if (set[i].group == group_of(hash))
            empty(&set[i]);
}

static void forgive_block(struct penalties *p, const struct addr *block)
{
    uint64_t hash = hash_of_block(p, block);
    empty(buckets_find(&p->blocks, hash, hash));
}

/* The next block of the same family. */
static void advance(struct addr *a)
{
    size_t i = a->family == AF_INET6 ? 8 : 4;
    while (i > 0 && ++a->bytes[i - 1] == 0)
        i--;
}

bool penalties_forgive_network(struct penalties *p, const struct network *network)
{
    unsigned bits = network->prefix.family == AF_INET6 ? 64 : 32;
    unsigned free_bits = network->bits < bits ? bits - network->bits : 0;
    struct addr block = addr_block(&network->prefix);
    if (free_bits > 16)
        return false;
    for (unsigned i = 0; i < free_bits; i++) /* the first block of the network */
        block.bytes[(bits - 1 - i) / 8] &= (uint8_t) ~(1U << (i % 8));
    for (uint32_t n = 0; n < 1U << free_bits; n++) {
        forgive_block(p, &block);
        advance(&block);
    }
    return true;
}
