/* The hand-in: from a connected member to "you are in". The dialogue itself is a machine without a socket
 * (backends/login/login.h); this file moves its bytes, does the handshake, and gives up on a member that keeps us
 * waiting. */
#include <stdio.h>

#include "backends/ipsec/ipsec_judge.h"
#include "proxy/front/relay.h"
#include "proxy/front/reserve.h"
#include "proxy/front/signin.h"
#include "proxy/front/trace.h"
#include "proxy/net/loop.h"
#include "proxy/wire/proxy_protocol.h"

enum { SITE_READ_BYTES = 16384, ORDINARY_BYTES = 255 /* of a credential: what a line of POP3 holds */ };

void handin_end(struct session *s)
{
    helper_cancel(&s->signin->confirm);
    alarm_clear(&s->signin->greeting);
    conn_free(&s->site);
    buf_clear(&s->signin->to_site);
    buf_fini(&s->signin->to_site);
    buf_fini(&s->signin->from_site);
}

static enum dial_stage stage_of(const struct session *s)
{
    const struct signin *in = s->signin;
    if (s->site != NULL && conn_is_tls(s->site) && conn_tls_version(s->site) == NULL)
        return STAGE_TLS;
    if (in->login == NULL || !login_greeted(in->login))
        return STAGE_GREETING;
    return STAGE_LOGIN;
}

/* TLS inside IPsec is an extra: an old store may offer it and not be able to do it. */
static bool may_do_without_tls(struct session *s)
{
    struct signin *in = s->signin;
    bool may = in->order.starttls_if_offered && stage_of(s) == STAGE_TLS && !login_credential_sent(in->login);
    in->no_inner_tls = in->no_inner_tls || may;
    return may;
}

/* The member's connection or its TLS came to grief. Some stores just hang up on a line that is too long for them, and
 * on a connection that has stood for long: that is not held against the member, or anybody could have it avoided. */
static void failed(struct session *s, const char *why)
{
    struct signin *in = s->signin;
    struct outcome o = { .kind = OUTCOME_UNAVAILABLE, .why = why };
    bool sent = in->login != NULL && login_credential_sent(in->login);
    if (may_do_without_tls(s) || (in->ready_made && !sent)) {
        signin_redial(s);
        return;
    }
    bool ordinary = in->credentials.secret.n <= ORDINARY_BYTES && !in->ready_made;
    signin_failed(s, &o, stage_of(s), sent && !ordinary ? FAULT_OTHER : FAULT_MEMBER, !sent);
}

static void failed_here(struct session *s, const char *why)
{
    struct outcome o = { .kind = OUTCOME_UNAVAILABLE, .why = why };
    signin_failed(s, &o, stage_of(s), FAULT_OTHER, false);
}

static void on_greeting_late(struct alarm *a)
{
    struct session *s = OWNER_OF(a, struct signin, greeting)->s;
    failed(s, stage_of(s) == STAGE_TLS ? "tls_timeout" : "timeout");
}

/* Whose fault? The member's, unless others before it had left it hardly any time. */
void handin_too_late(struct session *s)
{
    struct outcome o = { .kind = OUTCOME_UNAVAILABLE, .why = "budget" };
    bool had_time =
        !s->signin->ready_made && loop_now_ms() - s->signin->dialed_ms >= front.config->limits.greeting_timeout_ms;
    signin_failed(s, &o, stage_of(s), had_time ? FAULT_MEMBER : FAULT_OTHER, false);
}

/* ---- what the dialogue came to ---- */

static bool has_line_end(const struct session *s)
{
    struct span credential = secret_span(&s->signin->credentials.secret);
    return span_has(credential, '\r') || span_has(credential, '\n');
}

/* The store takes others, but no form of its protocol carries this one: a token, or a password with a line end. */
static bool has_no_form(const struct session *s, struct span why)
{
    return span_eq(why, SPAN("unwritable")) || (span_eq(why, SPAN("no_mechanism")) &&
                                                (sasl_is_bearer(s->signin->credentials.mechanism) || has_line_end(s)));
}

static bool is_master(const struct session *s)
{
    return s->signin->site->config->credentials == CREDENTIALS_MASTER;
}

