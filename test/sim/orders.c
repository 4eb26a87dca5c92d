/* What an admin orders, and main: sessions are kicked, a site is in maintenance, the front is drained, main dies. Whom
 * an order means is gone in time, and nobody else notices it. A front that was drained leaves with its last session, so
 * such a world is the last of its process. */
#include "proxy/front/process.h"
#include "proxy/net/control.h"
#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum { DUES_MAX = 16, MEANT_MAX = 64, GRACE_MS = 10 * SECOND, STEP_MS = 50, ORDERS_A_WORLD = 3 };

/* Sessions that must be over then, unless they become somebody else's before. */
struct due {
    int64_t until_ms;
    bool everybody;          /* also who is not known yet */
    char user[40], site[16]; /* "": any */
    uint64_t sids[MEANT_MAX];
    size_t n;
};

static struct due dues[DUES_MAX];
static size_t n_dues;
static unsigned orders_left;
static int64_t order_ms;
static enum drain drain;
static bool drain_said;
static int64_t drain_ms;
static uint8_t maintained; /* a site; n_site_facts: none */

/* ---- what must come of it ---- */

static bool is(const char *wanted, const char *text)
{
    return wanted[0] == '\0' || (text != NULL && strcmp(wanted, text) == 0);
}

static bool fits(const struct due *d, const struct session *s)
{
    bool known = s->signed_in || s->state == S_DIAL || s->state == S_HANDIN;
    return s->state != S_CLOSING && (known || d->everybody) && is(d->user, s->mailbox) && is(d->site, s->site_name);
}

/* Who has not gone yet. */
static void look_again(struct due *d)
{
    size_t n = 0;
    LIST_EACH(link, &front.sessions) {
        const struct session *s = OWNER_OF(link, struct session, link);
        for (size_t i = 0; i < d->n; i++)
            if (d->sids[i] == s->sid && fits(d, s)) {
                uint64_t other = d->sids[n];
                d->sids[n++] = s->sid;
                d->sids[i] = other;
                break;
            }
    }
    d->n = n;
}

void orders_require(void)
{
    SIM_REQUIRE(!clock_stopped() || front.n_sessions == 0); /* it does not leave before its last session */
    for (size_t i = 0; i < n_dues; i++) {
        look_again(&dues[i]);
        SIM_REQUIRE(dues[i].n == 0 || loop_now_ms() <= dues[i].until_ms);
        if (dues[i].n == 0)
            dues[i--] = dues[--n_dues];
    }
}

void orders_require_nothing(void)
{
    SIM_REQUIRE(clock_stopped() == (drain != DRAIN_NO));
    SIM_REQUIRE(n_dues == 0);
}

static void keep(char *to, size_t room, struct span text)
{
    SIM_REQUIRE(text.n < room);
    memcpy(to, text.at, text.n);
    to[text.n] = '\0';
}

static void read_words(struct due *d, struct span packed, uint64_t *spread_s)
{
    struct span words[CONTROL_WORDS_MAX];
    size_t n;
    SIM_REQUIRE(control_unpack(packed, words, &n));
    for (size_t i = 0; i < n; i++) {
        d->everybody = d->everybody || span_eq(words[i], SPAN("all=1"));
        if (span_starts(words[i], SPAN("spread=")))
            SIM_REQUIRE(span_number(span_after(words[i], 7), 3600, spread_s));
        if (span_starts(words[i], SPAN("user=")))
            keep(d->user, sizeof d->user, span_after(words[i], 5));
        if (span_starts(words[i], SPAN("site=")))
            keep(d->site, sizeof d->site, span_after(words[i], 5));
    }
}

static void owe(struct due *d, uint64_t within_ms)
{
    d->until_ms = loop_now_ms() + (int64_t)within_ms + STEP_MS + GRACE_MS;
    LIST_EACH(link, &front.sessions) {
        const struct session *s = OWNER_OF(link, struct session, link);
        if (d->n < MEANT_MAX && fits(d, s))
            d->sids[d->n++] = s->sid;
    }
    SIM_REQUIRE(n_dues < DUES_MAX);
    dues[n_dues++] = *d;
}

