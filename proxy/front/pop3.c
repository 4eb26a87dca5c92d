/* POP3 before the login (RFC 1939, 2449, 2595, 3206, 5034): a table of commands, each with its handler. */
#include "proxy/front/dialogue.h"

#include "proxy/front/arrival.h"
#include "proxy/front/trace.h"

static bool say(struct session *s, const char *line)
{
    struct buf words;
    buf_init(&words, 512);
    bool good = buf_printf(&words, "%s\r\n", line) ? session_say(s, buf_span(&words)) : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool bad(struct session *s, const char *reason)
{
    struct buf words;
    buf_init(&words, 512);
    bool good =
        buf_printf(&words, "-ERR %s\r\n", reason) ? dialogue_error(s, buf_span(&words)) : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool goodbye(const char *reason, struct buf *to)
{
    return buf_printf(to, "-ERR [SYS/TEMP] %s\r\n", reason);
}

static bool refuse(struct session *s UNUSED, const struct outcome *o, struct buf *to)
{
    return outcome_write(o, POP3, to) && buf_add_text(to, "\r\n");
}

static bool welcome(struct session *s UNUSED, const struct login_answer *a, struct buf *to)
{
    return buf_add_text(to, "+OK ") && buf_add(to, a->text.n > 0 ? a->text : SPAN("Logged in.")) &&
           buf_add_text(to, "\r\n");
}

static void forget(struct session *s)
{
    secret_wipe(&s->signin->pop3_user);
    s->signin->has_pop3_user = false;
}

/* ---- commands ---- */

static bool do_capa(struct session *s, const struct pop3_command *c UNUSED)
{
    return session_say(s, span_of(s->port->capabilities[conn_is_tls(s->client)]));
}

static bool do_quit(struct session *s, const struct pop3_command *c UNUSED)
{
    session_finish(s, WHY_LOGOUT, SPAN("+OK Good-bye.\r\n"));
    return false;
}

static bool do_noop(struct session *s, const struct pop3_command *c UNUSED)
{
    return bad(s, "Sign in first.");
}

static bool do_stls(struct session *s, const struct pop3_command *c)
{
    if (c->argument.n > 0)
        return bad(s, "STLS takes no argument.");
    if (!dialogue_may_start_tls(s))
        return bad(s, conn_is_tls(s->client) ? "TLS is already in force." : "This port has no TLS.");
    return dialogue_start_tls(s, SPAN("+OK Begin TLS now.\r\n"));
}

static bool do_user(struct session *s, const struct pop3_command *c)
{
    struct signin *in = s->signin;
    if (dialogue_must_protect(s))
        return dialogue_tls_first(s);
    if (!front.taken[SASL_NONE])
        return bad(s, "Passwords are of no use here; sign in with a token.");
    forget(s);
    if (!sasl_name_ok(c->argument) || !secret_set(&in->pop3_user, c->argument))
        return bad(s, "That user name cannot be used.");
    in->has_pop3_user = true;
    return say(s, "+OK Now the password.");
}

static bool do_pass(struct session *s, const struct pop3_command *c)
{
    struct signin *in = s->signin;
    if (dialogue_must_protect(s))
        return dialogue_tls_first(s);
    if (!in->has_pop3_user)
        return bad(s, "USER comes first.");
    struct span password = c->argument.at != NULL ? c->argument : SPAN_NONE;
    bool good = !span_has(password, '\0') && !span_has(password, '\r') &&
                credentials_set(&in->credentials, SASL_NONE, secret_span(&in->pop3_user), SPAN_NONE, password);
    forget(s);
    if (!good)
        return bad(s, "That password cannot be sent.");
    signin_start(s);
    return false;
}

static bool list_mechanisms(struct session *s)
{
    struct buf words;
    buf_init(&words, 512);
    bool good = buf_add_text(&words, "+OK These can be used.\r\n");
    for (enum sasl_mechanism m = SASL_NONE + 1; good && m < SASL_MECHANISMS; m++)
        good = !dialogue_offers(m) || buf_printf(&words, "%s\r\n", sasl_name(m));
    good = good && buf_add_text(&words, ".\r\n") ? session_say(s, buf_span(&words)) : session_out_of_memory(s);
    buf_fini(&words);
    return good;
}

static bool do_auth(struct session *s, const struct pop3_command *c)
{
    struct signin *in = s->signin;
    const char *challenge = "";
    struct span rest = c->argument, mechanism, initial;
    if (dialogue_must_protect(s))
        return dialogue_tls_first(s);
    if (rest.at == NULL || !span_word(&rest, &mechanism))
        return list_mechanisms(s);
    bool has_initial = span_word(&rest, &initial);
    enum sasl_mechanism m = sasl_find(mechanism);
    if (m == SASL_NONE || !dialogue_takes(m) || rest.n > 0)
        return bad(s, "That mechanism is not offered.");
    enum exchange_step step =
        exchange_begin(&in->exchange, m, has_initial ? initial : SPAN_NONE, &in->credentials, &challenge);
    return dialogue_exchange(s, step, challenge);
}

/* A front end before us tells who the client is; believed as the ID keys of IMAP are. */
static bool do_xclient(struct session *s, struct span argument)
{
    struct forwarded told = { .ttl = -1 };
    if (!forwarded_take_xclient(&told, argument))
        return bad(s, "XCLIENT cannot be understood.");
    arrival_believe(s, &told);
    return say(s, "+OK");
}

static bool do_unknown(struct session *s, const struct pop3_command *c)
{
    if (span_eq_nocase(c->name, SPAN("XCLIENT")) && c->argument.at != NULL)
        return do_xclient(s, c->argument);
    if (dialogue_is_stranger(c->name))
        return dialogue_stranger(s);
    return bad(s, "Sign in first; before that there are CAPA, STLS, USER, PASS, AUTH and QUIT.");
}

static bool (*const commands[])(struct session *, const struct pop3_command *) = {
    [POP3_UNKNOWN] = do_unknown, [POP3_CAPA] = do_capa, [POP3_STLS] = do_stls, [POP3_USER] = do_user,
    [POP3_PASS] = do_pass,       [POP3_AUTH] = do_auth, [POP3_QUIT] = do_quit, [POP3_NOOP] = do_noop,
};

/* ---- input ---- */

static bool has_long_lines(struct span input)
{
    return span_starts_nocase(input, SPAN("AUTH ")) || (input.n < 5 && span_starts_nocase(SPAN("AUTH "), input));
}

static bool read_command(struct session *s)
{
    struct signin *in = s->signin;
    struct pop3_command c;
    struct span line, input = buf_span(&in->in);
    size_t used;
    size_t most = has_long_lines(input) ? (size_t)front.config->limits.sasl_bytes : POP3_LINE_MAX;
    enum line_read got = line_read(input, most, &line, &used);
    if (got == LINE_MORE)
        return false;
    if (got == LINE_TOO_LONG) {
        buf_clear(&in->in);
        return dialogue_last_words(s, WHY_PROTOCOL, SPAN_NONE, "That line is too long.");
    }
    /* The line is taken before its command runs: STLS must see what came behind it. Its bytes stay where they are until
     * then. */
    struct buf kept;
    buf_init_secret(&kept, used);
    bool good = buf_add(&kept, line);
    buf_take(&in->in, used);
    if (!good)
        session_close(s, WHY_MEMORY);
    else if (!pop3_command_parse(buf_span(&kept), &c))
        good = bad(s, "That is not a command.");
    else {
        trace_pop3(s, c.verb);
        good = commands[c.verb](s, &c);
    }
    buf_fini(&kept);
    return good;
}

const struct dialogue pop3_dialogue = { .command = read_command,
                                        .stranger = "-ERR This is a POP3 server; it speaks neither SMTP nor HTTP.\r\n",
                                        .refuse = refuse,
                                        .welcome = welcome,
                                        .goodbye = goodbye,
                                        .bad = bad,
                                        .forget = forget };
