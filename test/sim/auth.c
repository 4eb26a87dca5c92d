/* Auth as the front sees it: it answers as each session's plan says, after the time that it says. In a house where it
 * judges it is shown credentials, and says whether they are right. */
#include <stdio.h>

#include "test/sim/helpers_inside.h"

static bool is_right(const struct plan *p, struct span secret)
{
    return span_eq(secret, span_of(p->forms[FORM_PASSWORD]));
}

static void take_ask(struct model *h, const struct message *m)
{
    struct slot *s = slot_by_name(m->ask.name);
    struct pending p = { .id = m->id, .type = MSG_VERDICT, .slot = s };
    SIM_REQUIRE(house_judges || m->ask.secret.n == 0);
    p.due_ms = helper_after(s != NULL ? s->plan.auth_ms : 1);
    p.other = m->ask.name.at[0] == 'v';
    p.right = s != NULL && is_right(&s->plan, m->ask.secret);
    if (!helper_has(h, m->id) && !helper_is_asked(h, m->id))
        helper_keep(h, p);
}

void auth_takes(void *model, struct message *m)
{
    struct model *h = model;
    switch (m->type) {
    case MSG_ASK:
        take_ask(h, m);
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

/* What it says of a mailbox that it knows. */
static void judge(const struct plan *plan, const struct pending *p, struct msg_verdict *v)
{
    bool wrong = plan->judged && !p->right;
    v->status = plan->verdict == VERDICT_OK && wrong ? VERDICT_REFUSED : plan->verdict;
    v->why = SPAN("refused");
    v->delay = plan->delay;
    v->site = span_of(site_facts[plan->site].name);
    v->user_full = plan->full;
    v->sessions_max = 3;
    v->verified = plan->judged && p->right;
    if (v->verified && plan->form_n[FORM_GIVEN] > 0)
        v->password = span_of(plan->forms[FORM_GIVEN]);
}

void auth_answers(struct model *h, const struct pending *p)
{
    char mailbox[40];
    struct message m = { .type = MSG_VERDICT, .id = p->id };
    m.verdict = (struct msg_verdict){ .status = VERDICT_REFUSED, .why = SPAN("unknown") };
    if (p->slot != NULL) {
        const char *name = p->other ? p->slot->plan.other : p->slot->plan.name;
        int n = snprintf(mailbox, sizeof mailbox, "%s@sim", name);
        m.verdict.mailbox = span_bytes(mailbox, (size_t)n);
        m.verdict.store_name = span_of(name);
        judge(&p->slot->plan, p, &m.verdict);
    }
    if (m.verdict.status == VERDICT_OK)
        helper_count(h, p->id);
    channel_say(h->channel, &m);
}
