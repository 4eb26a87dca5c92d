/* One world: its plans, the schedule, and what must hold after every step. */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/front/process.h"
#include "proxy/net/loop.h"
#include "proxy/wire/sasl.h"
#include "test/sim/sim.h"

enum {
    LOGIN_MS = 20000 /* site_login_timeout_s of house.c */,
    LARGE = 20000,
    SMALL = 300,
    STEPS_MOST = 2000000,
    HOURS_MOST = 48
};

struct slot slots[SLOTS];
struct totals totals;
static bool disturbed, no_names;
static bool front_ran; /* in this step: nothing else changes what must hold of it */
static unsigned to_open, next_user;

/* ---- plans ---- */

static void encode(const struct plan *p, const char *name, const char *password, char *to)
{
    struct buf message, text;
    buf_init(&message, 200);
    buf_init(&text, 200);
    SIM_REQUIRE(sasl_plain_write(&message, SPAN_NONE, span_of(name), span_of(password)));
    SIM_REQUIRE(base64_encode(buf_span(&message), &text) && text.n < sizeof p->encoded[0]);
    memcpy(to, text.at, text.n);
    buf_fini(&message);
    buf_fini(&text);
}

static void draw_words(struct plan *p)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 %{}+";
    struct buf text;
    snprintf(p->name, sizeof p->name, "u%u", p->user);
    snprintf(p->other, sizeof p->other, "v%u", p->user);
    random_text(p->password, 9 + random_below(25), letters);
    random_text(p->wrong, 9 + random_below(25), letters);
    p->password[0] = 'p';
    p->wrong[0] = 'w';
    encode(p, p->name, p->password, p->encoded[0]);
    encode(p, p->name, p->wrong, p->encoded[1]);
    encode(p, p->other, p->password, p->encoded[3]);
    buf_init(&text, 200);
    SIM_REQUIRE(base64_encode(span_of(p->password), &text));
    memcpy(p->encoded[2], text.at, text.n);
    buf_fini(&text);
    const char *const forms[] = { p->password, p->wrong, p->encoded[0], p->encoded[1], p->encoded[2], p->encoded[3] };
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        p->form_n[i] = strlen(forms[i]);
}

static void draw_faults(struct plan *p)
{
    static const uint8_t verdicts[] = { VERDICT_REFUSED,     VERDICT_DENIED,       VERDICT_UNAVAILABLE,
                                        VERDICT_UNAVAILABLE, VERDICT_ADDRESS_FULL, VERDICT_STATUSES };
    static const uint8_t dials[] = { DIAL_UNREACHABLE, DIAL_UNREACHABLE, DIAL_NO_SITE, DIAL_LOOP, DIAL_STATUSES };
    p->confirm = true;
    if (random_chance(disturbed ? 300 : 120)) {
        p->client_fault = (enum sim_fault)(1 + random_below(FAULT_CERTIFICATE - 1));
        p->client_fault_at = random_below(random_below(2) == 0 ? 12 : 80);
    }
    if (random_chance(120)) {
        p->store_fault = (enum sim_fault)(1 + random_below(FAULT_KINDS - 1));
        p->store_fault_at = random_below(random_below(2) == 0 ? 12 : 80);
    }
    if (random_chance(50))
        p->verdict = verdicts[random_below(COUNT_OF(verdicts))];
    if (random_chance(40))
        p->dialed = dials[random_below(COUNT_OF(dials))];
    if (random_chance(20))
        p->confirm = false;
    p->full = random_chance(20);
    p->crosses = random_chance(40); /* the answer comes in the moment in which nobody waits any more */
    if (p->crosses)
        *(random_below(2) == 0 ? &p->auth_ms : &p->dial_ms) = LOGIN_MS - p->auth_ms;
    p->injects = p->starttls && random_chance(20);
    p->clean = !disturbed && !no_names && p->client_fault == FAULT_NO && p->store_fault == FAULT_NO &&
               p->verdict == VERDICT_OK && p->dialed == DIAL_OK && p->confirm && !p->injects && !p->full && !p->crosses;
}

