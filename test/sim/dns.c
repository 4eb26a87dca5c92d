/* proxy/net/dns.h on zones that are drawn: each name has some addresses, of which some are dead and some not the
 * site's, and they change. In a troubled world name servers fail, fall silent, deny what exists and answer for one
 * family only. What was told is remembered: nothing else may be dialled. */
#include "proxy/net/dns.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>

#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum { ZONE_MAX = 4, ALIVE_BELOW = 100, REFUSES_BELOW = 200, FIRST_FOREIGN = 192, ROW_MS = 1000 };

struct zone {
    const char *name;
    uint8_t net; /* 10.net.0.0/16 and 2001:db8:net::/48, or 0: loopback */
    bool asked;
    int64_t down_until_ms;
    struct dns_answer now;
    struct addr told[DNS_ADDRESSES_MAX], before[DNS_ADDRESSES_MAX]; /* what is in force, and was until then */
    size_t n_told, n_before;
    int64_t told_ms;
    unsigned version;
};

static struct zone zones[] = {
    {.name = "north.sim",  .net = 1},
    { .name = "south.sim", .net = 2},
    { .name = "here.sim",  .net = 0}
};

struct dns_wait {
    struct zone *zone;
    struct alarm due;
    dns_done_fn *done;
    void *owner;
};

static bool troubled;
static size_t open_questions;

/* ---- addresses: the last octet says what becomes of those who dial it ---- */

enum address_kind dns_kind(const struct addr *a)
{
    uint8_t host = a->bytes[a->family == AF_INET ? 3 : 15];
    return host < ALIVE_BELOW ? ADDRESS_LIVES : host < REFUSES_BELOW ? ADDRESS_REFUSES : ADDRESS_SILENT;
}

static bool belongs(const struct zone *z, const struct addr *a)
{
    if (z->net == 0)
        return addr_is_loopback(a);
    return a->family == AF_INET ? a->bytes[0] == 10 && a->bytes[1] == z->net : a->bytes[5] == z->net;
}

static struct addr draw_address(const struct zone *z, uint8_t family, bool good)
{
    struct addr a = { .family = family };
    bool foreign = !good && random_below(8) == 0;
    uint8_t host = (uint8_t)(1 + random_below(good || random_below(2) == 0 ? ALIVE_BELOW - 1 : 254));
    if (family == AF_INET6 && z->net == 0) {
        a.bytes[15] = foreign ? 2 : 1;
        return a;
    }
    if (family == AF_INET6) {
        memcpy(a.bytes, (uint8_t[]){ 0x20, 1, 0x0d, 0xb8, 0, foreign ? FIRST_FOREIGN : z->net }, 6);
        a.bytes[15] = host;
        return a;
    }
    a.bytes[0] = foreign ? FIRST_FOREIGN : z->net == 0 ? 127 : 10;
    a.bytes[1] = z->net;
    a.bytes[3] = host;
    return a;
}

/* One of them lives, but where names are in trouble. */
static void draw_zone(struct zone *z)
{
    size_t n = 1 + random_below(ZONE_MAX), good = random_below((uint32_t)n);
    z->now = (struct dns_answer){ .status = DNS_OK, .reason = "ok", .n = n };
    for (size_t i = 0; i < n; i++) {
        uint8_t family = (i + n) % 2 == 0 ? AF_INET6 : AF_INET;
        z->now.addrs[i] = draw_address(z, family, !troubled && i == good);
    }
    z->now.ttl_ms = 1000 * (int64_t)random_size(random_below(2) == 0 ? 10 : 3600);
}

/* ---- what was told ---- */

static struct zone *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        if (strcasecmp(zones[i].name, name) == 0)
            return &zones[i];
    return NULL;
}

static bool has_family(const struct dns_answer *answer, uint8_t family)
{
    for (size_t i = 0; i < answer->n; i++)
        if (answer->addrs[i].family == family)
            return true;
    return false;
}

static void remember(struct zone *z, const struct dns_answer *answer)
{
    size_t n = 0;
    z->version++;
    z->told_ms = loop_now_ms();
    z->n_before = z->n_told;
    memcpy(z->before, z->told, sizeof z->before);
    for (size_t i = 0; answer->partial && i < z->n_told; i++) /* what could not be asked stays as it was */
        if (!has_family(answer, z->told[i].family))
            z->told[n++] = z->told[i];
    memcpy(z->told + n, answer->addrs, answer->n * sizeof z->told[0]);
    z->n_told = n + answer->n;
}