void orders_front_hears(const struct message *m)
{
    struct due d = { 0 };
    uint64_t spread_s = 0;
    if (m->type == MSG_CONTROL) {
        read_words(&d, m->control.words, &spread_s);
        owe(&d, spread_s * SECOND);
    } else if (m->type == MSG_DRAIN && m->drain.say_bye) {
        d.everybody = true;
        owe(&d, m->drain.deadline_ms + m->drain.spread_ms);
    }
}

/* ---- orders ---- */

static void kick(struct span first, struct span second)
{
    char room[300];
    struct buf packed = { .at = room, .room = sizeof room, .max = sizeof room };
    struct span words[4] = { SPAN("kick"), SPAN("reason=The simulator wants it."), first, second };
    SIM_REQUIRE(control_pack(words, second.n > 0 ? 4 : 3, &packed));
    main_says(&(struct message){ .type = MSG_CONTROL, .id = 1, .control.words = buf_span(&packed) });
}

void orders_kick_all(void)
{
    static const char *const spreads[] = { "spread=5", "spread=0", "spread=60" };
    kick(span_of(spreads[random_below(COUNT_OF(spreads))]), random_below(2) == 0 ? SPAN("all=1") : SPAN_NONE);
}

/* One user's: the others go on as if nothing had happened. */
static void kick_one(void)
{
    char room[60];
    struct buf user = { .at = room, .room = sizeof room, .max = sizeof room };
    struct slot *s = &slots[random_below(SLOTS)];
    if (!s->used)
        return;
    s->plan.clean = false;
    SIM_REQUIRE(buf_printf(&user, "user=%s@sim", client_user(s->client)));
    kick(buf_span(&user), random_below(2) == 0 ? SPAN("all=1") : SPAN_NONE);
}

/* homewardctl site maint: nobody is let in any more, then those who are there are told to go. */
static void maintain(void)
{
    char room[60];
    struct buf site = { .at = room, .room = sizeof room, .max = sizeof room };
    maintained = maintained < n_site_facts ? (uint8_t)n_site_facts : (uint8_t)random_below((uint32_t)n_site_facts);
    if (maintained == n_site_facts)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].used && slots[i].plan.site == maintained)
            slots[i].plan.clean = false;
    SIM_REQUIRE(buf_printf(&site, "site=%s", site_facts[maintained].name));
    kick(buf_span(&site), random_below(2) == 0 ? SPAN("spread=3") : SPAN_NONE);
}

bool orders_maintain(unsigned site)
{
    return site == maintained;
}

static void say_drain(void)
{
    struct message m = { .type = MSG_DRAIN };
    m.drain = (struct msg_drain){ .say_bye = drain == DRAIN_WITH_WORDS };
    if (drain == DRAIN_WITH_WORDS) {
        m.drain.deadline_ms = random_below(2) == 0 ? 0 : random_below(20000);
        m.drain.spread_ms = random_below(3) == 0 ? 0 : random_below(10000);
    }
    bool first = random_below(2) == 0;
    if (first)
        main_unlistens();
    main_says(&m);
    if (!first)
        main_unlistens();
}

static void do_drain(void)
{
    drain_said = true;
    if (drain == DRAIN_MAIN_DIES)
        main_dies();
    else
        say_drain();
}

bool orders_act(void)
{
    if (drain != DRAIN_NO && !drain_said && drain_ms <= loop_now_ms() && random_below(40) == 0) {
        do_drain();
        return true;
    }
    if (orders_left == 0 || order_ms > loop_now_ms() || random_below(40) != 0 || main_is_dead())
        return false;
    orders_left--;
    order_ms = loop_now_ms() + random_below(20000);
    if (random_below(2) == 0)
        kick_one();
    else
        maintain();
    return true;
}

int64_t orders_next(void)
{
    int64_t next = orders_left > 0 && !main_is_dead() ? order_ms : INT64_MAX;
    if (drain != DRAIN_NO && !drain_said && drain_ms < next)
        next = drain_ms;
    return next <= loop_now_ms() ? loop_now_ms() + 1 : next;
}

void orders_begin(enum drain how)
{
    drain = how;
    drain_said = false;
    drain_ms = loop_now_ms() + random_below(random_below(2) == 0 ? 100 : 30000);
    n_dues = 0;
    maintained = (uint8_t)n_site_facts;
    orders_left = random_chance(250) ? 1 + random_below(ORDERS_A_WORLD) : 0;
    order_ms = loop_now_ms() + random_below(1000);
}
