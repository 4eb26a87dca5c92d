/* The login in the order in which it happens: start, verdict, dial, hand-in, and how it ends.
 *
 * A refusal is told on a grid of time, so that nobody learns from a clock whether a mailbox exists: the first multiple
 * of auth.failure_step_ms after the command was read, or the next. An outage is told at once. */
#include "proxy/front/signin.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/ipsec/ipsec_judge.h"
#include "proxy/base/log.h"
#include "proxy/front/arrival.h"
#include "proxy/front/dialogue.h"
#include "proxy/front/relay.h"
#include "proxy/net/loop.h"

enum { CLIENT_ID_MAX = 8192, TO_SITE_MAX = 160 * 1024, FROM_SITE_MAX = 2 * SITE_INPUT_MAX };

static const struct outcome unavailable = { .kind = OUTCOME_UNAVAILABLE };

/* ---- life ---- */

struct signin *signin_new(struct session *s)
{
    struct signin *in = calloc(1, sizeof *in);
    if (in == NULL)
        return NULL;
    in->s = s;
    buf_init_secret(&in->in, 2 * PIPELINED_MAX);
    buf_init(&in->out, OUT_MAX);
    buf_init(&in->client_id, CLIENT_ID_MAX);
    buf_init_secret(&in->to_site, TO_SITE_MAX);
    buf_init(&in->from_site, FROM_SITE_MAX);
    imap_reader_init(&in->imap, (size_t)front.config->limits.sasl_bytes);
    question_init(&in->verdict);
    question_init(&in->dial);
    question_init(&in->confirm);
    in->forwarded.ttl = -1;
    return in;
}

void signin_free(struct signin **pointer)
{
    struct signin *in = *pointer;
    if (in == NULL)
        return;
    *pointer = NULL;
    helper_cancel(&in->verdict);
    helper_cancel(&in->dial);
    helper_cancel(&in->confirm);
    alarm_clear(&in->budget);
    alarm_clear(&in->moment);
    alarm_clear(&in->greeting);
    login_free(&in->login);
    buf_fini(&in->in);
    buf_fini(&in->out);
    buf_fini(&in->client_id);
    buf_fini(&in->to_site);
    buf_fini(&in->from_site);
    imap_reader_fini(&in->imap);
    exchange_end(&in->exchange);
    credentials_wipe(&in->credentials);
    secret_wipe(&in->store_password);
    secret_wipe(&in->pop3_user);
    free(in->host);
    free(in);
}

/* ---- how it ends ---- */

/* The attempt leaves no trace but its answer. */
static void forget_attempt(struct session *s)
{
    struct signin *in = s->signin;
    alarm_clear(&in->budget);
    handin_end(s);
    login_free(&in->login);
    credentials_wipe(&in->credentials);
    secret_wipe(&in->store_password);
    in->verified = false;
    in->delay = 0;
    in->n_tried = 0;
    in->ipsec = NULL;
    in->no_inner_tls = in->ready_made = false;
    s->ipsec = s->unguarded = false;
    free(s->mailbox);
    free(s->delegate);
    free(s->site_name);
    s->mailbox = s->delegate = s->site_name = NULL;
    s->backend = (struct addr){ 0 };
    s->auth_ms = s->dial_ms = s->handin_ms = 0;
}

static bool is_refusal(const struct outcome *o)
{
    return o->kind == OUTCOME_REFUSED || o->kind == OUTCOME_DENIED;
}

static bool is_bearer_refused(const struct session *s, const struct outcome *o)
{
    return is_refusal(o) && sasl_is_bearer(s->signin->credentials.mechanism);
}

/* Tell the client, and read commands again. */
static void tell(struct session *s)
{
    struct signin *in = s->signin;
    struct outcome o = in->outcome;
    struct buf words;
    buf_init(&words, 4096);
    bool bearer = is_bearer_refused(s, &o);
    bool good;
    if (bearer) /* RFC 7628 3.2.3: the error goes as a challenge first */
        good = buf_printf(&words, "+ %s\r\n", exchange_refuse(&in->exchange, in->credentials.mechanism));
    else
        good = dialogues[s->protocol]->refuse(s, &o, &words);
    forget_attempt(s);
    if (is_refusal(&o) || o.kind == OUTCOME_SAYS)
        in->failures++;
    session_enter(s, S_LOGIN);
    if (!good)
        session_close(s, WHY_MEMORY);
    else if (!bearer && in->failures >= front.config->limits.failed_logins) {
        if (dialogues[s->protocol]->goodbye("Too many failed logins.", &words))
            session_finish(s, WHY_FAILURES, buf_span(&words));
        else
            session_close(s, WHY_MEMORY);
    } else if (session_say(s, buf_span(&words)))
        arrival_read_on(s);
    buf_fini(&words);
}

static void on_moment(struct alarm *a)
{
    tell(OWNER_OF(a, struct signin, moment)->s);
}

