/* Steps that both dialogues share: errors are counted, strangers are shown the door, TLS is started. */
#include "proxy/front/dialogue.h"

#include "proxy/front/arrival.h"
#include "proxy/net/loop.h"

const struct dialogue *const dialogues[PROTOCOLS] = { [IMAP] = &imap_dialogue, [POP3] = &pop3_dialogue };

bool dialogue_last_words(struct session *s, enum why why, struct span answer, const char *reason)
{
    struct buf words;
    buf_init(&words, 2048);
    if (buf_add(&words, answer) && dialogues[s->protocol]->goodbye(reason, &words))
        session_finish(s, why, buf_span(&words));
    else
        session_close(s, WHY_MEMORY);
    buf_fini(&words);
    return false;
}

bool dialogue_error(struct session *s, struct span answer)
{
    if (++s->signin->errors < front.config->limits.errors)
        return session_say(s, answer);
    return dialogue_last_words(s, WHY_ERRORS, answer, "Too many unusable commands.");
}

/* The first words of SMTP, HTTP and their relatives (cross-protocol attacks: RFC 9110 and 5321 know them). */
bool dialogue_is_stranger(struct span word)
{
    static const char *const words[] = { "EHLO", "HELO",   "LHLO",    "MAIL",    "RCPT",  "GET",   "POST", "PUT",
                                         "HEAD", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE", "PRI",  "SSH-2.0" };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (span_eq_nocase(word, span_of(words[i])))
            return true;
    return false;
}

bool dialogue_stranger(struct session *s)
{
    session_finish(s, WHY_PROTOCOL, span_of(dialogues[s->protocol]->stranger));
    return false;
}

bool dialogue_may_start_tls(const struct session *s)
{
    return s->port->config->tls == TLS_MODE_STARTTLS && !conn_is_tls(s->client);
}

bool dialogue_must_protect(const struct session *s)
{
    return !conn_is_tls(s->client) && !s->port->config->clear_login;
}

bool dialogue_tls_first(struct session *s)
{
    struct buf words;
    struct outcome o = { .kind = OUTCOME_TLS_FIRST };
    buf_init(&words, 1024);
    bool good =
        dialogues[s->protocol]->refuse(s, &o, &words) ? dialogue_error(s, buf_span(&words)) : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

/* RFC 9051 6.2.1: bytes that came behind the command were sent before TLS and must never be read inside it. */
bool dialogue_start_tls(struct session *s, struct span go_ahead)
{
    struct signin *in = s->signin;
    if (in->in.n > 0) {
        session_close(s, WHY_INJECTION);
        return false;
    }
    if (!session_say(s, go_ahead))
        return false;
    if (in->out.n > 0) { /* it asks but does not listen: the go-ahead must be out before the handshake */
        session_close(s, WHY_CLIENT_CUT);
        return false;
    }
    dialogues[s->protocol]->forget(s);
    exchange_end(&in->exchange);
    credentials_wipe(&in->credentials);
    buf_fini(&in->client_id);
    arrival_doubt(s);
    session_enter(s, S_TLS);
    conn_watch(s->client, WATCH_READ);
    return false; /* nothing more is read from here */
}

bool dialogue_offers(enum sasl_mechanism m)
{
    return m != SASL_NONE && front.offered[m];
}

bool dialogue_takes(enum sasl_mechanism m)
{
    return m != SASL_NONE && front.taken[m];
}

static bool say_challenge(struct session *s, const char *challenge)
{
    struct buf words;
    buf_init(&words, 256);
    bool good = buf_printf(&words, "+ %s\r\n", challenge) ? session_say(s, buf_span(&words)) : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

bool dialogue_exchange(struct session *s, enum exchange_step step, const char *challenge)
{
    struct outcome refused = { .kind = OUTCOME_REFUSED };
    switch (step) {
    case EXCHANGE_CHALLENGE:
        return say_challenge(s, challenge);
    case EXCHANGE_DONE:
        signin_start(s);
        return false; /* perhaps gone; if not, its answer reads on */
    case EXCHANGE_REFUSED:
        return dialogue_refuse(s, &refused);
    case EXCHANGE_CANCELLED:
        return dialogues[s->protocol]->bad(s, "The exchange was cancelled.");
    case EXCHANGE_BAD:
        break;
    }
    return dialogues[s->protocol]->bad(s, "That is not what the mechanism defines.");
}

bool dialogue_refuse(struct session *s, const struct outcome *o)
{
    struct buf words;
    buf_init(&words, 2048);
    bool good = dialogues[s->protocol]->refuse(s, o, &words);
    if (!good)
        session_close(s, WHY_MEMORY);
    else if (s->signin->failures >= front.config->limits.failed_logins)
        good = dialogue_last_words(s, WHY_FAILURES, buf_span(&words), "Too many failed logins.");
    else
        good = session_say(s, buf_span(&words));
    buf_fini(&words);
    return good;
}

/* A SASL response is one line of either protocol. */
bool dialogue_exchange_line(struct session *s)
{
    struct signin *in = s->signin;
    struct span line;
    const char *challenge = "";
    size_t used;
    switch (line_read(buf_span(&in->in), (size_t)front.config->limits.sasl_bytes, &line, &used)) {
    case LINE_MORE:
        return false;
    case LINE_TOO_LONG:
        exchange_end(&in->exchange);
        return dialogue_last_words(s, WHY_PROTOCOL, SPAN_NONE, "That line is too long.");
    case LINE_READ:
        break;
    }
    enum exchange_step step = exchange_line(&in->exchange, line, &in->credentials, &challenge);
    buf_take(&in->in, used);
    return dialogue_exchange(s, step, challenge);
}

/* Noise of other protocols in the very first byte: a TLS record where none belongs, a NUL. */
static bool is_noise(struct span first)
{
    return first.n > 0 && (unsigned char)first.at[0] < 0x20 && first.at[0] != '\r' && first.at[0] != '\n';
}

void dialogue_input(struct session *s)
{
    struct signin *in = s->signin;
    bool first = !in->spoken;
    in->spoken = true;
    if (first && is_noise(buf_span(&in->in))) {
        dialogue_stranger(s);
        return;
    }
    while (in->in.n > 0 && !arrival_is_behind(s))
        if (!(in->exchange.mechanism != SASL_NONE ? dialogue_exchange_line(s) : dialogues[s->protocol]->command(s)))
            return;
}
