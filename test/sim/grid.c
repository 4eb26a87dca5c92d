/* The grid of time on which refusals are told: so many whole steps after the command was read, whatever the reason, and
 * as many more as auth has said of a guesser. */
#include "config/config.h"
#include "proxy/net/loop.h"
#include "test/sim/sim.h"

/* A command begins when it is read, or when the one before it has been answered. */
void grid_moment(struct grid *g)
{
    if (g->n == 0 || g->moments[(g->n - 1) % COUNT_OF(g->moments)] != loop_now_ms())
        g->moments[g->n++ % COUNT_OF(g->moments)] = loop_now_ms();
}

/* A token's is told with the explanation that goes before it. */
static bool is_refusal(struct span bytes, const struct plan *p)
{
    if (p->mechanism != SASL_PLAIN)
        return memmem(bytes.at, bytes.n, "+ eyJzdGF0dXMi", 14) != NULL;
    return memmem(bytes.at, bytes.n, "[AUTHENTICATIONFAILED]", 22) != NULL ||
           memmem(bytes.at, bytes.n, "[AUTH]", 6) != NULL;
}

static bool is_on_grid(const struct grid *g, const struct plan *p)
{
    int64_t step = house_config->auth.failure_step_ms;
    int64_t least = p->client_fault == FAULT_GARBAGE ? 1 : 1 + p->delay; /* whose name nobody knows is no guesser */
    for (size_t i = 0; i < COUNT_OF(g->moments) && i < g->n; i++) {
        int64_t after = loop_now_ms() - g->moments[i];
        if (after % step == 0 && after >= least * step)
            return true;
    }
    return false;
}

/* The limit of the login waits for the answer to one that is under way, which stands before its words then, or has been
 * taken in this moment. */
static void require_answered(const struct grid *g, struct span bytes, unsigned slot)
{
    bool just_told = g->n > 0 && g->moments[(g->n - 1) % COUNT_OF(g->moments)] == loop_now_ms();
    bool cuts_short = span_starts(bytes, SPAN("* BYE The login took too long.")) ||
                      span_starts(bytes, SPAN("-ERR [SYS/TEMP] The login took too long."));
    SIM_REQUIRE(just_told || !cuts_short || !client_is_owed(slots[slot].client));
}

void grid_offered(struct grid *g, struct span bytes, unsigned slot)
{
    const struct plan *p = plan_of(slot);
    require_answered(g, bytes, slot);
    if (g->told || !is_refusal(bytes, p))
        return;
    g->told = true;
    SIM_REQUIRE(is_on_grid(g, p));
}

void grid_taken(struct grid *g, bool all)
{
    g->told = g->told && !all;
    grid_moment(g);
}
