/* Tracing. Everything costs nothing while nobody traces. */
#include "proxy/front/trace.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/front/process.h"
#include "proxy/front/signin.h"
#include "proxy/net/loop.h"

enum { TRACES_MAX = 4, PATTERN_MAX = 320, EARLY_MAX = 4096, WORD_MAX = 16, LINE_MAX = 1024, SECONDS_MAX = 3600 };

struct trace {
    int fd;                 /* -1: not in use */
    char user[PATTERN_MAX]; /* "": the network decides */
    struct network network;
    struct alarm end;
    uint64_t lost; /* lines for which the reader was too slow */
};
static struct trace traces[TRACES_MAX] = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 } };
static size_t n_traces;

struct trace_note {
    unsigned by; /* traces that this session belongs to: bits */
    struct buf early;
    const char *stage; /* of the dialogue with the store, when it was last noted */
    struct follow_words {
        struct follow_line line;
        size_t word, n;
        char text[WORD_MAX];
    } up, down;
};

/* ---- what may be written ---- */

static const char *const imap_verbs[] = {
    [IMAP_UNKNOWN] = "(unknown)",
    [IMAP_CAPABILITY] = "CAPABILITY",
    [IMAP_NOOP] = "NOOP",
    [IMAP_LOGOUT] = "LOGOUT",
    [IMAP_ID] = "ID",
    [IMAP_STARTTLS] = "STARTTLS",
    [IMAP_LOGIN] = "LOGIN",
    [IMAP_AUTHENTICATE] = "AUTHENTICATE",
};
static const char *const pop3_verbs[] = {
    [POP3_UNKNOWN] = "(unknown)", [POP3_CAPA] = "CAPA", [POP3_STLS] = "STLS", [POP3_USER] = "USER",
    [POP3_PASS] = "PASS",         [POP3_AUTH] = "AUTH", [POP3_QUIT] = "QUIT", [POP3_NOOP] = "NOOP",
};
/* Commands after the login, and status words of stores. */
static const char *const relay_words[] = {
    "CAPABILITY",  "NOOP",     "LOGOUT", "SELECT", "EXAMINE",  "CREATE",       "DELETE", "RENAME",    "SUBSCRIBE",
    "UNSUBSCRIBE", "LIST",     "LSUB",   "STATUS", "APPEND",   "CHECK",        "CLOSE",  "EXPUNGE",   "SEARCH",
    "FETCH",       "STORE",    "COPY",   "MOVE",   "UID",      "IDLE",         "ENABLE", "NAMESPACE", "ID",
    "COMPRESS",    "UNSELECT", "SORT",   "THREAD", "GETQUOTA", "GETQUOTAROOT", "GETACL", "MYRIGHTS",  "NOTIFY",
    "RETR",        "TOP",      "DELE",   "RSET",   "STAT",     "UIDL",         "QUIT",   "CAPA",      "OK",
    "NO",          "BAD",      "BYE",    "+OK",    "-ERR",
};
static const char *const status_words[] = { "OK", "NO", "BAD", "BYE", "PREAUTH", "CAPABILITY", "+OK", "-ERR", "+" };
static const char *const codes[] = {
    "CAPABILITY", "AUTHENTICATIONFAILED", "PRIVACYREQUIRED",     "UNAVAILABLE", "CANNOT", "EXPIRED",  "LIMIT",
    "INUSE",      "CONTACTADMIN",         "AUTHORIZATIONFAILED", "ALERT",       "AUTH",   "SYS/TEMP", "SYS/PERM",
    "IN-USE",     "LOGIN-DELAY",
};

/* The word of the table that this is; NULL: of none. What is noted is always the table's own bytes. */
static const char *known(struct span word, const char *const *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_eq_nocase(word, span_of(table[i])))
            return table[i];
    return NULL;
}

/* ---- writing ---- */

static void stop(struct trace *t)
{
    if (t->fd < 0)
        return;
    close(t->fd);
    t->fd = -1;
    n_traces--;
    alarm_clear(&t->end);
    for (struct list *link = front.sessions.next; link != &front.sessions; link = link->next) {
        struct session *s = OWNER_OF(link, struct session, link);
        if (s->trace != NULL)
            s->trace->by &= ~(1U << (t - traces));
    }
}

