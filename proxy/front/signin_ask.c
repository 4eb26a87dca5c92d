/* The question to auth, and what its verdict means here. The credential goes along only where a verifier of auth's
 * looks at it; where the home site judges, auth learns no more than a mark. */
#include "proxy/front/signin.h"

#include "proxy/net/hash.h"
#include "proxy/net/loop.h"

/* ---- the question ---- */

/* One of 65,535: enough to tell a phone's old password, said again, from another guess. */
static uint16_t mark_of(const struct signin *in)
{
    if (!front.has_mark_key)
        return 0;
    uint64_t hash = hash_with(front.mark_key, secret_span(&in->credentials.secret));
    return (uint16_t)(1 + hash % UINT16_MAX);
}

static struct span shown_secret(const struct signin *in)
{
    struct span secret = secret_span(&in->credentials.secret);
    return front.shown[in->credentials.mechanism] && secret.n <= MESSAGE_SECRET_MAX ? secret : SPAN_NONE;
}

static void compose_ask(struct question *q, struct message *m)
{
    struct signin *in = OWNER_OF(q, struct signin, verdict);
    const struct session *s = in->s;
    m->type = MSG_ASK;
    m->ask = (struct msg_ask){ .protocol = s->protocol,
                               .mechanism = (uint8_t)in->credentials.mechanism,
                               .trusted_hop = s->trusted,
                               .tls = conn_is_tls(s->client),
                               .attempt = (uint8_t)(in->failures < 255 ? in->failures + 1 : 255),
                               .mark = mark_of(in),
                               .name = span_of(in->credentials.name),
                               .authzid = span_of(in->credentials.authzid),
                               .secret = shown_secret(in),
                               .client = s->peer };
}

/* ---- verdict ---- */

static const char *closed_word(struct span why)
{
    static const char *const words[] = { "unknown",       "protocol_off",     "delegate",  "name",
                                         "no_map",        "no_site",          "network",   "address_full",
                                         "denied",        "refused",          "throttled", "verifier_down",
                                         "verifier_name", "verifier_options", "no_secret", "disabled",
                                         "directory_down" };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (span_eq(why, span_of(words[i])))
            return words[i];
    return "other";
}

static bool keep_name(char to[SASL_NAME_MAX + 1], struct span name)
{
    if (name.n > SASL_NAME_MAX)
        return false;
    memset(to, 0, SASL_NAME_MAX + 1);
    if (name.n > 0)
        memcpy(to, name.at, name.n);
    return true;
}

static bool keep_who(struct session *s, const struct msg_verdict *v)
{
    if (v->mailbox.n > 0)
        s->mailbox = span_copy(v->mailbox);
    if (v->delegate.n > 0)
        s->delegate = span_copy(v->delegate);
    return s->mailbox != NULL && (v->delegate.n == 0 || s->delegate != NULL);
}

static bool keep_verdict(struct session *s, const struct msg_verdict *v)
{
    struct signin *in = s->signin;
    in->user_full = v->user_full;
    in->sessions_max = v->sessions_max;
    in->verified = v->verified;
    if (v->password.n > 0 && !secret_set(&in->store_password, v->password))
        return false;
    in->site = front_site(v->site);
    s->site_name = span_copy(v->site);
    return keep_who(s, v) && s->site_name != NULL && keep_name(in->store_name, v->store_name) &&
           keep_name(in->store_login, v->store_login);
}

static void refuse(struct session *s, const struct msg_verdict *v)
{
    struct outcome o = { .kind = OUTCOME_REFUSED, .why = closed_word(v->why) };
    (void)keep_who(s, v); /* without memory the log goes without names */
    if (v->status == VERDICT_DENIED)
        o.kind = OUTCOME_DENIED;
    if (v->status == VERDICT_REFUSED || v->status == VERDICT_DENIED)
        signin_end(s, &o);
    else if (v->status == VERDICT_UNAVAILABLE)
        signin_unavailable(s, o.why);
    else {
        o.kind = OUTCOME_UNAVAILABLE;
        signin_log_failure(s, &o);
        session_dismiss(s, WHY_ADDRESS_FULL, "Too many connections, please try again later.");
    }
}

static void on_verdict(struct question *q, struct message *m)
{
    struct signin *in = OWNER_OF(q, struct signin, verdict);
    struct session *s = in->s;
    s->auth_ms = (uint32_t)(loop_now_ms() - in->step_ms);
    if (m == NULL) {
        signin_unavailable(s, "no_auth");
        return;
    }
    in->delay = m->verdict.delay;
    if (m->verdict.status != VERDICT_OK) {
        refuse(s, &m->verdict);
        return;
    }
    s->admitted = true;
    if (!keep_verdict(s, &m->verdict) || in->site == NULL) {
        signin_unavailable(s, "no_site"); /* a site that only auth's generation knows */
        return;
    }
    enum sasl_mechanism how = in->credentials.mechanism;
    bool master = in->site->config->credentials == CREDENTIALS_MASTER;
    if (master && !in->verified) { /* nobody has judged it: the master must not open anything */
        signin_unavailable(s, "not_verified");
        return;
    }
    if (master && in->site->config->master_form == MASTER_STAR && strchr(in->store_name, '*') != NULL) {
        signin_unavailable(s, "name"); /* it would name another master */
        return;
    }
    if (!master && sasl_is_bearer(how) && !site_lists(in->site->config, how)) {
        /* Nobody there could read it, today or later; an outage would tell whose mailbox exists. */
        signin_end(s, &(struct outcome){ .kind = OUTCOME_REFUSED, .why = "no_mechanism" });
        return;
    }
    session_enter(s, S_DIAL);
    signin_dial(s);
}

void signin_ask(struct session *s)
{
    struct question *q = &s->signin->verdict;
    q->id = s->id;
    q->compose = compose_ask;
    q->answered = on_verdict;
    helper_ask(&front.auth, q);
}
