/* Auth as the front sees it: it answers as each session's plan says, after the time that it says. */
#include <stdio.h>

#include "test/sim/helpers_inside.h"

void auth_takes(void *model, struct message *m)
{
    struct model *h = model;
    struct slot *s;
    switch (m->type) {
    case MSG_ASK:
        s = slot_by_name(m->ask.name);
        if (!helper_has(h, m->id) && !helper_is_asked(h, m->id))
            helper_keep(h, (struct pending){ .id = m->id,
                                             .due_ms = helper_after(s != NULL ? s->plan.auth_ms : 1),
                                             .type = MSG_VERDICT,
                                             .slot = s,
                                             .other = m->ask.name.at[0] == 'v' });
        break;
    case MSG_CANCEL:
    case MSG_SESSION_GONE:
        helper_forget(h, m->id);
        break;
    case MSG_HOLD:
        helper_count(h, m->id);
        break;
    case MSG_HELD:
        h->held = true;
        break;
    case MSG_LOGIN_RESULT:
        if (m->login_result.result == LOGIN_ACCEPTED)
            helper_revokes_later(h, m->id);
        break;
    default:
        SIM_REQUIRE(!"a message that auth does not know");
    }
}

void auth_answers(struct model *h, const struct pending *p)
{
    char mailbox[40];
    struct message m = { .type = MSG_VERDICT, .id = p->id };
    struct msg_verdict *v = &m.verdict;
    if (p->slot == NULL)
        *v = (struct msg_verdict){ .status = VERDICT_REFUSED, .why = SPAN("unknown") };
    else {
        const struct plan *plan = &p->slot->plan;
        const char *name = p->other ? plan->other : plan->name;
        int n = snprintf(mailbox, sizeof mailbox, "%s@sim", name);
        *v = (struct msg_verdict){ .status = plan->verdict,
                                   .mailbox = span_bytes(mailbox, (size_t)n),
                                   .site = span_of(site_facts[plan->site].name),
                                   .store_name = span_of(name),
                                   .user_full = plan->full,
                                   .sessions_max = 3,
                                   .why = SPAN("ok") };
    }
    if (v->status == VERDICT_OK)
        helper_count(h, p->id);
    channel_say(h->channel, &m);
}
