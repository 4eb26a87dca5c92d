/* Plans: what is to happen to one session, drawn before it begins. */
#include <stdio.h>

#include "test/sim/sim.h"

enum { LOGIN_MS = 20000 /* site_login_timeout_s of house.c */ };

static unsigned next_user;
static bool disturbed, has_clean_ones;

void plans_begin(bool is_disturbed, bool may_be_clean)
{
    next_user = 1;
    disturbed = is_disturbed;
    has_clean_ones = may_be_clean;
}

/* ---- how it signs in, and who judges that ---- */

static enum sasl_mechanism draw_mechanism(void)
{
    if (random_below(5) > 0)
        return SASL_PLAIN;
    return random_below(2) == 0 ? SASL_XOAUTH2 : SASL_OAUTHBEARER;
}

static void draw_credentials(struct plan *p)
{
    const struct site_fact *site = &site_facts[p->site];
    snprintf(p->name, sizeof p->name, "u%u", p->user);
    snprintf(p->other, sizeof p->other, "v%u", p->user);
    p->mechanism = draw_mechanism();
    bool bearer = p->mechanism != SASL_PLAIN;
    p->wrong_first = random_chance(100);
    p->judged = house_judges && (site->master ? random_chance(950) : random_below(2) == 0);
    p->hopeless = bearer && !site->master && (site->mechanisms & 1U << p->mechanism) == 0;
    p->refuses_master = site->master && random_chance(30);
    secrets_draw(p, p->judged && !site->master && !bearer && random_below(3) == 0);
}

/* ---- what goes wrong ---- */

static void draw_answers(struct plan *p)
{
    static const uint8_t verdicts[] = { VERDICT_REFUSED,     VERDICT_DENIED,       VERDICT_UNAVAILABLE,
                                        VERDICT_UNAVAILABLE, VERDICT_ADDRESS_FULL, VERDICT_STATUSES };
    static const uint8_t dials[] = { DIAL_UNREACHABLE, DIAL_UNREACHABLE, DIAL_NO_SITE, DIAL_LOOP, DIAL_STATUSES };
    if (random_chance(50))
        p->verdict = verdicts[random_below(COUNT_OF(verdicts))];
    if (random_chance(40))
        p->dialed = dials[random_below(COUNT_OF(dials))];
    p->confirm = !random_chance(20);
    p->full = random_chance(20);
    p->crosses = random_chance(40); /* the answer comes in the moment in which nobody waits any more */
    if (p->crosses)
        *(random_below(2) == 0 ? &p->auth_ms : &p->dial_ms) = LOGIN_MS - p->auth_ms;
}

static void draw_faults(struct plan *p)
{
    static const enum sim_fault member_faults[] = { FAULT_FIN, FAULT_RESET, FAULT_STALL, FAULT_CERTIFICATE };
    bool may_verify = site_facts[p->site].tls || site_facts[p->site].starttls;
    if (random_chance(disturbed ? 300 : 120)) {
        p->client_fault = (enum sim_fault)(1 + random_below(FAULT_CERTIFICATE - 1));
        p->client_fault_at = random_below(random_below(2) == 0 ? 12 : 80);
    }
    if (random_chance(120)) {
        p->store_fault = (enum sim_fault)(1 + random_below(FAULT_KINDS - 1));
        p->store_fault_at = random_below(random_below(2) == 0 ? 12 : 80);
    }
    if (random_chance(80))
        p->member_fault = member_faults[random_below(COUNT_OF(member_faults) - (may_verify ? 0 : 1))];
    p->injects = p->starttls && random_chance(20);
}

static bool is_clean(const struct plan *p)
{
    bool served = p->verdict == VERDICT_OK && p->dialed == DIAL_OK && p->confirm && !p->full && !p->crosses;
    bool welcome =
        !p->hopeless && !p->refuses_master && (p->judged || !site_facts[p->site].master) && !orders_maintain(p->site);
    return has_clean_ones && p->client_fault == FAULT_NO && p->store_fault == FAULT_NO && !p->injects && served &&
           welcome;
}

void plan_draw(struct plan *p)
{
    *p = (struct plan){ .user = next_user++, .port = (uint8_t)random_below((uint32_t)n_port_facts) };
    const struct port_fact *port = &port_facts[p->port];
    p->site = (uint8_t)random_below((uint32_t)n_site_facts);
    p->protocol = port->protocol;
    p->implicit = port->implicit;
    p->starttls = port->starttls;
    p->proxied = port->proxied;
    p->auth_ms = random_below(3) == 0 ? random_below(300) : 0;
    p->dial_ms = random_below(3) == 0 ? random_below(300) : 0;
    p->delay = (uint8_t)(random_below(5) == 0 ? 1 + random_below(3) : 0);
    p->commands = random_below(6);
    p->largest = random_chance(disturbed ? 300 : 50) ? PLAN_LARGE : PLAN_SMALL;
    draw_credentials(p);
    draw_faults(p);
    draw_answers(p);
    p->clean = is_clean(p);
}