static void write_line(struct trace *t, struct span line)
{
    if (t->fd < 0 || write(t->fd, line.at, line.n) == (ssize_t)line.n)
        return;
    if (errno == EAGAIN)
        t->lost++;
    else
        stop(t); /* nobody reads any more */
}

static void write_all(struct trace_note *note, struct span line)
{
    for (size_t i = 0; i < TRACES_MAX; i++)
        if ((note->by >> i & 1) != 0)
            write_line(&traces[i], line);
}

static bool follows_users(void)
{
    for (size_t i = 0; i < TRACES_MAX; i++)
        if (traces[i].fd >= 0 && traces[i].user[0] != '\0')
            return true;
    return false;
}

static void note_line(struct session *s, struct span line)
{
    struct trace_note *note = s->trace;
    write_all(note, line);
    bool unknown = s->mailbox == NULL && s->state <= S_AUTH;
    if (unknown && follows_users() && !buf_add(&note->early, line))
        buf_clear(&note->early); /* a long story without a name */
}

/* One event; side: who did it. */
static void note(struct session *s, const char *side, const char *what, const char *more)
{
    char text[LINE_MAX], sid[17];
    struct buf line = { .at = text, .room = sizeof text, .max = sizeof text };
    struct json j;
    json_init(&j, &line);
    json_open(&j, NULL);
    json_number(&j, "ms", loop_now_ms() - s->accepted_ms);
    json_word(&j, "sid", session_id_text(s, sid));
    json_addr(&j, "peer", &s->peer);
    json_word(&j, "side", side);
    json_word(&j, "what", what);
    json_word(&j, "more", more);
    json_close(&j);
    json_end_line(&j);
    if (!j.failed)
        note_line(s, buf_span(&line));
}

/* ---- who is traced ---- */

/* The early part of a session, told to those traces that have just learned that it is theirs. */
static void join(struct session *s, size_t i)
{
    struct trace_note *n = s->trace;
    if ((n->by >> i & 1) != 0)
        return;
    n->by |= 1U << i;
    write_line(&traces[i], buf_span(&n->early));
}

static bool is_of(const struct trace *t, const struct session *s)
{
    if (t->user[0] == '\0')
        return network_has(&t->network, &s->peer);
    const char *typed = s->signin != NULL ? s->signin->credentials.name : "";
    return (s->mailbox != NULL && fnmatch(t->user, s->mailbox, FNM_CASEFOLD) == 0) ||
           (typed[0] != '\0' && fnmatch(t->user, typed, FNM_CASEFOLD) == 0);
}

static bool is_noted(struct session *s)
{
    if (n_traces == 0)
        return false;
    if (s->trace == NULL) {
        s->trace = calloc(1, sizeof *s->trace);
        if (s->trace == NULL)
            return false;
        buf_init(&s->trace->early, EARLY_MAX);
    }
    for (size_t i = 0; i < TRACES_MAX; i++)
        if (traces[i].fd >= 0 && is_of(&traces[i], s))
            join(s, i);
    return true;
}

/* ---- events ---- */

void trace_opened(struct session *s)
{
    if (is_noted(s))
        note(s, "us", "open", protocol_names[s->protocol]);
}

void trace_closed(struct session *s, const char *why)
{
    if (is_noted(s))
        note(s, "us", "close", why);
    if (s->trace != NULL)
        buf_fini(&s->trace->early);
    free(s->trace);
    s->trace = NULL;
}

void trace_state(struct session *s, const char *state)
{
    if (is_noted(s))
        note(s, "us", "state", state);
}

void trace_imap(struct session *s, enum imap_verb verb)
{
    if (is_noted(s))
        note(s, "client", imap_verbs[verb], NULL);
}

void trace_pop3(struct session *s, enum pop3_verb verb)
{
    if (is_noted(s))
        note(s, "client", pop3_verbs[verb], NULL);
}

