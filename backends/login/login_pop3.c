/* Signing in to a POP3 store (RFC 1939, 2449; STLS RFC 2595, AUTH RFC 5034, codes RFC 3206; XCLIENT as Dovecot has it).
 *
 * Replies have no tags: they are told apart by the order in which they were asked for, and nothing may come unasked. */
#include "backends/login/login_machine.h"

#include "proxy/wire/imap_reply.h"
#include "proxy/wire/pop3.h"

enum { COMMAND_MAX = 255 /* RFC 2449 4, with CRLF */ };

static void ask(struct login *l, enum pop3_asked what)
{
    assert(l->n_asked < COUNT_OF(l->asked));
    l->asked[l->n_asked++] = what;
}

static void asked_done(struct login *l)
{
    l->n_asked--;
    memmove(l->asked, l->asked + 1, l->n_asked * sizeof l->asked[0]);
}

/* PASS carries every byte but line ends; those go by SASL, if the store has that. An admin who wrote mechanism =
 * "plain" knows; whoever else needs SASL asks for the list first. */
enum form { FORM_NONE, FORM_PASS, FORM_SASL, FORM_LISTED_SASL };

static enum form choose(const struct login *l)
{
    if (sasl_is_bearer(login_mechanism(l)))
        return FORM_LISTED_SASL;
    if (l->order->site->mechanism == MECHANISM_PLAIN)
        return FORM_SASL;
    if (l->order->authzid.n > 0)
        return FORM_LISTED_SASL;
    if (!span_has(login_credential(l), '\r') && !span_has(login_credential(l), '\n'))
        return FORM_PASS;
    return l->order->site->mechanism == MECHANISM_LOGIN ? FORM_NONE : FORM_LISTED_SASL;
}

static void say_stls(struct login *l)
{
    l->stage = AT_STARTTLS;
    login_write(l, SPAN("STLS\r\n"));
    ask(l, ASKED_STLS);
}

static void say_capa(struct login *l)
{
    l->stage = AT_CAPABILITY;
    login_write(l, SPAN("CAPA\r\n"));
    ask(l, ASKED_CAPA);
}

static void write_xclient(struct login *l)
{
    struct forwarded told = login_forwarded(l);
    struct buf argument;
    buf_init(&argument, COMMAND_MAX);
    if (l->xclient && forwarded_write_xclient(&argument, &told) && argument.n > 0) {
        login_write(l, SPAN("XCLIENT "));
        login_write(l, buf_span(&argument));
        login_write(l, SPAN("\r\n"));
        ask(l, ASKED_XCLIENT);
    }
    buf_fini(&argument);
}

static void say_pass(struct login *l)
{
    login_write(l, SPAN("PASS "));
    login_write(l, login_credential(l));
    login_write(l, SPAN("\r\n"));
    l->credential_in_line = true;
    ask(l, ASKED_PASS);
}

static void write_user(struct login *l)
{
    login_write(l, SPAN("USER "));
    login_write(l, l->order->user);
    login_write(l, SPAN("\r\n"));
    ask(l, ASKED_USER);
    if (capability_has(span_of(l->order->site->pop3_capabilities), SPAN("PIPELINING")))
        say_pass(l);
}

static void write_auth(struct login *l)
{
    size_t n = sizeof "AUTH  \r\n" - 1 + strlen(sasl_name(login_mechanism(l))) + l->response.n;
    login_write(l, SPAN("AUTH "));
    login_say_mechanism(l, n <= COMMAND_MAX);
    ask(l, ASKED_AUTH);
}

static void say_login(struct login *l)
{
    enum form form = choose(l);
    l->stage = AT_LOGIN;
    if (form == FORM_NONE)
        login_fault(l, "unwritable");
    else if (form == FORM_LISTED_SASL && !l->has_mechanism)
        login_fault(l, "no_mechanism");
    if (l->ended || (form != FORM_PASS && !login_respond(l)))
        return;
    write_xclient(l);
    if (form == FORM_PASS)
        write_user(l);
    else
        write_auth(l);
}

/* What is not needed is not asked: a store of before RFC 2449 may dislike the question. */
static bool needs_mechanism(const struct login *l)
{
    const struct site_config *site = l->order->site;
    if (!login_is_nobodys(l))
        return choose(l) == FORM_LISTED_SASL;
    return site->credentials == CREDENTIALS_MASTER && site->master_form == MASTER_AUTHZID &&
           site->mechanism != MECHANISM_PLAIN; /* whoever comes, the master signs in for him */
}

static bool needs_list(const struct login *l)
{
    return needs_mechanism(l) || (l->order->starttls_if_offered && !l->secured);
}

