/* The login dialogue without its protocol: when to read, when to speak, how it ends. See login_machine.h for the trick.
 * SASL: RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER), Google's XOAUTH2. */
#include "backends/login/login_machine.h"

#include <stdlib.h>

#include "proxy/wire/imap_reply.h"

struct login *login_new(const struct login_order *order)
{
    struct login *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->order = order;
    l->dialogue = order->protocol == IMAP ? &login_imap : &login_pop3;
    l->secured = order->implicit_tls;
    buf_init_secret(&l->line, LOGIN_LINE_MAX);
    buf_init_secret(&l->response, LOGIN_LINE_MAX);
    buf_init(&l->listed, IMAP_REPLY_LINE_MAX);
    buf_init(&l->after, LOGIN_LIST_MAX);
    buf_init(&l->text, LOGIN_TEXT_MAX);
    buf_init(&l->alerts, LOGIN_ALERTS_MAX);
    l->answer = (struct login_answer){ .outcome = LOGIN_SITE_FAULT, .why = "unfinished" };
    return l;
}

void login_free(struct login **l)
{
    if (*l == NULL)
        return;
    buf_fini(&(*l)->line);
    buf_fini(&(*l)->response);
    buf_fini(&(*l)->listed);
    buf_fini(&(*l)->after);
    buf_fini(&(*l)->text);
    buf_fini(&(*l)->alerts);
    explicit_bzero(*l, sizeof **l);
    free(*l);
    *l = NULL;
}

/* No form of any protocol carries NUL, and nothing but a literal could carry a line end in a name: not even tried. */
static bool can_be_said(const struct login *l)
{
    const struct login_order *o = l->order;
    return sasl_name_ok(o->user) && (o->authzid.n == 0 || sasl_name_ok(o->authzid)) &&
           !span_has(login_credential(l), '\0');
}

bool login_is_nobodys(const struct login *l)
{
    return l->order->credential == NULL;
}

/* Everything that was sent has been read. Bytes that are left came before the question; only the untagged lines of an
 * IMAP store that already took the credential may do that. */
static bool is_our_turn(struct login *l, struct span left)
{
    if (left.n > 0 && !(l->credential_sent && left.at[0] == '*'))
        login_fault(l, "unasked");
    return !l->ended;
}

static void send_line(struct login *l, struct buf *out)
{
    if (!l->ended) {
        if (!buf_add(out, buf_span(&l->line)))
            login_end(l, LOGIN_TEMPORARY, "no_memory");
        else
            l->credential_sent |= l->credential_in_line;
    }
    l->credential_in_line = false;
    buf_clear(&l->line);
}

static void speak(struct login *l, struct span left, struct buf *out)
{
    if (!is_our_turn(l, left))
        return;
    l->stands_ready = login_is_nobodys(l) && l->say == l->dialogue->login;
    if (l->stands_ready)
        return;
    login_say *say = l->say;
    l->say = NULL;
    say(l);
    l->withheld = !l->ended && l->credential_in_line && l->order->must_confirm && !l->confirmed;
    if (!l->withheld)
        send_line(l, out);
}

static enum login_step step(struct login *l)
{
    if (!l->ended)
        return l->handshake      ? LOGIN_START_TLS
               : l->stands_ready ? LOGIN_READY
               : l->withheld     ? LOGIN_CONFIRM
                                 : LOGIN_MORE;
    l->answer.credential_sent = l->credential_sent;
    l->answer.text = buf_span(&l->text);
    l->answer.capabilities = l->after.n > 0 ? buf_span(&l->after) : SPAN_NONE;
    l->answer.alerts = buf_span(&l->alerts);
    return LOGIN_DONE;
}

enum login_step login_feed(struct login *l, struct span *in, struct buf *out)
{
    if (!l->greeted && !login_is_nobodys(l) && !can_be_said(l))
        login_fault(l, "unwritable");
    while (!l->ended && !l->handshake && !l->withheld && l->dialogue->take(l, in))
        ;
    if (l->handshake && in->n > 0)
        login_fault(l, "bytes_after_starttls");
    if (!l->ended && l->say != NULL)
        speak(l, *in, out);
    return step(l);
}

/* What it said in clear is forgotten: whoever was in the middle could have said it. */
void login_start_tls(struct login *l)
{
    l->handshake = true;
    l->asked_list = l->xclient = l->has_mechanism = l->has_stls = false;
    buf_clear(&l->listed);
    buf_clear(&l->text);
    buf_clear(&l->alerts);
}

enum login_step login_protected(struct login *l, struct buf *out)
{
    assert(l->handshake || l->ended);
    if (!l->ended) {
        l->handshake = false;
        l->secured = true;
        l->dialogue->next(l);
    }
    if (!l->ended && l->say != NULL)
        speak(l, SPAN_NONE, out);
    return step(l);
}

enum login_step login_confirmed(struct login *l, struct span in, struct buf *out)
{
    assert(l->withheld || l->ended);
    l->confirmed = true;
    l->withheld = false;
    if (is_our_turn(l, in))
        send_line(l, out);
    return step(l);
}

