/* Backends as the front sees it: it dials members (ways.c), names spares, and watches the links of sites with IPsec. */
#include "proxy/base/pack.h"
#include "proxy/net/loop.h"
#include "test/sim/helpers_inside.h"

enum { MEMBERS = 2 /* of each site */ };

/* ---- IPsec: whose link is watched ---- */

static struct link *site_link(const struct slot *s)
{
    return s->used && s->store != NULL && !store_is_over(s->store) ? s->site_link : NULL;
}

void backends_unguard_all(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct link *l = site_link(&slots[i]);
        if (l != NULL)
            l->guarded = false;
    }
}

static struct slot *slot_of_id(uint64_t id)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (site_link(&slots[i]) != NULL && slots[i].site_link->visit == id)
            return &slots[i];
    return NULL;
}

/* ---- questions ---- */

static void take_hold(struct model *h, const struct message *m)
{
    struct slot *s = slot_of_id(m->id);
    helper_count(h, m->id);
    if (m->hold.reqid != 0)
        helper_keep(h,
                    (struct pending){
                        .id = m->id, .due_ms = helper_after(random_below(100)), .type = MSG_IPSEC_GUARDED, .slot = s });
}

static uint64_t member_key(unsigned site, unsigned member)
{
    return 1 + site + 100 * member;
}

/* Who has failed this login; nobody else is named. */
static unsigned read_tried(const struct slot *s, struct span keys)
{
    struct unpack in = { .rest = keys };
    unsigned tried = 0;
    while (s != NULL && in.rest.n > 0) {
        uint64_t key = unpack_number(&in, sizeof key);
        unsigned member = key == member_key(s->plan.site, 1);
        SIM_REQUIRE(!in.bad && key == member_key(s->plan.site, member));
        tried |= 1U << member;
    }
    return tried;
}

static void take_dial(struct model *h, const struct message *m)
{
    struct slot *s = slot_by_name(m->dial.mailbox);
    struct pending p = { .id = m->id, .type = MSG_DIALED, .slot = s };
    SIM_REQUIRE(s == NULL || span_eq(m->dial.site, span_of(site_facts[s->plan.site].name)));
    p.due_ms = helper_after(s != NULL ? s->plan.dial_ms : 1);
    p.tried = read_tried(s, m->dial.tried);
    if (!helper_has(h, m->id) && !helper_is_asked(h, m->id) && !ways_has(h, m->id))
        helper_keep(h, p);
}

void backends_take(void *model, struct message *m)
{
    struct model *h = model;
    switch (m->type) {
    case MSG_DIAL:
        take_dial(h, m);
        break;
    case MSG_SPARE_READY:
    case MSG_SPARE_GONE:
        if (h == helper_now[BACKENDS])
            spares_hear(m);
        break;
    case MSG_IPSEC_CONFIRM:
        helper_keep(h, (struct pending){ .id = m->id,
                                         .due_ms = helper_after(random_below(50)),
                                         .type = MSG_IPSEC_CONFIRMED,
                                         .slot = slot_of_id(m->id) });
        break;
    case MSG_CANCEL:
        helper_forget(h, m->id);
        ways_stop(h, m->id);
        break;
    case MSG_DIAL_OUTCOME:
        if (m->dial_outcome.stage == STAGE_GONE || m->dial_outcome.fault != FAULT_NONE)
            helper_uncount(h, m->id);
        if (m->dial_outcome.stage == STAGE_IN)
            helper_revokes_later(h, m->id);
        break;
    case MSG_HOLD:
        take_hold(h, m);
        break;
    case MSG_HELD:
        h->held = true;
        break;
    default:
        SIM_REQUIRE(!"a message that backends does not know");
    }
}

/* ---- answers ---- */

static void say_dialed(struct model *h, uint64_t id, struct message *m)
{
    m->type = MSG_DIALED;
    m->id = id;
    if (m->dialed.status == DIAL_OK)
        helper_count(h, id);
    channel_say(h->channel, m);
}

static void say_link(struct model *h, uint64_t id, struct slot *slot, unsigned member, uint64_t spare,
                     const struct addr *address)
{
    struct message m = { .n_fds = spare == 0, .fds = { slot->site_link->fd } };
    slot->site_link->visit = id;
    m.dialed = (struct msg_dialed){ .status = DIAL_OK,
                                    .spare = spare,
                                    .member = member_key(slot->plan.site, member),
                                    .host = span_of(way_host(slot->plan.site)),
                                    .address = *address };
    say_dialed(h, id, &m);
}

void backends_dialed(struct model *h, uint64_t id, struct slot *slot, unsigned member, const struct addr *address)
{
    struct message m = { .dialed.status = DIAL_UNREACHABLE };
    if (slot == NULL || address == NULL) {
        say_dialed(h, id, &m);
        return;
    }
    slot_dial(slot, member);
    say_link(h, id, slot, member, 0, address);
}

static void answer_dial(struct model *h, const struct pending *p)
{
    static const struct addr somewhere = {
        .family = AF_INET, .port = 143, .bytes = {10, 0, 0, 1}
    };
    bool all_tried = p->tried == (1U << MEMBERS) - 1;
    bool refuses = p->slot == NULL || all_tried || orders_maintain(p->slot->plan.site);
    struct message m = { .dialed.status = refuses ? DIAL_UNREACHABLE : p->slot->plan.dialed };
    if (m.dialed.status != DIAL_OK) {
        say_dialed(h, p->id, &m);
        return;
    }
    unsigned member = p->tried & 1U ? 1 : 0; /* spares are connections to the first */
    uint64_t spare = h == helper_now[BACKENDS] && member == 0 ? slot_take_spare(p->slot) : 0;
    if (spare != 0)
        say_link(h, p->id, p->slot, member, spare, &somewhere);
    else
        ways_start(h, p->id, p->slot, member);
}

static void answer_ipsec(struct model *h, const struct pending *p)
{
    struct message m = { .type = p->type, .id = p->id };
    struct link *l = p->slot != NULL ? site_link(p->slot) : NULL;
    bool good = l != NULL && l->visit == p->id && helper_has(h, p->id) && p->slot->plan.confirm;
    if (p->type == MSG_IPSEC_CONFIRMED)
        m.ipsec_confirmed.good = good;
    if (good && h == helper_now[BACKENDS])
        l->guarded = true;
    if (good && p->type == MSG_IPSEC_CONFIRMED)
        l->may_be_clear = true;
    if (p->type == MSG_IPSEC_CONFIRMED || good)
        channel_say(h->channel, &m);
    else
        channel_say(h->channel, &(struct message){ .type = MSG_REVOKE, .id = p->id, .revoke.why = REVOKE_IPSEC });
}

void backends_answer(struct model *h, const struct pending *p)
{
    if (p->type == MSG_DIALED)
        answer_dial(h, p);
    else
        answer_ipsec(h, p);
}

/* In a world that comes to its end none are wanted. */
bool backends_keep_spares(bool settled)
{
    struct model *h = helper_now[BACKENDS];
    struct message m = { .type = MSG_SPARE_DROP };
    if (h == NULL || !h->held)
        return false;
    if (settled || random_below(200) == 0)
        m.id = spares_drop_one();
    if (m.id == 0 && (settled || random_below(10) != 0 || !spares_order(&m)))
        return false;
    channel_say(h->channel, &m);
    return true;
}
