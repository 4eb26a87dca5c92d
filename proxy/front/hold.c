/* The list of what is held. A session counts for auth from the verdict and for backends from the dialled connection. */
#include "proxy/front/hold.h"

#include "proxy/front/process.h"

static bool counts(const struct helper *h, const struct session *s)
{
    return h->kind == ROLE_AUTH ? s->admitted : s->leased;
}

static void tell(struct helper *h, const struct session *s)
{
    if (!counts(h, s))
        return;
    helper_tell(h, &(struct message){
                       .type = MSG_HOLD,
                       .id = s->id,
                       .hold = {.protocol = s->protocol,
                                .signed_in = s->signed_in,
                                .member = s->member,
                                .client = s->peer,
                                .mailbox = span_of(s->mailbox),
                                .site = span_of(s->site_name)}
    });
}

void hold_tell_all(struct helper *h)
{
    LIST_EACH(link, &front.sessions)
        tell(h, OWNER_OF(link, struct session, link));
    helper_tell(h, &(struct message){ .type = MSG_HELD });
}

void hold_tell(struct helper *h, uint64_t id)
{
    struct session *s = front_session(id);
    if (s != NULL)
        tell(h, s);
}

void hold_revoked(uint64_t id, enum revoke_why why)
{
    struct session *s = front_session(id);
    if (s == NULL)
        return;
    if (why == REVOKE_TOO_MANY)
        session_dismiss(s, WHY_TOO_MANY, "Too many mail programs are connected; close one and try again.");
    else
        session_dismiss(s, WHY_MOVED, "Your mailbox is being moved to another server; please connect again.");
}