static void draw_plan(struct plan *p)
{
    *p = (struct plan){ .user = next_user++, .port = (uint8_t)random_below((uint32_t)n_port_facts) };
    const struct port_fact *port = &port_facts[p->port];
    p->site = (uint8_t)random_below((uint32_t)n_site_facts);
    p->protocol = port->protocol;
    p->implicit = port->implicit;
    p->starttls = port->starttls;
    p->proxied = port->proxied;
    p->wrong_first = random_chance(100);
    p->auth_ms = random_below(3) == 0 ? random_below(300) : 0;
    p->dial_ms = random_below(3) == 0 ? random_below(300) : 0;
    p->commands = random_below(6);
    p->largest = random_chance(disturbed ? 300 : 50) ? LARGE : SMALL;
    draw_words(p);
    draw_faults(p);
}

const struct plan *plan_of(unsigned slot)
{
    return slot < SLOTS ? &slots[slot].plan : spare_plan(slot);
}

bool secret_is_in(const struct plan *p, struct span bytes)
{
    const char *const forms[] = { p->password, p->wrong, p->encoded[0], p->encoded[1], p->encoded[2], p->encoded[3] };
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (bytes.n >= p->form_n[i] && memmem(bytes.at, bytes.n, forms[i], p->form_n[i]) != NULL)
            return true;
    return false;
}

/* ---- slots ---- */

struct slot *slot_by_name(struct span name)
{
    ptrdiff_t at = span_find(name, '@');
    struct span user = at < 0 ? name : span_first(name, (size_t)at);
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].used &&
            (span_eq(user, span_of(slots[i].plan.name)) || span_eq(user, span_of(slots[i].plan.other))))
            return &slots[i];
    return NULL;
}

uint64_t slot_take_spare(struct slot *s)
{
    if (random_below(4) == 0)
        return 0;
    store_free(&s->store);
    return spares_give(s);
}

struct link *slot_dial(struct slot *s)
{
    const struct site_fact *site = &site_facts[s->plan.site];
    store_free(&s->store);
    s->site_link = link_new(true, (unsigned)(s - slots));
    s->site_link->may_be_clear = !site->tls && !site->starttls && !site->ipsec;
    s->site_link->must_guard = s->site_link->guarded = site->ipsec;
    if (s->plan.largest == LARGE)
        link_widen(s->site_link);
    s->store = store_new(&s->plan, s->site_link, client_user(s->client));
    return s->site_link;
}

static struct slot *free_slot(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (!slots[i].used)
            return &slots[i];
    return NULL;
}

static bool open_one(void)
{
    struct slot *s = free_slot();
    if (s == NULL || to_open == 0 || random_below(20) != 0)
        return false;
    to_open--;
    totals.sessions++;
    *s = (struct slot){ .used = true };
    draw_plan(&s->plan);
    s->client_link = link_new(false, (unsigned)(s - slots));
    if (s->plan.starttls) /* the go-ahead has to fit, or the front hangs up */
        link_widen(s->client_link);
    if (s->plan.largest == LARGE)
        link_widen(s->client_link);
    s->client = client_new(&s->plan, s->client_link);
    struct addr peer = {
        .family = AF_INET, .port = (uint16_t)(1024 + s->plan.user), .bytes = {192, 0, 2, 250}
    };
    if (!s->plan.proxied)
        peer.bytes[3] = (uint8_t)(1 + random_below(200));
    accept_on(s->plan.port, s->client_link->fd, &peer);
    return true;
}

static bool close_one(struct slot *s)
{
    if (!s->used || !client_is_over(s->client) || (s->store != NULL && !store_is_over(s->store)))
        return false;
    client_judge(s->client, s->store != NULL && store_let_in(s->store) ? s->store : NULL);
    helpers_forget(s);
    client_free(&s->client);
    store_free(&s->store);
    s->used = false;
    return true;
}

/* ---- a step ---- */

enum { ACTS = 6 };

/* The links of a slot are gone when both ends are: the models know theirs, and the front's end knows its own. */
static bool act(unsigned slot, unsigned what)
{
    struct slot *s = &slots[slot];
    bool has_store = s->store != NULL && !store_is_over(s->store);
    switch (what) {
    case 0:
        return client_acts(s->client);
    case 1:
        return has_store && store_acts(s->store);
    case 2:
        return !client_is_over(s->client) && link_arrives(s->client_link);
    case 3:
        return has_store && link_arrives(s->site_link);
    default:
        front_ran = conn_wakes_slot(slot, what == 5);
        return front_ran;
    }
}

