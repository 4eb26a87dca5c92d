/* Signing in to an IMAP store (RFC 9051, 3501; STARTTLS 6.2.1, LITERAL+ and LITERAL- RFC 7888, SASL-IR RFC 4959, ID
 * RFC 2971): usually in one round trip, because the greeting says what is needed and ID goes out with the login.
 *
 * Whatever the store lists decides how the credential is said. It never decides how safely. */
#include "backends/login/login_machine.h"

#include "proxy/wire/imap_command.h"
#include "proxy/wire/imap_reply.h"

static bool listed(const struct login *l, const char *capability)
{
    return capability_has(buf_span(&l->listed), span_of(capability));
}

static bool is_tag(struct span text, unsigned tag)
{
    uint64_t number;
    return tag > 0 && text.n > 1 && text.at[0] == 'h' && text.at[1] != '0' &&
           span_number(span_after(text, 1), UINT32_MAX, &number) && number == tag;
}

static unsigned write_tag(struct login *l)
{
    if (!buf_printf(&l->line, "h%u ", ++l->tags))
        login_end(l, LOGIN_TEMPORARY, "no_memory");
    return l->tags;
}

/* Greeting. */

static void say_starttls(struct login *l)
{
    l->stage = AT_STARTTLS;
    l->tag = write_tag(l);
    login_write(l, SPAN("STARTTLS\r\n"));
}

static void say_capability(struct login *l)
{
    l->stage = l->credential_sent ? AT_AFTER : AT_CAPABILITY;
    l->tag = write_tag(l);
    login_write(l, SPAN("CAPABILITY\r\n"));
}

static void say_login(struct login *l);

static void imap_next(struct login *l)
{
    if (login_wants_tls(l, listed(l, "STARTTLS"))) {
        if (l->listed.n > 0 && !listed(l, "STARTTLS"))
            login_fault(l, "no_starttls");
        else
            l->say = say_starttls;
    } else if (l->listed.n == 0 && !l->asked_list) {
        l->say = say_capability;
    } else {
        l->say = say_login;
    }
}

static void on_greeting(struct login *l, const struct imap_reply *reply)
{
    if (reply->kind != IMAP_UNTAGGED || (reply->status != IMAP_OK && reply->status != IMAP_BYE)) {
        login_fault(l, reply->status == IMAP_PREAUTH ? "preauth" : "garbage");
        return;
    }
    if (login_code_is(reply->code, "REFERRAL")) {
        login_fault(l, "referral");
        return;
    }
    if (reply->status == IMAP_BYE) {
        login_keep_text(l, reply->text);
        login_end(l, LOGIN_TEMPORARY, "bye");
        return;
    }
    l->greeted = true;
    if (reply->capabilities.at != NULL)
        login_keep_list(l, &l->listed, reply->capabilities);
    if (login_code_is(reply->code, "ALERT"))
        login_keep_alert(l, reply->text);
    imap_next(l);
}

/* The login: how to say it. */

enum form { FORM_NONE, FORM_LOGIN, FORM_SASL };

static bool lists_mechanism(const struct login *l, enum sasl_mechanism mechanism)
{
    char capability[32] = "AUTH=";
    strncat(capability, sasl_name(mechanism), sizeof capability - sizeof "AUTH=");
    return listed(l, capability);
}

/* Quoted strings are what every store reads; after them SASL, which carries every byte in one line; literals last. */
static enum form choose(const struct login *l)
{
    enum sasl_mechanism mechanism = login_mechanism(l);
    bool may_login = !listed(l, "LOGINDISABLED"), has_sasl = lists_mechanism(l, mechanism);
    if (sasl_is_bearer(mechanism))
        return has_sasl ? FORM_SASL : FORM_NONE;
    if (l->order->authzid.n > 0)
        return has_sasl || l->order->site->mechanism == MECHANISM_PLAIN ? FORM_SASL : FORM_NONE;
    if (l->order->site->mechanism == MECHANISM_LOGIN)
        return may_login ? FORM_LOGIN : FORM_NONE;
    if (l->order->site->mechanism == MECHANISM_PLAIN)
        return may_login || has_sasl ? FORM_SASL : FORM_NONE;
    if (may_login && imap_fits_quoted(l->order->user) && imap_fits_quoted(login_credential(l)))
        return FORM_LOGIN;
    if (has_sasl)
        return FORM_SASL;
    return may_login ? FORM_LOGIN : FORM_NONE;
}

