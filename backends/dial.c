/* The dial. One alarm holds whatever may take long next: the wait for a turn, a member, a move. Callbacks of lower
 * layers may end the dial, and its owner frees it then: whatever can lead to finish() stands last in its function. */
#include "backends/dial.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/checks.h"
#include "backends/members/choice.h"
#include "backends/members/orders.h"
#include "backends/ways/connecting.h"
#include "backends/ipsec/ipsec.h"
#include "backends/ipsec/ipsec_wait.h"
#include "backends/ways/reach.h"
#include "proxy/base/pack.h"

enum {
    MOVE_MS = 1000, /* how long sessions on another member may take to go */
    FAULT_MS = 1000 /* who had less time than this is not to blame for not answering */
};
enum { GIVEN_UP_FAILURES = 2 };

enum dial_state {
    DIAL_WAITING,   /* for its start, or for its turn at the place */
    DIAL_RESOLVING, /* a member's host name */
    DIAL_CONNECTING,
    DIAL_UNPROTECTED, /* no IPsec association yet: connecting again and again */
    DIAL_CONNECTED,   /* … and waiting for its turn at the place */
    DIAL_MOVING,      /* connected, sessions on the former member are ending */
};

struct dial {
    struct dial_order order;
    struct lease *lease;
    dial_done_fn *done;
    void *owner;
    enum dial_state state;
    int64_t ends_ms, part_ms;
    uint64_t used; /* members of the site that have had their chance, by number */
    const struct member *member;
    bool trial;
    bool loop, attempted; /* an address was our own; at least one was dialled */
    const char *why;      /* of the last failure */
    int fd;
    struct spare *spare; /* instead of fd */
    struct addr address;
    struct claim claim;
    struct hostname_wait name;
    struct ipsec_rule rule;
    struct ipsec_wait wait;
    struct connecting connecting;
    struct alarm limit;
    struct later later;
    char mailbox[];
};
static_assert(BACKENDS_MAX <= 64, "members of a site are bits of a number");

static void go_on(struct dial *d);
static void on_limit(struct alarm *a);

static bool has_affinity(const struct dial *d)
{
    return d->order.site->config->affinity == AFFINITY_MAILBOX;
}

static uint64_t bit_of(const struct dial *d, const struct member *m)
{
    return (uint64_t)1 << (m - d->order.site->members);
}

static void mark_tried(struct dial *d, struct span tried)
{
    struct unpack keys = { .rest = tried };
    while (keys.rest.n >= 8) {
        const struct member *m = site_member(d->order.site, unpack_number(&keys, 8));
        if (m != NULL)
            d->used |= bit_of(d, m);
    }
}

struct dial *dial_new(const struct dial_order *order, struct lease *lease, dial_done_fn *done, void *owner)
{
    struct dial *d = calloc(1, sizeof *d + order->mailbox.n + 1);
    if (d == NULL)
        return NULL;
    d->order = *order;
    d->lease = lease;
    d->done = done;
    d->owner = owner;
    d->fd = -1;
    d->ends_ms = loop_now_ms() + order->ms_left;
    d->rule = ipsec_rule_of(order->site->config);
    if (order->mailbox.n > 0)
        memcpy(d->mailbox, order->mailbox.at, order->mailbox.n);
    d->order.mailbox.at = d->mailbox;
    mark_tried(d, order->tried);
    d->order.tried.at = NULL; /* was borrowed; its length still says that there were some */
    if (!alarm_set(&d->limit, order->ms_left, on_limit)) {
        free(d);
        return NULL;
    }
    return d;
}

static void finish(struct dial *d, struct dial_result result)
{
    alarm_clear(&d->limit);
    d->done(d->owner, &result);
}

static void finish_failed(struct dial *d, const char *why)
{
    bool loop = d->loop && !d->attempted;
    places_unclaim(&d->claim); /* who waits for this one need not wait until it is freed */
    finish(d, (struct dial_result){
                  .status = loop ? DIAL_LOOP : DIAL_UNREACHABLE, .why = loop ? reach_own_listener : why, .fd = -1 });
}

/* A member that cannot be reached is the reason for the next one; the last reason is what the log gets. */
static void leave_member(struct dial *d, const char *why, bool fault)
{
    hostname_cancel(&d->name);
    connecting_stop(&d->connecting);
    ipsec_wait_end(&d->wait);
    if (fault)
        member_fault(d->member, d->order.protocol, d->trial, "dial", span_of(why));
    else if (d->trial)
        health_end_trial(d->member->health[d->order.protocol]);
    d->trial = false;
    d->why = why;
}

