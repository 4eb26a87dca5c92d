/* The log of one attempt to sign in: one line each, with who, where and how long. */
#include "proxy/base/log.h"
#include "proxy/front/signin.h"
#include "proxy/front/tally.h"
#include "proxy/net/loop.h"

static const char *const stage_words[DIAL_STAGES] = { "connect", "tls", "greeting", "login", "in", "gone" };

static void log_who(struct log_line *l, const struct session *s)
{
    char sid[17];
    const struct credentials *c = &s->signin->credentials;
    const char *bare = s->protocol == IMAP ? "LOGIN" : "USER";
    log_word(l, "sid", session_id_text(s, sid));
    log_word(l, "proto", protocol_names[s->protocol]);
    log_addr(l, "peer", &s->peer);
    log_word(l, "tls", conn_tls_version(s->client) != NULL ? conn_tls_version(s->client) : "none");
    log_word(l, "mechanism", c->mechanism == SASL_NONE ? bare : sasl_name(c->mechanism));
    if (s->mailbox != NULL)
        log_text(l, "user", span_of(s->mailbox));
    if (s->delegate != NULL)
        log_text(l, "delegate", span_of(s->delegate));
}

static void log_where(struct log_line *l, const struct session *s)
{
    if (s->site_name != NULL)
        log_text(l, "site", span_of(s->site_name));
    log_addr(l, "backend", &s->backend);
    if (s->ipsec)
        session_log_link(l, s);
}

static void log_times(struct log_line *l, const struct session *s)
{
    log_number(l, "auth_ms", s->auth_ms);
    log_number(l, "dial_ms", s->dial_ms);
    log_number(l, "handin_ms", s->handin_ms);
}

void signin_log_failure(struct session *s, const struct outcome *o)
{
    struct log_line l;
    tally.failures[s->protocol][o->kind]++;
    log_begin(&l, LOG_INFO, "login_failed");
    log_who(&l, s);
    log_where(&l, s);
    log_word(&l, "result", outcome_results[o->kind]);
    log_text(&l, "why", span_of(o->why));
    if (s->signin->delay > 0 && o->kind != OUTCOME_UNAVAILABLE)
        log_number(&l, "penalty_ms", s->signin->delay * front.config->auth.failure_step_ms);
    log_word(&l, "ipsec", s->signin->ipsec);
    log_times(&l, s);
    if (s->mailbox == NULL)
        log_text(&l, "login", span_of(s->signin->credentials.name));
    log_end(&l);
}

void signin_log_success(struct session *s)
{
    struct log_line l;
    tally_login((enum protocol)s->protocol, loop_now_ms() - s->signin->read_ms);
    log_begin(&l, LOG_INFO, "login");
    log_who(&l, s);
    log_where(&l, s);
    log_word(&l, "result", "ok");
    log_word(&l, "spare", s->signin->ready_made ? "yes" : NULL);
    log_times(&l, s);
    if (s->client_name != NULL)
        log_text(&l, "client", span_of(s->client_name));
    log_end(&l);
}

void signin_log_member(struct session *s, const struct outcome *o, enum dial_stage stage)
{
    struct log_line l;
    log_begin(&l, LOG_WARNING, "member_failed");
    log_who(&l, s);
    log_where(&l, s);
    log_word(&l, "stage", stage_words[stage]);
    log_text(&l, "why", span_of(o->why)); /* OpenSSL's words have spaces */
    log_end(&l);
}