/* Behind what we say of the client stands what it said of itself, as far as there is room. */
static void write_id(struct login *l)
{
    struct forwarded told = login_forwarded(l);
    struct span client_id = l->order->may_forward ? l->order->client_id : SPAN_NONE;
    struct buf pairs;
    if (!listed(l, "ID"))
        return;
    buf_init(&pairs, LOGIN_LIST_MAX);
    bool told_us = forwarded_write_id(&pairs, &told) && pairs.n > 0;
    if (client_id.n > 0 && client_id.n < LOGIN_LIST_MAX - pairs.n && (!told_us || buf_add_byte(&pairs, ' ')) &&
        !buf_add(&pairs, client_id))
        login_end(l, LOGIN_TEMPORARY, "no_memory");
    if (pairs.n > 0) {
        l->id_tag = write_tag(l);
        login_write(l, SPAN("ID ("));
        login_write(l, buf_span(&pairs));
        login_write(l, SPAN(")\r\n"));
    }
    buf_fini(&pairs);
}

static void close_argument(struct login *l)
{
    l->credential_in_line |= l->argument == 1;
    login_write(l, l->argument == 1 ? SPAN("\r\n") : SPAN(" "));
    l->argument++;
}

static void write_arguments(struct login *l)
{
    const struct span arguments[] = { l->order->user, login_credential(l) };
    enum imap_literals literals = listed(l, "LITERAL+")                             ? IMAP_LITERAL_PLUS
                                  : listed(l, "LITERAL-") || listed(l, "IMAP4rev2") ? IMAP_LITERALS_TO_4096
                                                                                    : IMAP_SYNC_ONLY;
    l->awaits = AWAITS_NOTHING;
    while (l->argument < COUNT_OF(arguments)) {
        enum imap_written written = imap_write_argument(&l->line, arguments[l->argument], literals);
        if (written == IMAP_WAIT)
            l->awaits = AWAITS_LITERAL;
        if (written == IMAP_UNWRITABLE)
            login_end(l, LOGIN_TEMPORARY, "no_memory"); /* NUL was refused at the start */
        if (written != IMAP_WRITTEN)
            return;
        close_argument(l);
    }
}

static void say_literal(struct login *l)
{
    login_write(l, l->argument == 0 ? l->order->user : login_credential(l));
    close_argument(l);
    write_arguments(l);
}

static void write_authenticate(struct login *l)
{
    l->tag = write_tag(l);
    login_write(l, SPAN("AUTHENTICATE "));
    login_say_mechanism(l, listed(l, "SASL-IR"));
}

static void say_login(struct login *l)
{
    enum form form = choose(l);
    l->stage = AT_LOGIN;
    if (form == FORM_NONE)
        login_fault(l, "no_mechanism");
    if (l->ended || (form == FORM_SASL && !login_respond(l)))
        return;
    write_id(l);
    if (form == FORM_SASL) {
        write_authenticate(l);
        return;
    }
    l->tag = write_tag(l);
    login_write(l, SPAN("LOGIN "));
    write_arguments(l);
}

/* Replies. */

static void on_untagged(struct login *l, const struct imap_reply *reply)
{
    if (reply->status == IMAP_PREAUTH) {
        login_fault(l, "preauth");
    } else if (reply->status == IMAP_BYE && l->stage == AT_STARTTLS) {
        login_fault(l, "starttls_refused");
    } else if (reply->status == IMAP_BYE && login_code_is(reply->code, "REFERRAL")) {
        login_fault(l, "referral");
    } else if (reply->status == IMAP_BYE) {
        login_keep_text(l, reply->text);
        login_end(l, LOGIN_TEMPORARY, "bye");
    } else if (login_code_is(reply->code, "ALERT")) {
        login_keep_alert(l, reply->text);
    } else if (reply->capabilities.at != NULL && l->stage == AT_CAPABILITY) {
        login_keep_list(l, &l->listed, reply->capabilities);
    } else if (reply->capabilities.at != NULL && l->credential_sent && l->id_tag == 0) {
        login_keep_list(l, &l->after, reply->capabilities);
    }
}

