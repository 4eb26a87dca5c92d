/* The list of what is held. A session counts for auth from the verdict and for backends from the dialled connection. */
#include "proxy/front/hold.h"

#include "backends/ipsec/ipsec_judge.h"
#include "proxy/front/process.h"

static bool counts(const struct helper *h, const struct session *s)
{
    return h->kind == ROLE_AUTH ? s->admitted : s->leased;
}

/* What an IPsec link was dialled under is told by whoever still knows: a successor may have another configuration. */
static void add_link(struct msg_hold *hold, const struct session *s)
{
    const struct site *site = front_site(span_of(s->site_name));
    struct ipsec_rule rule = ipsec_rule_of(site->config);
    hold->reqid = rule.reqid;
    hold->mode = rule.mode;
    hold->algorithms = rule.algorithms;
    hold->local = conn_local(s->site);
    hold->backend = s->backend;
}

static void tell(struct helper *h, struct session *s)
{
    struct message m = { .type = MSG_HOLD, .id = s->id };
    if (!counts(h, s))
        return;
    m.hold = (struct msg_hold){ .protocol = s->protocol,
                                .signed_in = s->signed_in,
                                .member = s->member,
                                .client = s->peer,
                                .mailbox = span_of(s->mailbox),
                                .site = span_of(s->site_name) };
    if (h->kind == ROLE_BACKENDS && s->ipsec && s->site != NULL) {
        session_unguard(s);
        add_link(&m.hold, s);
    }
    bool told = h->now != NULL && ipc_send(h->now, &m);
    if (!told && s->unguarded)
        session_lose_link(s); /* nobody would ever say that it is guarded */
}

void hold_tell_all(struct helper *h)
{
    LIST_EACH_SAFE(link, &front.sessions)
        tell(h, OWNER_OF(link, struct session, link));
    bool told = h->now != NULL && ipc_send(h->now, &(struct message){ .type = MSG_HELD });
    (void)told; /* a channel that is dead is told of by its end */
}

void hold_tell(struct helper *h, uint64_t id)
{
    struct session *s = front_session(id);
    if (s != NULL)
        tell(h, s);
}

void hold_lost(const struct helper *h)
{
    LIST_EACH(link, &front.sessions)
        if (h->kind == ROLE_BACKENDS)
            session_unguard(OWNER_OF(link, struct session, link));
}

void hold_guarded(uint64_t id)
{
    struct session *s = front_session(id);
    if (s != NULL)
        session_guarded(s);
}

void hold_revoked(uint64_t id, enum revoke_why why)
{
    struct session *s = front_session(id);
    if (s == NULL)
        return;
    if (why == REVOKE_IPSEC)
        session_lose_link(s);
    else if (why == REVOKE_TOO_MANY)
        session_dismiss(s, WHY_TOO_MANY, "Too many mail programs are connected; close one and try again.");
    else
        session_dismiss(s, WHY_MOVED, "Your mailbox is being moved to another server; please connect again.");
}

void hold_mark_key(struct span key)
{
    front.has_mark_key = key.n == sizeof front.mark_key;
    if (front.has_mark_key)
        memcpy(front.mark_key, key.at, key.n);
}