void trace_site(struct session *s, const char *stage, const char *why)
{
    if (!is_noted(s) || (s->trace->stage == stage && why == NULL))
        return;
    s->trace->stage = why == NULL ? stage : NULL;
    note(s, "site", stage, why);
}

static const char *code_of(struct span rest)
{
    rest = span_trim(rest);
    if (rest.n == 0 || rest.at[0] != '[')
        return NULL;
    size_t n = 1;
    while (n < rest.n && rest.at[n] != ']' && rest.at[n] != ' ')
        n++;
    return known(span_bytes(rest.at + 1, n - 1), codes, COUNT_OF(codes));
}

static void note_said(struct session *s, struct span line)
{
    struct span word;
    for (int i = 0; i < 2 && span_word(&line, &word); i++) { /* the second one behind a tag or "*" */
        const char *status = known(word, status_words, COUNT_OF(status_words));
        if (status == NULL)
            continue;
        note(s, "us", status, code_of(line));
        return;
    }
}

void trace_said(struct session *s, struct span bytes)
{
    while (n_traces > 0 && bytes.n > 0 && is_noted(s)) {
        ptrdiff_t end = span_find(bytes, '\n');
        size_t n = end < 0 ? bytes.n : (size_t)end;
        note_said(s, span_first(bytes, n));
        bytes = span_after(bytes, n + 1);
    }
}

/* ---- the relay ---- */

static void end_word(struct session *s, struct follow_words *w, bool up)
{
    size_t wanted = s->protocol == IMAP ? 1 : 0;
    if (w->word != wanted || w->n == 0 || w->n > WORD_MAX)
        return;
    const char *word = known(span_bytes(w->text, w->n), relay_words, COUNT_OF(relay_words));
    if (word != NULL)
        note(s, up ? "client" : "site", word, NULL);
    else if (up)
        note(s, "client", "(other)", NULL);
}

static void take(struct session *s, struct follow_words *w, struct follow *f, bool up, char c)
{
    struct follow_line *line = up ? &f->up : &f->down;
    if (line->literal == 0) {
        if (!line->in_line)
            w->word = w->n = 0;
        if (c == ' ' || c == '\r' || c == '\n') {
            end_word(s, w, up);
            w->word++;
            w->n = 0;
        } else if (w->n++ < WORD_MAX) {
            w->text[w->n - 1] = (char)toupper((unsigned char)c);
        }
    }
    struct span one = span_bytes(&c, 1);
    if (up)
        follow_up(f, one);
    else
        follow_down(f, one);
}

/* On a copy of what the relay knows of this direction, which must not be moved twice over the same bytes. */
void trace_relay(struct session *s, bool up, struct span bytes)
{
    if (!is_noted(s) || s->trace->by == 0 || s->follow.opaque)
        return;
    struct follow f = s->follow;
    for (size_t i = 0; i < bytes.n && s->trace->by != 0; i++)
        take(s, up ? &s->trace->up : &s->trace->down, &f, up, bytes.at[i]);
}

/* ---- start ---- */

static void on_end(struct alarm *a)
{
    stop(OWNER_OF(a, struct trace, end));
}

static struct trace *free_trace(void)
{
    for (size_t i = 0; i < TRACES_MAX; i++)
        if (traces[i].fd < 0)
            return &traces[i];
    return NULL;
}

enum control_status trace_start(struct control *c)
{
    struct span whom = control_word(c, 1), time = control_option(c, "for");
    struct trace *t = free_trace();
    uint64_t seconds = 300;
    if (whom.n == 0 || whom.n >= PATTERN_MAX || (time.at != NULL && !span_number(time, SECONDS_MAX, &seconds)))
        return CONTROL_USAGE;
    if (t == NULL || c->fd < 0)
        return CONTROL_NO;
    *t = (struct trace){ .fd = -1 };
    if (!network_parse(whom, &t->network))
        snprintf(t->user, sizeof t->user, "%.*s", SPAN_ARG(whom));
    if (!alarm_set(&t->end, (int64_t)seconds * SECOND, on_end))
        return CONTROL_NO;
    t->fd = control_take_fd(c);
    n_traces++;
    return CONTROL_OK;
}