static void on_continue(struct login *l)
{
    if (l->stage != AT_LOGIN || l->id_tag != 0)
        login_fault(l, "continuation");
    else if (l->awaits == AWAITS_LITERAL)
        l->say = say_literal;
    else
        login_continue(l);
}

static void on_signed_in(struct login *l, const struct imap_reply *reply)
{
    if (!l->credential_sent) {
        login_fault(l, "unasked");
        return;
    }
    login_keep_text(l, reply->text);
    if (reply->capabilities.at != NULL)
        login_keep_list(l, &l->after, reply->capabilities);
    if (l->after.n > 0)
        login_in(l);
    else
        l->say = say_capability;
}

static void on_login_reply(struct login *l, const struct imap_reply *reply)
{
    if (l->id_tag != 0)
        login_fault(l, "out_of_order");
    else if (reply->status == IMAP_OK)
        on_signed_in(l, reply);
    else if (reply->status == IMAP_NO)
        login_refused(l, login_imap_refusals, l->credential_sent, reply->code, reply->text);
    else
        login_fault(l, "bad_to_login");
}

static void on_command_reply(struct login *l, const struct imap_reply *reply)
{
    switch (l->stage) {
    case AT_STARTTLS:
        if (reply->status == IMAP_OK) {
            login_start_tls(l);
        } else if (l->order->starttls_if_offered) {
            l->tls_refused = true;
            imap_next(l);
        } else {
            login_fault(l, "starttls_refused");
        }
        break;
    case AT_CAPABILITY: /* NO and BAD: a bare dialect, which is talked to without any */
        if (reply->capabilities.at != NULL)
            login_keep_list(l, &l->listed, reply->capabilities);
        l->asked_list = true;
        imap_next(l);
        break;
    case AT_AFTER:
        if (reply->capabilities.at != NULL)
            login_keep_list(l, &l->after, reply->capabilities);
        login_in(l);
        break;
    default:
        on_login_reply(l, reply);
    }
}

static void on_tagged(struct login *l, const struct imap_reply *reply)
{
    if (reply->status != IMAP_OK && reply->status != IMAP_NO && reply->status != IMAP_BAD_REPLY)
        login_fault(l, "garbage");
    else if (is_tag(reply->tag, l->id_tag))
        l->id_tag = 0; /* whatever it thinks of ID, the login goes on */
    else if (is_tag(reply->tag, l->tag))
        on_command_reply(l, reply);
    else
        login_fault(l, "unasked");
}

static void on_reply(struct login *l, const struct imap_reply *reply)
{
    if (!l->greeted)
        on_greeting(l, reply);
    else if (l->say != NULL && !(l->credential_sent && reply->kind == IMAP_UNTAGGED))
        login_fault(l, "unasked"); /* it came before what is about to be said */
    else if (reply->kind == IMAP_TAGGED)
        on_tagged(l, reply);
    else if (reply->kind == IMAP_CONTINUE)
        on_continue(l);
    else
        on_untagged(l, reply);
}

static bool imap_take(struct login *l, struct span *in)
{
    struct imap_reply reply;
    size_t used;
    if (!l->greeted && in->n > 0 && in->at[0] != '*') {
        login_fault(l, "garbage"); /* not worth waiting for the end of such a line */
        return false;
    }
    switch (imap_reply_read(*in, &reply, &used)) {
    case IMAP_READ_MORE:
        return false;
    case IMAP_READ_BROKEN:
        login_fault(l, "garbage");
        return false;
    case IMAP_READ_REPLY:
        break;
    }
    *in = span_after(*in, used);
    if (login_count(l, used))
        on_reply(l, &reply);
    return !l->ended;
}

const struct login_dialogue login_imap = { imap_take, imap_next, say_login };