static void answered(struct session *s)
{
    const struct login_answer *a = login_answer(s->signin->login);
    struct outcome o = { .why = a->why, .code = a->code, .text = a->text };
    bool no_form = has_no_form(s, span_of(a->why));
    switch (a->outcome) {
    case LOGIN_IN:
        signin_accepted(s);
        return;
    case LOGIN_WRONG: /* a master's password is nobody's fault but ours */
        o.kind = is_master(s) ? OUTCOME_UNAVAILABLE : OUTCOME_REFUSED;
        o.why = is_master(s) ? "master_refused" : o.why;
        break;
    case LOGIN_SAYS:
        o.kind = OUTCOME_SAYS;
        break;
    default: /* such a password is not the right one there; an outage would tell whose mailbox exists */
        o.kind = no_form && has_line_end(s) ? OUTCOME_REFUSED : OUTCOME_UNAVAILABLE;
        break;
    }
    /* What it answers to one user's credential, or cannot take of it, says nothing about the member, or anybody could
     * make the others avoid it; what it does before that does. */
    bool retry = o.kind == OUTCOME_UNAVAILABLE && !a->credential_sent && !no_form &&
                 !span_eq(span_of(a->why), SPAN("no_memory"));
    signin_failed(s, &o, stage_of(s), retry ? FAULT_MEMBER : FAULT_OTHER, retry);
}

/* ---- bytes ---- */

/* False: the attempt is over. */
static bool flush_site(struct session *s)
{
    struct buf *out = &s->signin->to_site;
    if (s->unguarded)
        return true;
    while (out->n > 0) {
        ssize_t n = conn_write(s->site, out->at, out->n);
        if (n == CONN_AGAIN)
            break;
        if (n < 0) {
            failed(s, conn_why(s->site));
            return false;
        }
        buf_take(out, (size_t)n);
    }
    conn_watch(s->site, WATCH_READ | (out->n > 0 ? WATCH_WRITE : 0));
    return true;
}

static bool start_site_tls(struct session *s)
{
    struct signin *in = s->signin;
    if (in->host != NULL && conn_tls_connect(s->site, in->site->tls[s->protocol], in->host, s->member))
        return true;
    failed_here(s, "memory");
    return false;
}

/* ---- IPsec: the last question before the credential ---- */

static void step(struct session *s, enum login_step next);

static void compose_confirm(struct question *q UNUSED, struct message *m)
{
    m->type = MSG_IPSEC_CONFIRM;
}

static void on_confirmed(struct question *q, struct message *m)
{
    struct signin *in = OWNER_OF(q, struct signin, confirm);
    struct session *s = in->s;
    if (m == NULL || !m->ipsec_confirmed.good) {
        in->ipsec = m != NULL ? ipsec_word(m->ipsec_confirmed.why) : NULL;
        conn_forsake(s->site);
        failed_here(s, m != NULL ? "ipsec" : "no_backends");
        return;
    }
    struct span input = buf_span(&in->from_site);
    step(s, login_confirmed(in->login, input, &in->to_site));
}

static void ask_confirm(struct session *s)
{
    struct signin *in = s->signin;
    alarm_clear(&in->greeting);
    if (!list_empty(&in->confirm.link))
        return;
    in->confirm.id = s->id;
    in->confirm.compose = compose_confirm;
    in->confirm.answered = on_confirmed;
    helper_ask(&front.backends, &in->confirm);
}

void handin_lose_link(struct session *s)
{
    if (s->state == S_HANDIN)
        failed_here(s, "ipsec");
}

static void step(struct session *s, enum login_step next)
{
    struct signin *in = s->signin;
    trace_site(s, login_stage(in->login), next == LOGIN_DONE ? login_answer(in->login)->why : NULL);
    if (login_greeted(in->login) && !in->order.starttls && !in->order.starttls_if_offered)
        alarm_clear(&in->greeting);
    if (next == LOGIN_DONE) {
        answered(s);
        return;
    }
    if (next == LOGIN_CONFIRM)
        ask_confirm(s);
    if (!flush_site(s) || next != LOGIN_START_TLS)
        return;
    if (start_site_tls(s))
        handin_ready(s);
}

static void feed(struct session *s)
{
    struct signin *in = s->signin;
    struct span input = buf_span(&in->from_site);
    size_t had = input.n;
    enum login_step next = login_feed(in->login, &input, &in->to_site);
    buf_take(&in->from_site, had - input.n);
    step(s, next);
}

static void read_site(struct session *s)
{
    struct signin *in = s->signin;
    ssize_t n = conn_read(s->site, front.scratch, SITE_READ_BYTES);
    if (n == CONN_AGAIN)
        return;
    if (n < 0)
        failed(s, n == CONN_BROKEN ? conn_why(s->site) : "eof");
    else if (!buf_add(&in->from_site, (struct span){ front.scratch, (size_t)n }))
        failed(s, "too_much");
    else {
        if (s->protocol == POP3 && !conn_is_tls(s->site))
            conn_acknowledge(s->site);
        feed(s);
    }
}

/* ---- TLS ---- */