static void pop3_next(struct login *l)
{
    if (login_wants_tls(l, l->has_stls))
        l->say = say_stls;
    else if (needs_list(l) && !l->asked_list)
        l->say = say_capa;
    else
        l->say = say_login;
}

static void on_greeting(struct login *l, const struct pop3_reply *reply)
{
    if (login_code_is(reply->code, "REFERRAL")) {
        login_fault(l, "referral");
    } else if (reply->status == POP3_ERR) {
        login_keep_text(l, reply->text);
        login_end(l, LOGIN_TEMPORARY, "bye");
    } else if (reply->status != POP3_OK) {
        login_fault(l, "garbage");
    } else {
        l->greeted = true;
        l->xclient = login_code_is(reply->code, "XCLIENT") || span_contains_nocase(reply->text, SPAN("[XCLIENT]"));
        pop3_next(l);
    }
}

static void on_capa_line(struct login *l, struct span line)
{
    struct span word;
    if (span_eq(line, SPAN("."))) {
        l->in_capa = false;
        l->asked_list = true;
        pop3_next(l);
        return;
    }
    if (!span_word(&line, &word))
        return;
    if (span_eq_nocase(word, SPAN("XCLIENT")))
        l->xclient = true;
    if (span_eq_nocase(word, SPAN("STLS")))
        l->has_stls = true;
    if (!span_eq_nocase(word, SPAN("SASL")))
        return;
    while (span_word(&line, &word))
        l->has_mechanism |= sasl_find(word) == login_mechanism(l);
}

static void on_capa(struct login *l, const struct pop3_reply *reply)
{
    if (reply->status == POP3_OK) {
        l->in_capa = true;
    } else if (needs_mechanism(l)) {
        login_fault(l, "no_mechanism");
    } else {
        l->asked_list = true;
        pop3_next(l);
    }
}

static void on_signed_in(struct login *l, const struct pop3_reply *reply)
{
    if (!l->credential_sent) {
        login_fault(l, "unasked");
        return;
    }
    login_keep_text(l, reply->text);
    login_in(l);
}

static void on_answer(struct login *l, enum pop3_asked to, const struct pop3_reply *reply)
{
    switch (to) {
    case ASKED_STLS:
        if (reply->status == POP3_OK) {
            login_start_tls(l);
        } else if (l->order->starttls_if_offered) {
            l->tls_refused = true;
            pop3_next(l);
        } else {
            login_fault(l, "starttls_refused");
        }
        break;
    case ASKED_CAPA:
        on_capa(l, reply);
        break;
    case ASKED_XCLIENT: /* a new greeting, or a refusal that changes nothing */
        break;
    case ASKED_USER:
        if (reply->status == POP3_ERR)
            login_refused(l, login_pop3_refusals, true, reply->code, reply->text);
        else if (l->n_asked == 0)
            l->say = say_pass;
        break;
    case ASKED_PASS:
    case ASKED_AUTH:
        if (reply->status == POP3_ERR)
            login_refused(l, login_pop3_refusals, l->credential_sent, reply->code, reply->text);
        else
            on_signed_in(l, reply);
    }
}

static void on_reply(struct login *l, const struct pop3_reply *reply)
{
    if (!l->greeted) {
        on_greeting(l, reply);
    } else if (l->n_asked == 0) {
        login_fault(l, "unasked");
    } else if (reply->status == POP3_CONTINUE && l->asked[0] == ASKED_AUTH) {
        login_continue(l);
    } else if (reply->status == POP3_CONTINUE) {
        login_fault(l, "continuation");
    } else {
        enum pop3_asked to = l->asked[0];
        asked_done(l);
        on_answer(l, to, reply);
    }
}

static void on_line(struct login *l, struct span line)
{
    struct pop3_reply reply;
    if (l->say != NULL)
        login_fault(l, "unasked"); /* it came before what is about to be said */
    else if (l->in_capa)
        on_capa_line(l, line);
    else if (pop3_reply_parse(line, &reply))
        on_reply(l, &reply);
    else
        login_fault(l, "garbage");
}

static bool pop3_take(struct login *l, struct span *in)
{
    struct span line;
    size_t used;
    if (!l->greeted && in->n > 0 && in->at[0] != '+' && in->at[0] != '-') {
        login_fault(l, "garbage"); /* not worth waiting for the end of such a line */
        return false;
    }
    switch (line_read(*in, POP3_REPLY_LINE_MAX, &line, &used)) {
    case LINE_MORE:
        return false;
    case LINE_TOO_LONG:
        login_fault(l, "garbage");
        return false;
    case LINE_READ:
        break;
    }
    *in = span_after(*in, used);
    if (login_count(l, used))
        on_line(l, line);
    return !l->ended;
}

const struct login_dialogue login_pop3 = { pop3_take, pop3_next, say_login };
