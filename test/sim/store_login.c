/* Mail stores up to the login: they greet, list what they can do, and look at what they are given. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "proxy/wire/pop3.h"
#include "test/sim/store_inside.h"

static bool takes(const struct store *s, enum sasl_mechanism m)
{
    return (site_facts[s->plan->site].mechanisms & 1U << m) != 0;
}

static const char *list_of(const struct store *s)
{
    static char list[200];
    bool offers_tls = site_facts[s->plan->site].starttls && !s->link->peer_tls;
    snprintf(list, sizeof list, "IMAP4rev1%s%s%s%s%s%s", offers_tls ? " STARTTLS" : "", s->plain ? " AUTH=PLAIN" : "",
             takes(s, SASL_XOAUTH2) ? " AUTH=XOAUTH2" : "", takes(s, SASL_OAUTHBEARER) ? " AUTH=OAUTHBEARER" : "",
             s->initial_response ? " SASL-IR" : "", s->literal_plus ? " LITERAL+" : " ID");
    return list;
}

static void begin_session(struct store *s)
{
    s->phase = ST_SESSION;
    s->let_in = true;
    store_answered(s);
    if (s->plan->protocol == IMAP && random_below(3) == 0) {
        store_says_line(s, "* 3 RECENT\r\n"); /* at once, and unasked */
        store_answered(s);
    }
}

/* ---- the login ---- */

/* What is right for it: what the client has, what auth gave instead, or the master's. */
static enum form right_form(const struct plan *p)
{
    return site_facts[p->site].master ? FORM_MASTER : p->form_n[FORM_GIVEN] > 0 ? FORM_GIVEN : FORM_PASSWORD;
}

static void require_user(const struct store *s, struct span authzid, struct span user)
{
    char both[60];
    const struct site_fact *site = &site_facts[s->plan->site];
    snprintf(both, sizeof both, "%s*" MASTER_USER, s->awaited);
    bool opens = site->master && !site->star;
    SIM_REQUIRE(span_eq(authzid, opens ? span_of(s->awaited) : SPAN_NONE));
    SIM_REQUIRE(span_eq(user, opens ? SPAN(MASTER_USER) : site->master ? span_of(both) : span_of(s->awaited)));
}

/* What it was given is of the session that dialled it, through a link that may carry it, and no other store has been
 * given it; and nobody is let in by the master whom auth has not found to be who he says. */
static bool judge(struct store *s, struct span authzid, struct span user, struct span secret)
{
    const struct plan *p = s->plan;
    enum form form = right_form(p);
    unsigned *judged = &slots[s->link->slot].judged;
    SIM_REQUIRE((*judged & 1U << s->attempt) == 0 || p->client_fault == FAULT_GARBAGE);
    *judged |= 1U << s->attempt;
    SIM_REQUIRE(s->link->peer_tls || s->link->may_be_clear);
    SIM_REQUIRE(p->judged || form != FORM_MASTER);
    require_user(s, authzid, user);
    bool right = span_eq(secret, span_of(p->forms[form]));
    bool wrong = form == FORM_PASSWORD && span_eq(secret, span_of(p->forms[FORM_WRONG]));
    SIM_REQUIRE(right || (wrong && !p->judged) || p->client_fault == FAULT_GARBAGE);
    return right && !p->refuses_master;
}

static void answer_imap(struct store *s, struct span tag, bool right)
{
    if (!right) {
        store_says_line(s, "%.*s NO [AUTHENTICATIONFAILED] no\r\n", SPAN_ARG(tag));
        return;
    }
    if (s->lists_after) {
        store_says_line(s, "%.*s OK [CAPABILITY %s] in\r\n", SPAN_ARG(tag), list_of(s));
        begin_session(s);
        return;
    }
    store_says_line(s, "%.*s OK in\r\n", SPAN_ARG(tag));
    s->phase = ST_LIST;
}

static bool judge_response(struct store *s, struct span text)
{
    char room[400];
    struct buf message, name = { .at = room, .room = sizeof room, .max = sizeof room };
    struct sasl_identity who = { 0 };
    bool bearer = sasl_is_bearer(s->mechanism);
    buf_init_secret(&message, STORE_SASL_LINE);
    SIM_REQUIRE(base64_decode(text, &message));
    struct span bytes = buf_span(&message);
    SIM_REQUIRE(s->mechanism == SASL_PLAIN     ? sasl_plain_parse(bytes, &who)
                : s->mechanism == SASL_XOAUTH2 ? sasl_xoauth2_parse(bytes, &who)
                                               : sasl_oauthbearer_parse(bytes, &name, &who));
    SIM_REQUIRE(!bearer || s->plan->mechanism == s->mechanism);
    bool right = judge(s, who.authzid, who.authcid, bearer ? who.token : who.password);
    buf_fini(&message);
    return right;
}

void store_keeps_tag(struct store *s, struct span tag)
{
    SIM_REQUIRE(tag.n < sizeof s->tag);
    memset(s->tag, 0, sizeof s->tag);
    memcpy(s->tag, tag.at, tag.n);
}

static void answer_pop3(struct store *s, bool right)
{
    if (!right)
        store_says_line(s, "-ERR [AUTH] no\r\n");
    else {
        store_says_line(s, "+OK in\r\n");
        begin_session(s);
    }
}

static void answer(struct store *s, bool right)
{
    if (s->plan->protocol == IMAP)
        answer_imap(s, span_of(s->tag), right);
    else
        answer_pop3(s, right);
}