static void shake(struct session *s)
{
    struct signin *in = s->signin;
    int done = conn_handshake(s->site);
    if (done == CONN_AGAIN)
        return;
    if (done != 1) {
        failed(s, conn_why(s->site));
        return;
    }
    conn_watch(s->site, WATCH_READ);
    if (in->order.implicit_tls)
        feed(s); /* nothing to say yet: it reads the greeting */
    else {
        alarm_clear(&in->greeting);
        step(s, login_protected(in->login, &in->to_site));
    }
}

void handin_ready(struct session *s)
{
    if (conn_is_tls(s->site) && conn_tls_version(s->site) == NULL)
        shake(s);
    else
        read_site(s);
}

void handin_resume(struct session *s)
{
    if (s->state != S_HANDIN || s->site == NULL)
        return;
    conn_watch(s->site, WATCH_READ | (s->signin->to_site.n > 0 ? WATCH_WRITE : 0));
    if (conn_is_tls(s->site) && conn_tls_version(s->site) == NULL)
        shake(s); /* it knows what it waits for */
}

static void on_site_ready(void *owner, unsigned events)
{
    struct session *s = owner;
    if (!session_before_relay(s)) {
        relay_site_ready(s, events);
        return;
    }
    if (s->unguarded)
        return;
    if (s->signin->to_site.n > 0 && (events & WATCH_WRITE) && !flush_site(s))
        return;
    if ((events & WATCH_READ) || conn_tls_version(s->site) == NULL)
        handin_ready(s);
}

/* ---- start ---- */

static void tell_who(struct session *s)
{
    struct signin *in = s->signin;
    char sid[17];
    if (in->sid[0] == '\0')
        memcpy(in->sid, session_id_text(s, sid), sizeof sid);
    in->forwarded = (struct forwarded){
        .client = s->peer, .connected = conn_local(s->client), .session = span_of(in->sid), .ttl = s->ttl - 1
    };
}

/* What the client gave, or what a verifier gave for it. */
static void give_client(struct signin *in)
{
    bool delegated = in->store_login[0] != '\0', given = in->store_password.n > 0;
    in->order.client_mechanism = given ? SASL_PLAIN : in->credentials.mechanism;
    in->order.user = span_of(delegated ? in->store_login : in->store_name);
    in->order.authzid = delegated ? span_of(in->store_name) : SPAN_NONE;
    in->order.credential = given ? &in->store_password : &in->credentials.secret;
}

/* The master opens the mailbox; whose it is stands in the authorization identity, or in the name. */
static void give_master(struct signin *in)
{
    const struct site_config *site = in->site->config;
    in->order.client_mechanism = SASL_PLAIN;
    in->order.credential = &in->site->master;
    if (site->master_form == MASTER_STAR) {
        snprintf(in->master_login, sizeof in->master_login, "%s*%s", in->store_name, site->master_user);
        in->order.user = span_of(in->master_login);
    } else {
        in->order.user = span_of(site->master_user);
        in->order.authzid = span_of(in->store_name);
    }
}

static void give_order(struct session *s)
{
    struct signin *in = s->signin;
    const struct site_config *site = in->site->config;
    tell_who(s);
    site_order(in->site, (enum protocol)s->protocol, &in->order);
    in->order.starttls_if_offered &= !in->no_inner_tls;
    in->order.forwarded = &in->forwarded;
    in->order.client_id = buf_span(&in->client_id);
    if (site->credentials == CREDENTIALS_MASTER)
        give_master(in);
    else
        give_client(in);
}

static bool announce_client(struct session *s)
{
    struct signin *in = s->signin;
    if (in->site->config->client_info != CLIENT_INFO_PROXY2)
        return true;
    struct addr connected = conn_local(s->client);
    return proxy_header_write(&in->to_site, &s->peer, &connected);
}

void handin_start(struct session *s, int fd)
{
    struct signin *in = s->signin;
    in->dialed_ms = loop_now_ms();
    give_order(s);
    s->site = conn_new(fd, on_site_ready, s);
    login_free(&in->login);
    in->login = login_new(&in->order);
    if (s->site == NULL || in->login == NULL || !announce_client(s) ||
        !alarm_set(&in->greeting, front.config->limits.greeting_timeout_ms, on_greeting_late)) {
        failed_here(s, "memory");
        return;
    }
    if (!flush_site(s))
        return;
    if (in->order.implicit_tls) {
        if (start_site_tls(s))
            shake(s);
    } else {
        feed(s);
    }
}

bool handin_start_ready(struct session *s, uint64_t spare)
{
    struct signin *in = s->signin;
    login_free(&in->login);
    if (!reserve_give(spare, s, &s->site, &in->login))
        return false;
    in->dialed_ms = loop_now_ms();
    give_order(s);
    conn_adopt(s->site, on_site_ready, s);
    step(s, login_for(in->login, &in->order, &in->to_site));
    return true;
}
