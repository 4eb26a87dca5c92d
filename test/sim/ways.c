/* The ways to members, for the model of backends: the real ones (backends/ways: names, reach, connecting) on dns.c and
 * sockets.c. No names, no way; but what DNS said last stays in force while it is out of order. */
#include <unistd.h>

#include "backends/ways/approach.h"
#include "backends/ways/reach.h"
#include "test/sim/helpers_inside.h"

enum { WAYS_MAX = 64, PATIENCE_MS = 500, SITES = 8 };

struct way {
    struct model *model; /* NULL: free */
    uint64_t id;
    struct slot *slot;
    unsigned member;
    int64_t since_ms;
    unsigned version; /* of what DNS had told by then */
    bool had_addresses;
    struct approach approach;
};

static struct way ways[WAYS_MAX];
static struct site sites[SITES];
static struct member members[SITES];
static size_t n_ways;
static bool open_now;

/* ---- members ---- */

/* The table of names is one for both generations of backends, and gone with the last. */
static void open_members(void)
{
    const struct config *c = house_config;
    SIM_REQUIRE(c->n_sites <= SITES);
    reach_open(c);
    for (size_t i = 0; i < c->n_sites; i++) {
        const struct backend_config *b = &c->sites[i].backends[0];
        sites[i] = (struct site){ .config = &c->sites[i], .members = &members[i], .n_members = 1 };
        members[i] = (struct member){
            .site = &sites[i], .config = b, .port = {1143, 1110}
        };
        if (b->literal.family != AF_UNSPEC)
            continue;
        members[i].hostname = hostname_of(b->host);
        SIM_REQUIRE(members[i].hostname != NULL);
    }
    open_now = true;
}

const char *way_host(unsigned site)
{
    return house_config->sites[site].backends[0].host;
}

/* ---- what must hold ---- */

/* DNS has told of it, and it is the site's. */
void ways_require_allowed(const struct addr *a)
{
    const struct addr *sealed = &members[SITE_SEALED].config->literal;
    SIM_REQUIRE(addr_same_host(a, sealed) || dns_has_told(a));
    SIM_REQUIRE(a->port == 1143 || a->port == 1110);
}

/* Nobody waits long for DNS where it has answered before. */
void ways_require(void)
{
    for (size_t i = 0; n_ways > 0 && i < WAYS_MAX; i++) {
        const struct way *w = &ways[i];
        const struct list *waits = &w->approach.name.link;
        bool in_vain = w->model != NULL && w->had_addresses && waits->next != NULL && !list_empty(waits);
        SIM_REQUIRE(!in_vain || loop_now_ms() <= w->since_ms + PATIENCE_MS);
    }
}

/* It found no way: then there is none, by all that DNS has ever said of it. */
static void require_none(const struct way *w)
{
    unsigned version;
    bool lives = dns_told_one_that_lives(way_host(w->slot->plan.site), &version);
    SIM_REQUIRE(!lives || version != w->version);
}

/* ---- a way ---- */

static void on_done(struct approach *a, int fd, const struct addr *address)
{
    struct way *w = OWNER_OF(a, struct way, approach), was = *w;
    w->model = NULL;
    n_ways--;
    if (fd >= 0)
        close(fd); /* the world makes a link of its own */
    else if (was.slot != NULL)
        require_none(&was);
    backends_dialed(was.model, was.id, was.slot, was.member, fd >= 0 ? address : NULL);
}

void ways_start(struct model *h, uint64_t id, struct slot *slot, unsigned member)
{
    struct way *w = ways;
    const char *host = way_host(slot->plan.site);
    while (w->model != NULL)
        SIM_REQUIRE(++w < ways + WAYS_MAX);
    if (!open_now)
        open_members();
    *w = (struct way){ .model = h, .id = id, .slot = slot, .member = member, .since_ms = loop_now_ms() };
    n_ways++;
    w->had_addresses = dns_told_any(host);
    dns_told_one_that_lives(host, &w->version);
    approach_start(&w->approach, &members[slot->plan.site], (enum protocol)slot->plan.protocol, on_done);
}

static void stop(struct way *w)
{
    approach_stop(&w->approach);
    w->model = NULL;
    n_ways--;
}

bool ways_has(const struct model *h, uint64_t id)
{
    for (size_t i = 0; i < WAYS_MAX; i++)
        if (ways[i].model == h && ways[i].id == id)
            return true;
    return false;
}

bool ways_busy(const struct model *h)
{
    for (size_t i = 0; i < WAYS_MAX; i++)
        if (ways[i].model == h)
            return true;
    return false;
}

void ways_stop(const struct model *h, uint64_t id)
{
    for (size_t i = 0; i < WAYS_MAX; i++)
        if (ways[i].model == h && ways[i].id == id)
            stop(&ways[i]);
}

void ways_forget(const struct slot *s)
{
    for (size_t i = 0; i < WAYS_MAX; i++)
        if (ways[i].slot == s)
            ways[i].slot = NULL;
}

void ways_end(const struct model *h, bool last)
{
    for (size_t i = 0; i < WAYS_MAX; i++)
        if (ways[i].model == h)
            stop(&ways[i]);
    if (!last)
        return;
    hostnames_close();
    dns_forget();
    open_now = false;
    SIM_REQUIRE(sockets_open() == 0);
}
