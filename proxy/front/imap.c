/* IMAP4 before the login (RFC 9051 6.1, 6.2; RFC 3501, 2971, 4959, 7888): a table of commands, each with its handler.
 * What is offered is made from the same facts that the handlers look at (ports.c). */
#include "proxy/front/dialogue.h"

#include <stdlib.h>

#include "proxy/front/arrival.h"
#include "proxy/front/trace.h"

/* ---- answers ---- */

static bool answer(struct session *s, const char *status, const char *text)
{
    struct buf words;
    buf_init(&words, 1024);
    bool good = buf_printf(&words, "%s %s %s\r\n", s->signin->tag, status, text) ? session_say(s, buf_span(&words))
                                                                                 : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool bad(struct session *s, const char *reason)
{
    struct buf words;
    buf_init(&words, 1024);
    bool good = buf_printf(&words, "%s BAD %s\r\n", s->signin->tag, reason) ? dialogue_error(s, buf_span(&words))
                                                                            : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool no(struct session *s, const char *reason)
{
    struct buf words;
    buf_init(&words, 1024);
    bool good = buf_printf(&words, "%s NO [CANNOT] %s\r\n", s->signin->tag, reason)
                    ? dialogue_error(s, buf_span(&words))
                    : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool goodbye(const char *reason, struct buf *to)
{
    return buf_printf(to, "* BYE %s\r\n", reason);
}

static bool refuse(struct session *s, const struct outcome *o, struct buf *to)
{
    const struct login *login = s->signin->login;
    bool good = o->kind != OUTCOME_SAYS || login == NULL || buf_add(to, login_answer(login)->alerts);
    return good && buf_printf(to, "%s ", s->signin->tag) && outcome_write(o, IMAP, to) && buf_add_text(to, "\r\n");
}

/* The store's own OK under the client's tag, with the store's own capabilities. */
/* A store that has no CAPABILITY knows the base and what its site declares: without a list here, the client would go on
 * using what this front end can do itself, which the store never heard of. */
static bool add_list(const struct session *s, const struct login_answer *a, struct buf *to)
{
    struct span declared = span_of(s->signin->site->config->capabilities);
    if (a->capabilities.at != NULL)
        return buf_add(to, a->capabilities);
    return buf_add_text(to, declared.n > 0 ? "IMAP4rev1 " : "IMAP4rev1") && buf_add(to, declared);
}

static bool welcome(struct session *s, const struct login_answer *a, struct buf *to)
{
    struct span text = a->text.n > 0 ? a->text : SPAN("Logged in.");
    return buf_add(to, a->alerts) && buf_printf(to, "%s OK [CAPABILITY ", s->signin->tag) && add_list(s, a, to) &&
           buf_add_text(to, "] ") && buf_add(to, text) && buf_add_text(to, "\r\n");
}

static void forget(struct session *s)
{
    imap_reader_reset(&s->signin->imap);
    free(s->client_name);
    s->client_name = NULL;
}

/* ---- commands ---- */

static bool do_capability(struct session *s, const struct imap_command *c UNUSED)
{
    struct buf words;
    buf_init(&words, 4096);
    bool good = buf_printf(&words, "* CAPABILITY %s\r\n%s OK Completed.\r\n",
                           s->port->capabilities[conn_is_tls(s->client)], s->signin->tag)
                    ? session_say(s, buf_span(&words))
                    : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool do_noop(struct session *s, const struct imap_command *c UNUSED)
{
    return answer(s, "OK", "Completed.");
}

static bool do_logout(struct session *s, const struct imap_command *c UNUSED)
{
    struct buf words;
    buf_init(&words, 1024);
    if (buf_printf(&words, "* BYE Good-bye.\r\n%s OK Completed.\r\n", s->signin->tag))
        session_finish(s, WHY_LOGOUT, buf_span(&words));
    else
        session_close(s, WHY_MEMORY);
    buf_fini(&words);
    return false;
}

static bool do_starttls(struct session *s, const struct imap_command *c UNUSED)
{
    struct buf words;
    if (!dialogue_may_start_tls(s))
        return bad(s, conn_is_tls(s->client) ? "TLS is already in force." : "This port has no TLS.");
    buf_init(&words, 1024);
    bool good = buf_printf(&words, "%s OK Begin TLS now.\r\n", s->signin->tag) ? dialogue_start_tls(s, buf_span(&words))
                                                                               : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

/* ---- ID ---- */

static bool is_forwarding_key(struct span key)
{
    return span_starts_nocase(key, SPAN("x-originating-")) || span_starts_nocase(key, SPAN("x-connected-")) ||
           span_eq_nocase(key, SPAN("x-session-id")) || span_eq_nocase(key, SPAN("x-proxy-ttl"));
}

/* Passed on to the store as long as it fits: what a client says of itself helps its admin. */
static void keep_pair(struct session *s, struct span key, struct span value)
{
    struct buf *id = &s->signin->client_id;
    struct buf pair;
    if (!imap_fits_quoted(key) || !imap_fits_quoted(value))
        return;
    buf_init(&pair, 4096);
    /* Whole or not at all: when it is full, the pairs that are there already are worth keeping. */
    bool kept UNUSED = (id->n == 0 || buf_add_byte(&pair, ' ')) &&
                       imap_write_argument(&pair, key, IMAP_SYNC_ONLY) == IMAP_WRITTEN && buf_add_byte(&pair, ' ') &&
                       imap_write_argument(&pair, value, IMAP_SYNC_ONLY) == IMAP_WRITTEN &&
                       buf_add(id, buf_span(&pair));
    buf_fini(&pair);
}

static void keep_name(struct session *s, struct span name, struct span version)
{
    struct buf words;
    buf_init(&words, 128);
    if (buf_add(&words, span_first(name, 48)) && (version.n == 0 || buf_add_byte(&words, ' ')) &&
        buf_add(&words, span_first(version, 32))) {
        free(s->client_name);
        s->client_name = span_copy(buf_span(&words));
    }
    buf_fini(&words);
}

static bool do_id(struct session *s, const struct imap_command *c)
{
    struct forwarded told = { .ttl = -1 };
    struct span name = SPAN_NONE, version = SPAN_NONE;
    buf_clear(&s->signin->client_id);
    for (size_t i = 0; i + 1 < c->n_words; i += 2) {
        struct span key = c->words[i], value = c->words[i + 1];
        if (value.at == NULL)
            continue;
        if (is_forwarding_key(key)) {
            forwarded_take_id(&told, key, value);
            continue;
        }
        if (span_eq_nocase(key, SPAN("name")))
            name = value;
        if (span_eq_nocase(key, SPAN("version")))
            version = value;
        keep_pair(s, key, value);
    }
    if (name.n > 0)
        keep_name(s, name, version);
    arrival_believe(s, &told);
    struct buf words;
    buf_init(&words, 1024);
    bool good = buf_printf(&words, "* ID (\"name\" \"Homeward\")\r\n%s OK Completed.\r\n", s->signin->tag)
                    ? session_say(s, buf_span(&words))
                    : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

/* ---- credentials ---- */

static bool do_authenticate(struct session *s, const struct imap_command *c)
{
    const char *challenge = "";
    struct signin *in = s->signin;
    enum sasl_mechanism m = sasl_find(c->words[0]);
    if (dialogue_must_protect(s))
        return dialogue_tls_first(s);
    if (m == SASL_NONE || !dialogue_takes(m))
        return no(s, "That mechanism is not offered.");
    struct span initial = c->n_words > 1 ? c->words[1] : SPAN_NONE;
    enum exchange_step step = exchange_begin(&in->exchange, m, initial, &in->credentials, &challenge);
    imap_reader_reset(&in->imap); /* the initial response is a credential: wiped at once */
    return dialogue_exchange(s, step, challenge);
}

static bool do_login(struct session *s, const struct imap_command *c)
{
    struct signin *in = s->signin;
    if (dialogue_must_protect(s)) {
        imap_reader_reset(&in->imap);
        return dialogue_tls_first(s);
    }
    if (!front.taken[SASL_NONE]) {
        imap_reader_reset(&in->imap);
        return no(s, "Passwords are of no use here; sign in with a token.");
    }
    bool good = credentials_set(&in->credentials, SASL_NONE, c->words[0], SPAN_NONE, c->words[1]);
    imap_reader_reset(&in->imap);
    if (!good)
        return bad(s, "That user name cannot be used.");
    signin_start(s);
    return false;
}

static bool do_unknown(struct session *s, const struct imap_command *c)
{
    if (dialogue_is_stranger(c->tag))
        return dialogue_stranger(s);
    return bad(s,
               "Sign in first; before that there are CAPABILITY, NOOP, LOGOUT, ID, STARTTLS, AUTHENTICATE and LOGIN.");
}

static bool (*const commands[])(struct session *, const struct imap_command *) = {
    [IMAP_UNKNOWN] = do_unknown, [IMAP_CAPABILITY] = do_capability,
    [IMAP_NOOP] = do_noop,       [IMAP_LOGOUT] = do_logout,
    [IMAP_ID] = do_id,           [IMAP_STARTTLS] = do_starttls,
    [IMAP_LOGIN] = do_login,     [IMAP_AUTHENTICATE] = do_authenticate,
};

/* ---- input ---- */

static void keep_tag(struct session *s, struct span tag)
{
    struct signin *in = s->signin;
    size_t n = tag.n < sizeof in->tag ? tag.n : sizeof in->tag - 1;
    memset(in->tag, 0, sizeof in->tag);
    if (n > 0)
        memcpy(in->tag, tag.at, n);
}

static bool not_a_command(struct session *s, const struct imap_command *c, const char *problem)
{
    if (dialogue_is_stranger(c->tag) || dialogue_is_stranger(c->name))
        return do_unknown(s, c);
    return bad(s, problem);
}

/* A password that may not be sent yet is not asked for. */
static bool go_ahead(struct session *s, enum imap_verb verb)
{
    if (verb != IMAP_LOGIN || !dialogue_must_protect(s))
        return session_say(s, SPAN("+ Go ahead.\r\n"));
    imap_reader_reset(&s->signin->imap);
    return dialogue_tls_first(s);
}

static bool read_command(struct session *s)
{
    struct signin *in = s->signin;
    struct imap_command c = { 0 };
    const char *problem = "";
    struct span input = buf_span(&in->in);
    size_t had = input.n;
    enum imap_got got = imap_reader_next(&in->imap, &input, &c, &problem);
    buf_take(&in->in, had - input.n);
    if (got == IMAP_MORE)
        return false;
    keep_tag(s, c.tag);
    if (got == IMAP_GO_AHEAD)
        return go_ahead(s, c.verb);
    trace_imap(s, got == IMAP_COMMAND ? c.verb : IMAP_UNKNOWN);
    if (got == IMAP_COMMAND)
        return commands[c.verb](s, &c);
    if (got == IMAP_BAD)
        return not_a_command(s, &c, problem);
    struct buf words;
    buf_init(&words, 1024);
    if (buf_printf(&words, "%s BAD %s\r\n", in->tag, problem))
        dialogue_last_words(s, WHY_PROTOCOL, buf_span(&words), "What follows cannot be understood.");
    else
        session_close(s, WHY_MEMORY);
    buf_fini(&words);
    return false;
}

const struct dialogue imap_dialogue = { .command = read_command,
                                        .stranger =
                                            "* BYE This is an IMAP4 server; it speaks neither SMTP nor HTTP.\r\n",
                                        .refuse = refuse,
                                        .welcome = welcome,
                                        .goodbye = goodbye,
                                        .bad = bad,
                                        .forget = forget };