static bool is_in(const struct addr *a, const struct addr *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (addr_same_host(&list[i], a))
            return true;
    return false;
}

/* A row of attempts that has begun goes on with what was in force then. */
bool dns_has_told(const struct addr *a)
{
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        const struct zone *z = &zones[i];
        bool was = loop_now_ms() < z->told_ms + ROW_MS && is_in(a, z->before, z->n_before);
        if (was || is_in(a, z->told, z->n_told))
            return belongs(z, a);
    }
    return false;
}

bool dns_told_one_that_lives(const char *name, unsigned *version)
{
    const struct zone *z = find(name);
    *version = z != NULL ? z->version : 0;
    for (size_t i = 0; z != NULL && i < z->n_told; i++)
        if (belongs(z, &z->told[i]) && dns_kind(&z->told[i]) == ADDRESS_LIVES)
            return true;
    return false;
}

bool dns_told_any(const char *name)
{
    const struct zone *z = find(name);
    return z != NULL && z->n_told > 0;
}

void dns_forget(void)
{
    SIM_REQUIRE(open_questions == 0); /* an answer would go to somebody who is no more */
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        zones[i].n_told = zones[i].n_before = 0;
}

void dns_begin_world(bool in_trouble)
{
    troubled = in_trouble;
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        struct zone *z = &zones[i];
        *z = (struct zone){ .name = z->name, .net = z->net };
        draw_zone(z);
    }
}

/* ---- answers ---- */

static void fail(struct dns_answer *answer, enum dns_status status, const char *reason)
{
    *answer = (struct dns_answer){ .status = status, .reason = reason, .ttl_ms = 1000 };
}

/* One family alone. */
static void halve(struct dns_answer *answer)
{
    uint8_t family = answer->addrs[random_below((uint32_t)answer->n)].family;
    size_t n = 0;
    for (size_t i = 0; i < answer->n; i++)
        if (answer->addrs[i].family == family)
            answer->addrs[n++] = answer->addrs[i];
    answer->n = n;
    answer->partial = true;
}

static void draw_trouble(struct zone *z, struct dns_answer *answer)
{
    static const char *const reasons[] = { "timeout", "SERVFAIL", "servers_fail" };
    bool down = loop_now_ms() < z->down_until_ms;
    if (!down && random_below(3) == 0) {
        z->down_until_ms = loop_now_ms() + random_below(600000);
        down = true;
    }
    if (down)
        fail(answer, DNS_TRY_LATER, reasons[random_below(COUNT_OF(reasons))]);
    else if (random_below(6) == 0)
        fail(answer, DNS_NO_NAME, "NXDOMAIN");
    else if (random_below(3) == 0)
        halve(answer);
}

static void on_due(struct alarm *a)
{
    struct dns_wait *w = OWNER_OF(a, struct dns_wait, due);
    struct zone *z = w->zone;
    dns_done_fn *done = w->done;
    void *owner = w->owner;
    if (random_below(3) == 0)
        draw_zone(z);
    struct dns_answer answer = z->now;
    if (troubled)
        draw_trouble(z, &answer);
    totals.outages += answer.status != DNS_OK;
    if (answer.status == DNS_OK)
        remember(z, &answer);
    sim_note(0, z->name, span_of(answer.reason));
    z->asked = false;
    open_questions--;
    free(w);
    done(owner, &answer);
}

static unsigned draw_delay(void)
{
    if (troubled && random_below(3) == 0)
        return 8000; /* each server, twice */
    return random_below(random_below(10) == 0 ? 3000 : 30);
}

struct dns_wait *dns_ask(const char *name, dns_done_fn *done, void *owner)
{
    struct zone *z = find(name);
    struct dns_wait *w = calloc(1, sizeof *w);
    SIM_REQUIRE(z != NULL && w != NULL);
    SIM_REQUIRE(!z->asked); /* one question at a time */
    z->asked = true;
    open_questions++;
    totals.names++;
    *w = (struct dns_wait){ .zone = z, .done = done, .owner = owner };
    SIM_REQUIRE(alarm_set(&w->due, draw_delay(), on_due));
    return w;
}

void dns_cancel(struct dns_wait **wait)
{
    struct dns_wait *w = *wait;
    *wait = NULL;
    if (w == NULL)
        return;
    alarm_clear(&w->due);
    w->zone->asked = false;
    open_questions--;
    free(w);
}
