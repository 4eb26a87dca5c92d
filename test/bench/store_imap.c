/* The stub store's IMAP: RFC 9051 as far as front ends and the load generator speak it. Message n is n KiB long. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "test/bench/pattern.h"
#include "test/bench/store.h"

#define CAPABILITIES "IMAP4rev1 SASL-IR LITERAL+ ID IDLE NAMESPACE UIDPLUS UNSELECT AUTH=PLAIN"

enum { LITERAL_MAX = 4096 };

struct word {
    const char *at;
    size_t n;
};

static void greet(struct visitor *v)
{
    store_say(v, "* OK [CAPABILITY " CAPABILITIES "] ready\r\n");
}

/* ---- a whole command, with its small literals ---- */

/* The literal that a line ends with: its length, or -1. */
static long literal_of(const char *line, const char *end, bool *waits)
{
    const char *at = end;
    if (at == line || *--at != '}')
        return -1;
    *waits = at == line || at[-1] != '+';
    while (at > line && *at != '{')
        at--;
    return *at == '{' ? strtol(at + 1, NULL, 10) : -1;
}

static bool is_append(const struct visitor *v, const char *end)
{
    const char *space = memchr(v->line, ' ', (size_t)(end - v->line));
    return space != NULL && end - space > 8 && strncasecmp(space + 1, "APPEND ", 7) == 0;
}

static void receive(struct visitor *v, long n, bool waits)
{
    size_t tag_n = strcspn(v->line, " ");
    snprintf(v->tag, sizeof v->tag, "%.*s", (int)tag_n, v->line);
    v->upload_left = (uint64_t)n;
    v->upload_at = 0;
    v->upload_good = true;
    if (waits)
        store_say(v, "+ go ahead\r\n");
}

/* Bytes of the first command, the last CRLF included; 0: more must come. An APPEND ends where its message begins. */
static size_t command_length(struct visitor *v)
{
    size_t from = 0;
    for (;;) {
        bool waits = false;
        char *lf = memchr(v->line + from, '\n', v->n - from);
        if (lf == NULL)
            return 0;
        char *end = lf > v->line && lf[-1] == '\r' ? lf - 1 : lf;
        size_t next = (size_t)(lf - v->line) + 1;
        long n = literal_of(v->line, end, &waits);
        if (n < 0)
            return next;
        if (v->user[0] != '\0' && is_append(v, end)) {
            receive(v, n, waits);
            return next;
        }
        if (n > LITERAL_MAX) {
            v->leaving = true;
            store_say(v, "* BYE literal too large\r\n");
            return next;
        }
        if (waits && v->invited < next) {
            v->invited = next;
            store_say(v, "+ go ahead\r\n");
        }
        from = next + (size_t)n;
        if (from >= v->n)
            return 0;
    }
}

/* ---- words ---- */

static char *skip_spaces(char *at)
{
    while (*at == ' ')
        at++;
    return at;
}

/* An atom, a quoted string (escapes taken out in place) or a literal. */
static struct word next_word(char **at)
{
    char *from = skip_spaces(*at), *to;
    if (*from == '"') {
        char *out = to = ++from;
        while (*to != '"' && *to != '\0') {
            to += *to == '\\' && to[1] != '\0';
            *out++ = *to++;
        }
        *at = to + (*to == '"');
        return (struct word){ from, (size_t)(out - from) };
    }
    if (*from == '{') {
        long n = strtol(from + 1, NULL, 10);
        char *bytes = strchr(from, '\n');
        if (bytes == NULL || n < 0)
            n = 0;
        else
            from = bytes + 1;
        *at = from + n;
        return (struct word){ from, (size_t)n };
    }
    to = from + strcspn(from, " \r\n");
    *at = to;
    return (struct word){ from, (size_t)(to - from) };
}

/* ---- commands ---- */

static void say_login(struct visitor *v, const char *tag, bool good)
{
    if (good)
        store_say(v, "%s OK [CAPABILITY " CAPABILITIES "] signed in\r\n", tag);
    else
        store_say(v, "%s NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", tag);
}

static void do_capability(struct visitor *v, const char *tag, char *rest)
{
    (void)rest;
    store_say(v, "* CAPABILITY " CAPABILITIES "\r\n%s OK done\r\n", tag);
}

static void do_id(struct visitor *v, const char *tag, char *rest)
{
    (void)rest;
    store_say(v, "* ID (\"name\" \"stub\")\r\n%s OK done\r\n", tag);
}

static void do_nothing(struct visitor *v, const char *tag, char *rest)
{
    (void)rest;
    store_say(v, "%s OK done\r\n", tag);
}