static void on_no_alarm(struct later *l)
{
    finish_failed(OWNER_OF(l, struct dial, later), "no_memory");
}

static void set_limit(struct dial *d, enum dial_state state, int64_t ms)
{
    d->state = state;
    if (!alarm_set(&d->limit, ms, on_limit))
        loop_later(&d->later, on_no_alarm);
}

static int64_t left_ms(const struct dial *d)
{
    return d->ends_ms - loop_now_ms();
}

static void grant(struct dial *d)
{
    struct dial_result result = { .status = DIAL_OK, .member = d->member, .address = d->address, .fd = d->fd };
    result.trial = d->trial;
    result.spare = spare_use(&d->spare);
    if (d->claim.place != NULL)
        places_grant(&d->claim, d->lease, d->member->key);
    d->fd = -1;
    d->trial = false;
    finish(d, result);
}

static void drop_connection(struct dial *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    spare_give_back(&d->spare);
    leave_member(d, "moved", false);
}

/* Connected: but is this still where the mailbox belongs? */
static void hand_over(struct dial *d)
{
    uint64_t home = d->member->key;
    enum place_says says = d->claim.place == NULL ? PLACE_GO : places_look(&d->claim, &home);
    if (says == PLACE_WAIT) {
        set_limit(d, DIAL_CONNECTED, left_ms(d));
    } else if (says == PLACE_CHOOSE && !places_settle(&d->claim, d->member->key)) {
        set_limit(d, DIAL_MOVING, MOVE_MS);
    } else if (home != d->member->key) {
        d->used &= ~bit_of(d, d->member); /* nothing is wrong with it */
        drop_connection(d);
        go_on(d);
    } else {
        grant(d);
    }
}

static size_t count_untried(const struct dial *d)
{
    const struct site *site = d->order.site;
    size_t n = 0;
    for (size_t i = 0; i < site->n_members; i++)
        n += (d->used >> i & 1) == 0 && !site->members[i].config->drain;
    return n;
}

/* ---- IPsec ---- */

static void on_connected(struct connecting *c, int fd, const struct addr *address);

static struct addr only_address(const struct dial *d)
{
    struct addr a = d->member->config->literal;
    a.port = d->member->port[d->order.protocol];
    return a;
}

static void on_sa_again(struct ipsec_wait *w)
{
    struct dial *d = OWNER_OF(w, struct dial, wait);
    struct addr to = only_address(d);
    if (d->state != DIAL_UNPROTECTED || d->connecting.open > 0)
        return;
    connecting_stop(&d->connecting); /* whose failure may not have been told yet */
    connecting_start(&d->connecting, &d->rule, &to, 1, on_connected);
}

static void give_up_sa(struct dial *d, enum ipsec_count as, const char *why, bool fault)
{
    ipsec_count(d->order.site, as);
    leave_member(d, why, fault);
    go_on(d);
}

/* The time for it starts with the first attempt that found no association; a later one only goes on waiting. What is
 * there and cannot be used will not get better by waiting. */
static void await_sa(struct dial *d)
{
    struct addr to = only_address(d);
    struct ipsec_pair pair = ipsec_pair_to(&to);
    int64_t ms = count_untried(d) > 0 ? left_ms(d) / 2 : left_ms(d);
    if (d->state == DIAL_UNPROTECTED)
        return;
    enum ipsec_verdict v = ipsec_look(&d->rule, &pair);
    if (ipsec_is_bad(v)) {
        ipsec_report(d->order.site, &d->rule, &pair);
        give_up_sa(d, IPSEC_REFUSED, ipsec_words[v], true);
        return;
    }
    ipsec_count(d->order.site, IPSEC_WAITED);
    if (ipsec_wait_begin(&d->wait, d->order.site, &to, on_sa_again))
        set_limit(d, DIAL_UNPROTECTED, ms < IPSEC_WAIT_MS ? ms : IPSEC_WAIT_MS);
    else
        give_up_sa(d, IPSEC_WAITED_IN_VAIN, "no_memory", false);
}

