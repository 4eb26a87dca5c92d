/* One world: its plans, the schedule, and what must hold after every step. */
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/front/process.h"
#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum { STEPS_MOST = 2000000, HOURS_MOST = 48 };

struct slot slots[SLOTS];
struct totals totals;
static bool front_ran; /* in this step: nothing else changes what must hold of it */
static unsigned to_open;
static int child_end = -1;
enum drains world_drains;

/* ---- slots ---- */

const struct plan *plan_of(unsigned slot)
{
    return slot < SLOTS ? &slots[slot].plan : spare_plan(slot);
}

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

struct link *slot_dial(struct slot *s, unsigned member)
{
    const struct site_fact *site = &site_facts[s->plan.site];
    store_free(&s->store);
    s->site_link = link_new(true, (unsigned)(s - slots));
    s->site_link->may_be_clear = !site->tls && !site->starttls && !site->ipsec;
    s->site_link->must_guard = s->site_link->guarded = site->ipsec;
    s->site_link->bad = (uint8_t)(member == 0 ? s->plan.member_fault : FAULT_NO);
    if (s->plan.largest == PLAN_LARGE)
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
    if (!port_listens(0)) { /* all listen, or none: who comes now comes to another front */
        to_open = 0;
        return true;
    }
    to_open--;
    totals.sessions++;
    *s = (struct slot){ .used = true };
    plan_draw(&s->plan);
    secrets_known(&s->plan);
    s->client_link = link_new(false, (unsigned)(s - slots));
    if (s->plan.starttls) /* the go-ahead has to fit, or the front hangs up */
        link_widen(s->client_link);
    if (s->plan.largest == PLAN_LARGE)
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
    secrets_over(&s->plan);
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
        return channels_move() || clock_run_later() || helpers_act() || orders_act() || open_one();
    case 1:
        return orders_act() || helpers_act() || open_one() || channels_move() || clock_run_later();
    default:
        return clock_run_later() || open_one() || channels_move() || helpers_act() || orders_act();
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
    orders_require();
}

/* Nothing is left of anybody. */
static void require_nothing(void)
{
    SIM_REQUIRE(front.n_sessions == 0 && list_empty(&front.sessions));
    SIM_REQUIRE(spares_are_gone() && conns_alive() == 0 && links_open() == 0);
    SIM_REQUIRE(list_empty(&front.auth.asked) && list_empty(&front.backends.asked));
    SIM_REQUIRE(clock_waiting() == 0);
    orders_require_nothing();
}

static bool pass_time(int64_t began_ms)
{
    int64_t next = clock_next(), other = helpers_next(), ordered = orders_next();
    if (to_open > 0 && free_slot() != NULL) /* somebody comes by and by */
        return true;
    next = other < next ? other : next;
    next = ordered < next ? ordered : next;
    if (next == INT64_MAX)
        return false;
    SIM_REQUIRE(next - began_ms < HOURS_MOST * HOUR); /* somebody stays for ever */
    clock_advance(next);
    return true;
}

/* True: in a child, which world_run ends. What it has counted is added to what others have. */
static bool in_a_process_of_its_own(void)
{
    int ends[2], status;
    struct totals told;
    SIM_REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    SIM_REQUIRE(pid >= 0);
    if (pid == 0) {
        child_end = ends[1];
        return true;
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &told, sizeof told);
    close(ends[0]);
    SIM_REQUIRE(waitpid(pid, &status, 0) == pid);
    if (n != sizeof told || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        _exit(3); /* it has said why */
    totals = told;
    return false;
}

void world_run(unsigned sessions)
{
    clock_begin();
    wire_begin();
    spares_begin();
    to_open = sessions;
    enum drain drain = world_drains != NO_DRAINS && random_chance(40) ? 1 + random_below(DRAINS - 1) : DRAIN_NO;
    if (drain != DRAIN_NO && world_drains == DRAINS_APART && !in_a_process_of_its_own())
        return;
    bool disturbed = random_chance(220) && drain != DRAIN_MAIN_DIES, no_names = random_chance(120);
    plans_begin(disturbed, !disturbed && !no_names && drain != DRAIN_WITH_WORDS);
    dns_begin_world(no_names);
    orders_begin(drain);
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
            if (child_end >= 0)
                _exit(write(child_end, &totals, sizeof totals) == sizeof totals ? 0 : 3);
            return;
        }
    }
    SIM_REQUIRE(!"the world does not come to an end");
}