static void do_login(struct visitor *v, const char *tag, char *rest)
{
    struct word user = next_word(&rest);
    struct word password = next_word(&rest);
    say_login(v, tag, store_sign_in(v, user.at, user.n, password.at, password.n));
}

static void do_authenticate(struct visitor *v, const char *tag, char *rest)
{
    struct word mechanism = next_word(&rest);
    struct word response = next_word(&rest);
    if (mechanism.n != 5 || strncasecmp(mechanism.at, "PLAIN", 5) != 0 || response.n == 0) {
        store_say(v, "%s BAD only PLAIN with an initial response\r\n", tag);
        return;
    }
    say_login(v, tag, store_sign_in_plain(v, response.at, response.n));
}

static void do_select(struct visitor *v, const char *tag, char *rest)
{
    (void)rest;
    store_say(v, "* FLAGS ()\r\n* 1000000 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n%s OK [READ-WRITE] done\r\n", tag);
}

static void do_fetch(struct visitor *v, const char *tag, char *rest)
{
    uint64_t bytes;
    char tail[sizeof v->link.tail];
    struct word number = next_word(&rest);
    if (!store_message_bytes(number.at, &bytes) ||
        snprintf(tail, sizeof tail, ")\r\n%s OK\r\n", tag) >= (int)sizeof tail) {
        store_say(v, "%s NO no such message, or a long tag\r\n", tag);
        return;
    }
    store_say(v, "* %.*s FETCH (BODY[] {%llu}\r\n", (int)number.n, number.at, (unsigned long long)bytes);
    link_body(&v->link, v->start, bytes, tail);
}

static void do_idle(struct visitor *v, const char *tag, char *rest)
{
    (void)rest;
    snprintf(v->tag, sizeof v->tag, "%s", tag);
    store_say(v, "+ idling\r\n");
}

static void do_logout(struct visitor *v, const char *tag, char *rest)
{
    (void)rest;
    v->leaving = true;
    store_say(v, "* BYE until next time\r\n%s OK done\r\n", tag);
}

static const struct command {
    const char *name;
    bool signed_in; /* only after the login */
    void (*run)(struct visitor *v, const char *tag, char *rest);
} commands[] = {
    {"CAPABILITY",    false, do_capability  },
    { "NOOP",         false, do_nothing     },
    { "ID",           false, do_id          },
    { "LOGIN",        false, do_login       },
    { "AUTHENTICATE", false, do_authenticate},
    { "LOGOUT",       false, do_logout      },
    { "SELECT",       true,  do_select      },
    { "FETCH",        true,  do_fetch       },
    { "IDLE",         true,  do_idle        },
};

static void run(struct visitor *v, char *line)
{
    char tag[sizeof v->tag];
    char *rest = line;
    struct word first = next_word(&rest);
    snprintf(tag, sizeof tag, "%.*s", (int)first.n, first.at);
    if (v->tag[0] != '\0' && strcasecmp(tag, "DONE") == 0) {
        store_say(v, "%s OK done\r\n", v->tag);
        v->tag[0] = '\0';
        return;
    }
    struct word name = next_word(&rest);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        if (strlen(c->name) != name.n || strncasecmp(c->name, name.at, name.n) != 0 ||
            (c->signed_in && v->user[0] == '\0'))
            continue;
        c->run(v, tag, rest);
        return;
    }
    store_say(v, "%s BAD not here\r\n", tag);
}

/* What of line[] belongs to the message that is coming in. */
static size_t take_upload(struct visitor *v)
{
    size_t n = v->n < v->upload_left ? v->n : (size_t)v->upload_left;
    if (!pattern_is(v->start, v->upload_at, v->line, n))
        v->upload_good = false;
    v->upload_at += n;
    v->upload_left -= n;
    return n;
}

static size_t take(struct visitor *v)
{
    if (v->upload_left > 0)
        return take_upload(v);
    size_t n = command_length(v);
    if (n == 0 || v->upload_left > 0)
        return n;
    v->invited = 0;
    if (n <= 2 && v->tag[0] != '\0') { /* the CRLF behind a message */
        store_say(v, v->upload_good ? "%s OK it is as it should be\r\n" : "%s NO it is not what was sent\r\n", v->tag);
        v->tag[0] = '\0';
        return n;
    }
    char after = v->line[n - 1];
    v->line[n - 1] = '\0';
    run(v, v->line);
    v->line[n - 1] = after;
    return n;
}

const struct dialogue dialogue_imap = { greet, take };