/* Half an association lets a connection try and never succeed. */
static const char *why_unprotected(struct dial *d, const char *otherwise)
{
    struct addr to = only_address(d);
    struct ipsec_pair pair = ipsec_pair_to(&to);
    enum ipsec_verdict v = d->rule.reqid != 0 ? ipsec_report(d->order.site, &d->rule, &pair) : IPSEC_GOOD;
    return v != IPSEC_GOOD ? ipsec_words[v] : otherwise;
}

/* The last attempt may just have found an association: then it has as long as any other. */
static void on_sa_late(struct dial *d)
{
    if (d->connecting.open > 0)
        set_limit(d, DIAL_CONNECTING, d->part_ms < left_ms(d) ? d->part_ms : left_ms(d));
    else
        give_up_sa(d, IPSEC_WAITED_IN_VAIN, why_unprotected(d, ipsec_words[IPSEC_NO_SA]), true);
}

/* Connected, so something carried it: is that worth a password? False: not this member. */
static bool is_protected(struct dial *d)
{
    if (d->rule.reqid == 0)
        return true;
    struct ipsec_pair pair = ipsec_pair_of(d->fd, &d->address);
    enum ipsec_verdict v = ipsec_report(d->order.site, &d->rule, &pair);
    if (v == IPSEC_GOOD)
        return true;
    ipsec_count(d->order.site, IPSEC_REFUSED);
    setsockopt(d->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger)); /* one RST */
    close(d->fd);
    d->fd = -1;
    leave_member(d, ipsec_words[v], true);
    return false;
}

static void on_connected(struct connecting *c, int fd, const struct addr *address)
{
    struct dial *d = OWNER_OF(c, struct dial, connecting);
    if (fd < 0 && d->rule.reqid != 0 && strcmp(c->why, ipsec_words[IPSEC_NO_SA]) == 0) {
        await_sa(d);
        return;
    }
    ipsec_wait_end(&d->wait);
    if (fd < 0) {
        leave_member(d, c->why, !c->ours);
        go_on(d);
        return;
    }
    d->fd = fd;
    d->address = *address;
    if (is_protected(d))
        hand_over(d);
    else
        go_on(d);
}

static void connect_to(struct dial *d, const struct addr *addrs, size_t n, const char *why)
{
    struct addr to[CONNECTING_ADDRS_MAX];
    size_t n_allowed = reach_allowed(d->order.site->config, addrs, n, d->member->port[d->order.protocol], to,
                                     CONNECTING_ADDRS_MAX, &why);
    d->loop = d->loop || why == reach_own_listener;
    if (n_allowed == 0) {
        leave_member(d, why, true);
        go_on(d);
        return;
    }
    d->attempted = true;
    d->state = DIAL_CONNECTING;
    connecting_start(&d->connecting, &d->rule, to, n_allowed, on_connected);
}

static void on_name(struct hostname_wait *w)
{
    struct dial *d = OWNER_OF(w, struct dial, name);
    const char *why = "no_address";
    size_t n;
    const struct addr *addrs = hostname_addrs(d->member->hostname, &n, &why);
    connect_to(d, addrs, n, why);
}

/* One that stands ready is as good as connected. */
static bool take_spare(struct dial *d)
{
    d->spare = spares_take(d->order.spares, d->member, d->order.protocol);
    if (d->spare == NULL)
        return false;
    d->attempted = true;
    d->address = spare_address(d->spare);
    hand_over(d);
    return true;
}

static void visit(struct dial *d, const struct member *m)
{
    enum protocol p = d->order.protocol;
    int64_t ms = left_ms(d);
    if (count_untried(d) >= 2)
        ms /= 2; /* the next one must have its chance too */
    d->part_ms = ms < d->order.connect_timeout_ms ? ms : d->order.connect_timeout_ms;
    d->member = m;
    d->used |= bit_of(d, m);
    if (take_spare(d))
        return;
    d->trial = health_begin_trial(m->health[p], loop_now_ms());
    set_limit(d, DIAL_RESOLVING, d->part_ms);
    if (m->hostname == NULL)
        connect_to(d, &m->config->literal, 1, "no_address");
    else if (hostname_ask(m->hostname, &d->name, on_name))
        on_name(&d->name);
}

/* Where checks can tell that it is well, trying is their business and no user's. */
static bool is_avoided(const struct dial *d, const struct member *m, enum health_state state)
{
    return state == HEALTH_AVOIDED || (state == HEALTH_DUE && checks_judge(m, d->order.protocol));
}