/* The next point of the grid that is not yet over; a guesser waits for a later one. */
static int64_t until_moment(const struct signin *in)
{
    int64_t step = front.config->auth.failure_step_ms;
    int64_t spent = loop_now_ms() - in->read_ms;
    return (spent / step + 1 + in->delay) * step - spent;
}

/* What the site says in its own words may be about the credential as well, and a guesser would hear it for each guess:
 * it counts as a failure unless it can only follow a right one. */
static enum login_result result_of(const struct outcome *o)
{
    static const char *const after_a_right_one[] = { "EXPIRE", "EXPIRED", "INUSE", "IN-USE", "LIMIT", "LOGIN-DELAY" };
    static const enum login_result results[OUTCOMES] = {
        [OUTCOME_REFUSED] = LOGIN_REFUSED,       [OUTCOME_DENIED] = LOGIN_REFUSED,
        [OUTCOME_SAYS] = LOGIN_REFUSED,          [OUTCOME_UNAVAILABLE] = LOGIN_UNREACHABLE,
        [OUTCOME_TLS_FIRST] = LOGIN_UNREACHABLE, [OUTCOME_TOO_MANY] = LOGIN_ACCEPTED,
    };
    for (size_t i = 0; o->kind == OUTCOME_SAYS && i < COUNT_OF(after_a_right_one); i++)
        if (span_eq_nocase(o->code, span_of(after_a_right_one[i])))
            return LOGIN_UNREACHABLE;
    return results[o->kind];
}

/* auth and backends need not count this attempt any more. */
static void tell_helpers(struct session *s, enum login_result result)
{
    if (s->admitted) {
        helper_tell(
            &front.auth,
            &(struct message){ .type = MSG_LOGIN_RESULT, .id = s->id, .login_result = { .result = (uint8_t)result } });
        helper_tell(&front.auth, &(struct message){ .type = MSG_SESSION_GONE, .id = s->id });
    }
    if (s->leased)
        helper_tell(
            &front.backends,
            &(struct message){ .type = MSG_DIAL_OUTCOME, .id = s->id, .dial_outcome = { .stage = STAGE_GONE } });
    s->admitted = s->leased = false;
}

void signin_end(struct session *s, const struct outcome *o)
{
    struct signin *in = s->signin;
    in->outcome = *o;
    signin_log_failure(s, o);
    tell_helpers(s, result_of(o));
    /* An answer that crosses the cancel must not be taken for that to the next attempt, which may be another user's. */
    if (helper_cancel(&in->verdict) || helper_cancel(&in->dial))
        front_rename(s);
    handin_end(s);
    alarm_clear(&in->budget);
    bool secret_moment = is_refusal(o) || o->kind == OUTCOME_SAYS;
    if (!secret_moment) {
        tell(s);
        return;
    }
    session_enter(s, S_REFUSE);
    if (!alarm_set(&in->moment, until_moment(in), on_moment))
        session_close(s, WHY_MEMORY);
}

void signin_unavailable(struct session *s, const char *why)
{
    struct outcome o = unavailable;
    o.why = why;
    signin_end(s, &o);
}

static void on_budget(struct alarm *a)
{
    struct session *s = OWNER_OF(a, struct signin, budget)->s;
    if (s->state == S_HANDIN)
        handin_too_late(s);
    else
        signin_unavailable(s, "budget");
}

void signin_abort(struct session *s)
{
    struct signin *in = s->signin;
    helper_cancel(&in->verdict);
    helper_cancel(&in->dial);
    alarm_clear(&in->budget);
    alarm_clear(&in->moment);
    handin_end(s);
    credentials_wipe(&in->credentials);
    exchange_end(&in->exchange);
}

/* ---- dial ---- */

static void compose_dial(struct question *q, struct message *m)
{
    struct signin *in = OWNER_OF(q, struct signin, dial);
    const struct session *s = in->s;
    int64_t left = in->budget.at_ms - loop_now_ms();
    m->type = MSG_DIAL;
    m->dial = (struct msg_dial){ .protocol = s->protocol,
                                 .ms_left = left > 0 ? (uint64_t)left : 0,
                                 .site = span_of(s->site_name),
                                 .mailbox = span_of(s->mailbox),
                                 .tried = span_bytes(in->tried, in->n_tried * sizeof in->tried[0]) };
}

/* status of a dial that gave no connection, in words of the log. */
static const char *dial_why(const struct message *m)
{
    static const char *const words[DIAL_STATUSES] = { "dialed", "unreachable", "no_site", "loop" };
    return m == NULL ? "no_backends" : words[m->dialed.status];
}