enum login_step login_for(struct login *l, const struct login_order *order, struct buf *out)
{
    assert(l->stands_ready || l->ended);
    l->stands_ready = false;
    l->order = order;
    if (!can_be_said(l))
        login_fault(l, "unwritable");
    if (!l->ended) {
        l->dialogue->next(l); /* the mechanism may want a list that nobody needed */
        speak(l, SPAN_NONE, out);
    }
    return step(l);
}

bool login_wants_tls(const struct login *l, bool listed)
{
    if (l->secured)
        return false;
    return l->order->starttls || (l->order->starttls_if_offered && listed && !l->tls_refused);
}

bool login_count(struct login *l, size_t bytes)
{
    l->taken_bytes += bytes;
    if (l->taken_bytes > SITE_INPUT_MAX)
        login_fault(l, "too_much");
    return !l->ended;
}

void login_write(struct login *l, struct span s)
{
    if (!buf_add(&l->line, s))
        login_end(l, LOGIN_TEMPORARY, "no_memory");
}

enum sasl_mechanism login_mechanism(const struct login *l)
{
    return sasl_is_bearer(l->order->client_mechanism) ? l->order->client_mechanism : SASL_PLAIN;
}

struct span login_credential(const struct login *l)
{
    return secret_span(l->order->credential);
}

/* The count of front ends stops loops and so is told to everybody; who the client is, only over links that deserve it.
 */
struct forwarded login_forwarded(const struct login *l)
{
    const struct forwarded *all = l->order->forwarded;
    if (all == NULL)
        return (struct forwarded){ .ttl = -1 };
    return l->order->may_forward ? *all : (struct forwarded){ .ttl = all->ttl };
}

static bool write_message(struct login *l, struct buf *to)
{
    struct span user = l->order->user, authzid = l->order->authzid, credential = login_credential(l);
    struct span mailbox = authzid.n > 0 ? authzid : user; /* a token says by itself whose it is */
    switch (login_mechanism(l)) {
    case SASL_XOAUTH2:
        return sasl_xoauth2_write(to, mailbox, credential);
    case SASL_OAUTHBEARER:
        return sasl_oauthbearer_write(to, mailbox, credential);
    default:
        return sasl_plain_write(to, authzid, user, credential);
    }
}

bool login_respond(struct login *l)
{
    struct buf message;
    buf_init_secret(&message, LOGIN_LINE_MAX);
    if (!write_message(l, &message))
        login_fault(l, "unwritable");
    else if (!base64_encode(buf_span(&message), &l->response))
        login_end(l, LOGIN_TEMPORARY, "no_memory");
    buf_fini(&message);
    return !l->ended;
}

static void say_response(struct login *l)
{
    login_write(l, buf_span(&l->response));
    login_write(l, SPAN("\r\n"));
    l->credential_in_line = true;
    l->awaits = sasl_is_bearer(login_mechanism(l)) ? AWAITS_FAILURE : AWAITS_NOTHING;
}

void login_say_mechanism(struct login *l, bool response_too)
{
    l->awaits = AWAITS_RESPONSE;
    login_write(l, span_of(sasl_name(login_mechanism(l))));
    if (!response_too) {
        login_write(l, SPAN("\r\n"));
        return;
    }
    login_write(l, SPAN(" "));
    say_response(l);
}

/* The challenge holds the reason in JSON; the protocol wants a word of ours before it says NO. */
static void say_failure(struct login *l)
{
    l->awaits = AWAITS_NOTHING;
    login_write(l, login_mechanism(l) == SASL_OAUTHBEARER ? SPAN("AQ==\r\n") /* ^A, RFC 7628 3.2.3 */ : SPAN("\r\n"));
}

void login_continue(struct login *l)
{
    switch (l->awaits) {
    case AWAITS_RESPONSE:
        l->say = say_response;
        return;
    case AWAITS_FAILURE:
        l->say = say_failure;
        return;
    default:
        login_fault(l, "continuation");
    }
}

void login_end(struct login *l, enum login_outcome outcome, const char *why)
{
    if (l->ended)
        return;
    l->ended = true;
    l->handshake = false;
    l->answer.outcome = outcome;
    l->answer.why = why;
}

void login_fault(struct login *l, const char *why)
{
    if (!l->ended)
        buf_clear(&l->text); /* may be of a success that has just come to nothing */
    login_end(l, LOGIN_SITE_FAULT, why);
}

void login_in(struct login *l)
{
    login_end(l, LOGIN_IN, "ok");
}

const char *login_stage(const struct login *l)
{
    static const char *const names[] = {
        [AT_GREETING] = "greeting", [AT_STARTTLS] = "starttls", [AT_CAPABILITY] = "capability",
        [AT_LOGIN] = "login",       [AT_AFTER] = "after",
    };
    return names[l->stage];
}

bool login_greeted(const struct login *l)
{
    return l->greeted;
}

bool login_credential_sent(const struct login *l)
{
    return l->credential_sent;
}

const struct login_answer *login_answer(const struct login *l)
{
    return &l->answer;
}