/* The best of those that have not had their chance; NULL: none is left. */
static const struct member *choose(const struct dial *d)
{
    struct choice_member members[BACKENDS_MAX];
    uint8_t order[BACKENDS_MAX];
    const struct site *site = d->order.site;
    uint64_t home = places_home(&d->claim);
    for (size_t i = 0; i < site->n_members; i++) {
        const struct member *m = &site->members[i];
        struct health_view health = member_look(m, d->order.protocol);
        members[i] =
            (struct choice_member){ .name = m->name,
                                    .weight = m->config->weight,
                                    .standby = m->config->standby,
                                    .skip = (d->used & bit_of(d, m)) != 0 || (orders_drain(m) && m->key != home),
                                    .avoided = is_avoided(d, m, health.state),
                                    .returns_ms = health.until_ms };
    }
    struct span by = has_affinity(d) ? d->order.mailbox : SPAN_NONE;
    return choice_order(members, site->n_members, by, order) == 0 ? NULL : &site->members[order[0]];
}

/* One bad moment of a member is no reason to end the sessions that live there: it is asked again, until it has failed
 * a trial too. */
static bool worth_asking(const struct dial *d, const struct member *m)
{
    if (m == NULL || (d->used & bit_of(d, m)) != 0)
        return false;
    struct health_view health = member_look(m, d->order.protocol);
    return !is_avoided(d, m, health.state) || health.failures < GIVEN_UP_FAILURES;
}

static void go_on(struct dial *d)
{
    const struct member *m = NULL;
    uint64_t home = 0;
    if (left_ms(d) <= 0) {
        finish_failed(d, d->why != NULL ? d->why : "timeout");
        return;
    }
    enum place_says says = d->claim.place == NULL ? PLACE_CHOOSE : places_look(&d->claim, &home);
    if (says == PLACE_GO) {
        m = site_member(d->order.site, home);
        if (!worth_asking(d, m)) {
            m = NULL;
            says = places_refuse(&d->claim);
        }
    }
    if (says == PLACE_WAIT) {
        set_limit(d, DIAL_WAITING, left_ms(d));
        return;
    }
    if (m == NULL)
        m = choose(d);
    if (m != NULL)
        visit(d, m);
    else
        finish_failed(d, d->why != NULL ? d->why : d->order.tried.n > 0 ? "all_tried" : "no_member");
}

static void on_limit(struct alarm *a)
{
    struct dial *d = OWNER_OF(a, struct dial, limit);
    switch (d->state) {
    case DIAL_MOVING:
        grant(d); /* who does not go by then is not waited for */
        break;
    case DIAL_RESOLVING:
        leave_member(d, "dns_timeout", d->part_ms >= FAULT_MS);
        go_on(d);
        break;
    case DIAL_CONNECTING:
        leave_member(d, why_unprotected(d, "timeout"), d->part_ms >= FAULT_MS);
        go_on(d);
        break;
    case DIAL_UNPROTECTED:
        on_sa_late(d);
        break;
    case DIAL_WAITING:
    case DIAL_CONNECTED:
        finish_failed(d, "timeout");
        break;
    }
}

static void on_later(struct later *l)
{
    struct dial *d = OWNER_OF(l, struct dial, later);
    if (d->state == DIAL_MOVING)
        grant(d);
    else if (d->state == DIAL_CONNECTED)
        hand_over(d);
    else
        go_on(d);
}

static void on_turn(struct claim *c)
{
    loop_later(&OWNER_OF(c, struct dial, claim)->later, on_later);
}

void dial_start(struct dial *d)
{
    if (has_affinity(d) && !places_claim(&d->claim, d->order.site->number, d->order.mailbox, on_turn)) {
        d->why = "no_memory";
        d->used = ~(uint64_t)0;
    }
    loop_later(&d->later, on_later);
}

int64_t dial_ms(const struct dial *d)
{
    return loop_now_ms() - (d->ends_ms - d->order.ms_left);
}

void dial_free(struct dial **dial)
{
    struct dial *d = *dial;
    *dial = NULL;
    if (d == NULL)
        return;
    loop_never(&d->later);
    alarm_clear(&d->limit);
    hostname_cancel(&d->name);
    connecting_stop(&d->connecting);
    ipsec_wait_end(&d->wait);
    places_unclaim(&d->claim);
    spare_give_back(&d->spare);
    if (d->trial)
        health_end_trial(d->member->health[d->order.protocol]);
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}