static void on_dialed(struct question *q, struct message *m)
{
    struct signin *in = OWNER_OF(q, struct signin, dial);
    struct session *s = in->s;
    uint64_t spare = m != NULL && m->dialed.status == DIAL_OK ? m->dialed.spare : 0;
    int fd = m != NULL && m->dialed.status == DIAL_OK ? ipc_take_fd(m, 0) : -1;
    s->dial_ms += (uint32_t)(loop_now_ms() - in->step_ms);
    if (fd < 0 && spare == 0) {
        in->ipsec = m != NULL ? ipsec_word(m->dialed.why) : NULL;
        signin_unavailable(s, dial_why(m));
        return;
    }
    free(in->host);
    in->host = span_copy(m->dialed.host);
    s->member = m->dialed.member;
    s->backend = m->dialed.address;
    s->leased = true;
    s->ipsec = in->site->config->security == SECURITY_IPSEC;
    s->unguarded = false;
    session_enter(s, S_HANDIN);
    in->ready_made = spare != 0;
    if (!in->ready_made)
        handin_start(s, fd);
    else if (!handin_start_ready(s, spare))
        signin_redial(s);
}

void signin_dial(struct session *s)
{
    struct signin *in = s->signin;
    in->step_ms = loop_now_ms();
    in->dial.id = s->id;
    in->dial.compose = compose_dial;
    in->dial.answered = on_dialed;
    helper_ask(&front.backends, &in->dial);
}

/* ---- start ---- */

/* Front ends that point at each other hand a login round. The answer comes from the loop and not from inside the
 * dialogue: behind this LOGIN thousands may be pipelined that would each nest in the one before. */
static void on_looped(struct alarm *a)
{
    signin_unavailable(OWNER_OF(a, struct signin, moment)->s, "loop");
}

void signin_start(struct session *s)
{
    struct signin *in = s->signin;
    in->read_ms = in->step_ms = loop_now_ms();
    session_enter(s, S_AUTH);
    if (in->credentials.secret.n == 0) { /* to some verifiers an empty password is no question at all */
        signin_end(s, &(struct outcome){ .kind = OUTCOME_REFUSED, .why = "empty_password" });
        return;
    }
    if (s->ttl == 0) {
        if (!alarm_set(&in->moment, 0, on_looped))
            session_close(s, WHY_MEMORY);
        return;
    }
    if (!alarm_set(&in->budget, front.config->limits.site_login_timeout_s * SECOND, on_budget)) {
        session_close(s, WHY_MEMORY);
        return;
    }
    signin_ask(s);
}

/* ---- what the hand-in came to ---- */

static void report(struct session *s, enum dial_stage stage, enum dial_fault fault, const char *why)
{
    helper_tell(&front.backends, &(struct message){
                                     .type = MSG_DIAL_OUTCOME,
                                     .id = s->id,
                                     .dial_outcome = {.stage = (uint8_t)stage,
                                                      .fault = (uint8_t)fault,
                                                      .ms = (uint64_t)(loop_now_ms() - s->signin->dialed_ms),
                                                      .why = span_first(span_of(why), MESSAGE_WHY_MAX)}
    });
}

void signin_redial(struct session *s)
{
    handin_end(s);
    login_free(&s->signin->login);
    helper_tell(&front.backends,
                &(struct message){ .type = MSG_DIAL_OUTCOME, .id = s->id, .dial_outcome = { .stage = STAGE_GONE } });
    s->leased = s->ipsec = s->unguarded = false;
    session_enter(s, S_DIAL);
    signin_dial(s);
}

/* Another member, as long as no credential has been sent and there is time. */
static bool try_next(struct session *s)
{
    struct signin *in = s->signin;
    if (in->n_tried == TRIED_MAX)
        return false;
    in->tried[in->n_tried++] = s->member;
    in->no_inner_tls = false;
    signin_redial(s);
    return true;
}

void signin_failed(struct session *s, const struct outcome *o, enum dial_stage stage, enum dial_fault fault, bool retry)
{
    s->handin_ms += (uint32_t)(loop_now_ms() - s->signin->dialed_ms);
    report(s, stage, fault, o->why);
    if (fault == FAULT_MEMBER)
        signin_log_member(s, o, stage);
    if (!retry || !try_next(s))
        signin_end(s, o);
}

static bool welcome(struct session *s)
{
    struct buf words;
    buf_init(&words, OUT_MAX);
    bool good = dialogues[s->protocol]->welcome(s, login_answer(s->signin->login), &words);
    if (!good)
        session_close(s, WHY_MEMORY);
    else
        good = session_say(s, buf_span(&words));
    buf_fini(&words);
    return good;
}

void signin_accepted(struct session *s)
{
    struct signin *in = s->signin;
    s->handin_ms += (uint32_t)(loop_now_ms() - in->dialed_ms);
    report(s, STAGE_IN, FAULT_NONE, NULL);
    if (in->user_full) {
        signin_end(s,
                   &(struct outcome){ .kind = OUTCOME_TOO_MANY, .why = "user_full", .sessions_max = in->sessions_max });
        return;
    }
    helper_tell(&front.auth, &(struct message){
                                 .type = MSG_LOGIN_RESULT, .id = s->id, .login_result = { .result = LOGIN_ACCEPTED } });
    s->signed_in = true;
    signin_log_success(s);
    if (welcome(s))
        relay_begin(s);
}
