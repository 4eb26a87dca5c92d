/* Connections that stand ready (proxy/front/reserve.h), from the side of backends: it dials them, keeps a few for each
 * site that wants some, names one in an answer now and then, and takes it for gone when the front says so. Their stores
 * are stores like others, and some die while they stand. */
#include <stdlib.h>

#include "config/config.h"
#include "test/sim/sim.h"

enum { WANTED = 2 /* of a site and protocol */ };

static struct spare {
    bool used, ready;
    uint64_t id;
    struct plan plan;
    struct link *link;
    struct store *store;
} spares[SPARES_MAX];
static uint64_t last_id;

void spares_begin(void)
{
    last_id = 0;
}

static bool is_free(const struct spare *one)
{
    return one->store == NULL;
}

const struct plan *spare_plan(unsigned slot)
{
    return &spares[slot - SLOTS].plan;
}

/* ---- the front's side of them ---- */

bool spares_act(void)
{
    unsigned first = random_below(SPARES_MAX);
    for (unsigned i = 0; i < SPARES_MAX; i++) {
        unsigned at = (first + i) % SPARES_MAX;
        struct spare *one = &spares[at];
        if (is_free(one))
            continue;
        if (store_is_over(one->store)) {
            store_free(&one->store);
            one->used = one->ready = false;
            return true;
        }
        if (link_arrives(one->link) || conn_wakes_slot(SLOTS + at, true) || store_acts(one->store))
            return true;
    }
    return false;
}

bool spares_are_gone(void)
{
    for (size_t i = 0; i < SPARES_MAX; i++)
        if (!is_free(&spares[i]))
            return false;
    return true;
}

/* ---- the side of backends ---- */

static size_t standing(uint8_t site, uint8_t protocol)
{
    size_t n = 0;
    for (size_t i = 0; i < SPARES_MAX; i++)
        n += spares[i].used && spares[i].plan.site == site && spares[i].plan.protocol == protocol;
    return n;
}

static void draw(struct spare *one, uint8_t site, uint8_t protocol)
{
    one->plan = (struct plan){ .site = site, .protocol = protocol, .confirm = true };
    if (random_chance(150)) {
        one->plan.store_fault = (enum sim_fault)(1 + random_below(FAULT_KINDS - 1));
        one->plan.store_fault_at = random_below(8);
    }
}

bool spares_order(struct message *m)
{
    uint8_t site = (uint8_t)random_below((uint32_t)n_site_facts), protocol = (uint8_t)random_below(PROTOCOLS);
    struct spare *one = spares;
    if (!site_facts[site].spare || orders_maintain(site) || standing(site, protocol) >= WANTED)
        return false;
    while (!is_free(one))
        if (++one == spares + SPARES_MAX)
            return false;
    unsigned slot = SLOTS + (unsigned)(one - spares);
    *one = (struct spare){ .used = true, .id = ++last_id, .link = link_new(true, slot) };
    draw(one, site, protocol);
    one->store = store_new(&one->plan, one->link, NULL);
    *m = (struct message){ .type = MSG_SPARE, .id = one->id, .fds = { one->link->fd }, .n_fds = 1 };
    m->spare = (struct msg_spare){
        .protocol = protocol,
        .member = 1 + site,
        .site = span_of(site_facts[site].name),
        .host = span_of(way_host(site)),
        .address = {.family = AF_INET, .port = 143, .bytes = { 10, 0, 0, 1 }}
    };
    return true;
}

static struct spare *find(uint64_t id)
{
    for (size_t i = 0; i < SPARES_MAX; i++)
        if (spares[i].used && spares[i].id == id)
            return &spares[i];
    return NULL;
}

void spares_hear(const struct message *m)
{
    struct spare *one = find(m->id);
    if (one != NULL && m->type == MSG_SPARE_READY)
        one->ready = true;
    else if (one != NULL)
        one->used = one->ready = false;
}

void spares_forget(void)
{
    for (size_t i = 0; i < SPARES_MAX; i++)
        spares[i].used = spares[i].ready = false;
}

uint64_t spares_drop_one(void)
{
    for (size_t i = 0; i < SPARES_MAX; i++)
        if (spares[i].used) {
            spares[i].used = spares[i].ready = false;
            return spares[i].id;
        }
    return 0;
}

/* From here on it is the slot's, as if it had just been dialled. */
uint64_t spares_give(struct slot *s)
{
    for (size_t i = 0; i < SPARES_MAX; i++) {
        struct spare *one = &spares[i];
        if (!one->ready || one->plan.site != s->plan.site || one->plan.protocol != s->plan.protocol ||
            store_is_over(one->store))
            continue;
        unsigned slot = (unsigned)(s - slots);
        s->plan.clean = s->plan.clean && !store_is_silent(one->store) && one->plan.store_fault != FAULT_GARBAGE;
        one->link->may_be_clear = !site_facts[s->plan.site].tls && !site_facts[s->plan.site].starttls;
        conn_moves(one->link, slot);
        store_adopt(one->store, &s->plan, client_user(s->client));
        s->site_link = one->link;
        s->store = one->store;
        uint64_t id = one->id;
        *one = (struct spare){ .used = false };
        totals.spares++;
        return id;
    }
    return 0;
}