static bool somebody_acts(void)
{
    unsigned first = random_below(SLOTS), first_act = random_below(ACTS);
    for (unsigned i = 0; i < SLOTS; i++) {
        unsigned slot = (first + i) % SLOTS;
        for (unsigned j = 0; slots[slot].used && j < ACTS; j++)
            if (act(slot, (first_act + j) % ACTS))
                return true;
    }
    return false;
}

static bool something_moves(void)
{
    front_ran = true;
    switch (random_below(3)) {
    case 0:
        return channels_move() || clock_run_later() || helpers_act() || open_one();
    case 1:
        return helpers_act() || open_one() || channels_move() || clock_run_later();
    default:
        return clock_run_later() || open_one() || channels_move() || helpers_act();
    }
}

static bool do_something(void)
{
    bool first = random_below(5) == 0;
    front_ran = false;
    if ((first && (something_moves() || spares_act())) || somebody_acts() || (!first && something_moves()) ||
        spares_act())
        return true;
    for (size_t i = 0; i < SLOTS; i++)
        if (close_one(&slots[i]))
            return true;
    return false;
}

static bool is_empty(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].used)
            return false;
    return to_open == 0 && front.n_sessions == 0;
}

static void require_all(void)
{
    size_t n = 0;
    LIST_EACH(link, &front.sessions) {
        const struct session *s = OWNER_OF(link, struct session, link);
        n++;
        SIM_REQUIRE(s->state < SESSION_STATES && s->client != NULL);
        SIM_REQUIRE((s->signin == NULL) == (s->state == S_RELAY || s->state == S_IDLE));
        SIM_REQUIRE(s->site == NULL || s->state == S_HANDIN || s->state == S_RELAY || s->state == S_IDLE);
        SIM_REQUIRE(s->up.held == NULL || s->up.held->n <= (size_t)front.config->limits.held_bytes + 256 * 1024);
        SIM_REQUIRE(s->down.held == NULL || s->down.held->n <= (size_t)front.config->limits.held_bytes + 256 * 1024);
    }
    SIM_REQUIRE(n == front.n_sessions);
    helpers_require_equal();
    ways_require();
}

/* Nothing is left of anybody. */
static void require_nothing(void)
{
    SIM_REQUIRE(front.n_sessions == 0 && list_empty(&front.sessions));
    SIM_REQUIRE(spares_are_gone() && conns_alive() == 0 && links_open() == 0);
    SIM_REQUIRE(list_empty(&front.auth.asked) && list_empty(&front.backends.asked));
    SIM_REQUIRE(clock_waiting() == 0);
}

static bool pass_time(int64_t began_ms)
{
    int64_t next = clock_next(), other = helpers_next();
    if (to_open > 0 && free_slot() != NULL) /* somebody comes by and by */
        return true;
    next = other < next ? other : next;
    if (next == INT64_MAX)
        return false;
    SIM_REQUIRE(next - began_ms < HOURS_MOST * HOUR); /* somebody stays for ever */
    clock_advance(next);
    return true;
}

void world_run(unsigned sessions)
{
    clock_begin();
    wire_begin();
    spares_begin();
    next_user = 1;
    to_open = sessions;
    disturbed = random_chance(150);
    no_names = random_chance(120);
    dns_begin_world(no_names);
    helpers_start_world(disturbed);
    int64_t began_ms = loop_now_ms();
    for (unsigned steps = 0; steps < STEPS_MOST; steps++) {
        bool done = do_something();
        totals.steps++;
        if (front_ran || !done)
            require_all();
        if (!done && is_empty())
            helpers_settle();
        if (!done && !pass_time(began_ms)) {
            SIM_REQUIRE(is_empty());
            require_nothing();
            helpers_end_world();
            totals.worlds++;
            return;
        }
    }
    SIM_REQUIRE(!"the world does not come to an end");
}