/* The token is wrong: many stores say so in a challenge first, which wants a line (RFC 7628 3.2.3). */
static void answer_response(struct store *s, bool right)
{
    s->challenged = !right && sasl_is_bearer(s->mechanism) && random_below(3) > 0;
    if (s->challenged)
        store_says_line(s, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
    else
        answer(s, right);
}

static void begin_exchange(struct store *s, struct span mechanism, struct span initial)
{
    s->mechanism = sasl_find(mechanism);
    SIM_REQUIRE(s->mechanism == SASL_PLAIN ? s->plain : takes(s, s->mechanism));
    if (initial.n > 0) {
        answer_response(s, judge_response(s, initial));
        return;
    }
    s->awaits_response = true;
    store_says_line(s, "+ \r\n");
}

static void start_tls(struct store *s)
{
    SIM_REQUIRE(!s->link->peer_tls && s->in.n == 0);
    s->starts_tls = true;
}

static void do_imap(struct store *s, const struct imap_command *c)
{
    switch (c->verb) {
    case IMAP_CAPABILITY:
        store_says_line(s, "* CAPABILITY %s\r\n%.*s OK done\r\n", list_of(s), SPAN_ARG(c->tag));
        if (s->phase == ST_LIST)
            begin_session(s);
        break;
    case IMAP_ID:
        store_says_line(s, "* ID NIL\r\n%.*s OK done\r\n", SPAN_ARG(c->tag));
        break;
    case IMAP_STARTTLS:
        store_says_line(s, "%.*s OK begin\r\n", SPAN_ARG(c->tag));
        start_tls(s);
        break;
    case IMAP_LOGIN:
        answer_imap(s, c->tag, judge(s, SPAN_NONE, c->words[0], c->words[1]));
        break;
    case IMAP_AUTHENTICATE:
        store_keeps_tag(s, c->tag);
        begin_exchange(s, c->words[0], c->n_words == 2 ? c->words[1] : SPAN_NONE);
        break;
    default:
        SIM_REQUIRE(c->verb == IMAP_NOOP || c->verb == IMAP_LOGOUT);
        store_says_line(s, "%.*s OK done\r\n", SPAN_ARG(c->tag));
    }
}

static bool read_imap(struct store *s)
{
    struct imap_command c = { 0 };
    imap_problem problem = "";
    struct span in = buf_span(&s->in);
    enum imap_got got = imap_reader_next(&s->reader, &in, &c, &problem);
    buf_take(&s->in, s->in.n - in.n);
    SIM_REQUIRE(got == IMAP_MORE || got == IMAP_GO_AHEAD || got == IMAP_COMMAND);
    if (got == IMAP_GO_AHEAD)
        store_says_line(s, "+ go\r\n");
    if (got == IMAP_COMMAND)
        do_imap(s, &c);
    return got != IMAP_MORE;
}

static void do_pop3(struct store *s, const struct pop3_command *c)
{
    struct span rest = c->argument, mechanism, word;
    switch (c->verb) {
    case POP3_CAPA:
        store_says_line(s, "+OK\r\nUIDL\r\n%s%s%s%s%s.\r\n", s->plain ? "SASL PLAIN" : "SASL X-NONE",
                        takes(s, SASL_XOAUTH2) ? " XOAUTH2" : "",
                        takes(s, SASL_OAUTHBEARER) ? " OAUTHBEARER\r\n" : "\r\n", s->plain ? "" : "USER\r\n",
                        site_facts[s->plan->site].starttls && !s->link->peer_tls ? "STLS\r\n" : "");
        break;
    case POP3_STLS:
        store_says_line(s, "+OK begin\r\n");
        start_tls(s);
        break;
    case POP3_USER:
        snprintf(s->user, sizeof s->user, "%.*s", SPAN_ARG(c->argument));
        store_says_line(s, "+OK\r\n");
        break;
    case POP3_PASS:
        answer_pop3(s, judge(s, SPAN_NONE, span_of(s->user), c->argument));
        break;
    case POP3_AUTH:
        SIM_REQUIRE(span_word(&rest, &mechanism));
        begin_exchange(s, mechanism, span_word(&rest, &word) ? word : SPAN_NONE);
        break;
    default:
        store_says_line(s, "-ERR what\r\n");
    }
}

static bool read_pop3(struct store *s)
{
    struct span line;
    struct pop3_command c;
    size_t used;
    if (!store_reads_line(s, &line, &used))
        return false;
    SIM_REQUIRE(pop3_command_parse(line, &c));
    char *copy = span_copy(line); /* what it says may begin the session, whose bytes are behind */
    SIM_REQUIRE(copy != NULL && pop3_command_parse(span_bytes(copy, line.n), &c));
    buf_take(&s->in, used);
    do_pop3(s, &c);
    free(copy);
    return true;
}

static bool read_response(struct store *s)
{
    struct span line;
    size_t used;
    if (!store_reads_line(s, &line, &used))
        return false;
    bool was_challenged = s->challenged;
    s->awaits_response = s->challenged = false;
    bool right = !was_challenged && judge_response(s, line);
    buf_take(&s->in, used);
    if (was_challenged)
        answer(s, false);
    else
        answer_response(s, right);
    return true;
}

bool store_reads_login(struct store *s)
{
    if (s->awaits_response || s->challenged)
        return read_response(s);
    return s->plan->protocol == IMAP ? read_imap(s) : read_pop3(s);
}

void store_greets(struct store *s)
{
    s->phase = ST_LOGIN;
    if (s->plan->protocol == POP3)
        store_says_line(s, "+OK ready\r\n");
    else if (s->lists_in_greeting)
        store_says_line(s, "* OK [CAPABILITY %s] ready\r\n", list_of(s));
    else
        store_says_line(s, "* OK ready\r\n");
}
