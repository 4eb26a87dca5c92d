/* The stub store's POP3: RFC 1939, 2449 and 5034 as far as front ends and the load generator speak it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "test/bench/store.h"

#define CAPABILITIES "+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nRESP-CODES\r\nSASL PLAIN\r\n.\r\n"

static void greet(struct visitor *v)
{
    store_say(v, "+OK ready\r\n");
}

static void say_login(struct visitor *v, bool good)
{
    store_say(v, good ? "+OK signed in\r\n" : "-ERR [AUTH] Authentication failed.\r\n");
}

static void do_capa(struct visitor *v, char *rest)
{
    (void)rest;
    store_say(v, CAPABILITIES);
}

static void do_user(struct visitor *v, char *rest)
{
    snprintf(v->named, sizeof v->named, "%s", rest);
    store_say(v, "+OK\r\n");
}

static void do_pass(struct visitor *v, char *rest)
{
    say_login(v, store_sign_in(v, v->named, strlen(v->named), rest, strlen(rest)));
}

static void do_auth(struct visitor *v, char *rest)
{
    if (strncasecmp(rest, "PLAIN ", 6) == 0)
        say_login(v, store_sign_in_plain(v, rest + 6, strlen(rest + 6)));
    else
        store_say(v, "-ERR only PLAIN with an initial response\r\n");
}

static void do_nothing(struct visitor *v, char *rest)
{
    (void)rest;
    store_say(v, "+OK\r\n");
}

static void do_stat(struct visitor *v, char *rest)
{
    (void)rest;
    store_say(v, "+OK 1000000 1000000\r\n");
}

static void do_retr(struct visitor *v, char *rest)
{
    uint64_t bytes;
    if (!store_message_bytes(rest, &bytes)) {
        store_say(v, "-ERR no such message\r\n");
        return;
    }
    store_say(v, "+OK %llu octets\r\n", (unsigned long long)bytes);
    link_body(&v->link, v->start, bytes, "\r\n.\r\n");
}

static void do_quit(struct visitor *v, char *rest)
{
    (void)rest;
    v->leaving = true;
    store_say(v, "+OK until next time\r\n");
}

static const struct command {
    const char *name;
    bool signed_in;
    void (*run)(struct visitor *v, char *rest);
} commands[] = {
    {"CAPA",  false, do_capa   },
    { "USER", false, do_user   },
    { "PASS", false, do_pass   },
    { "AUTH", false, do_auth   },
    { "QUIT", false, do_quit   },
    { "NOOP", true,  do_nothing},
    { "STAT", true,  do_stat   },
    { "RETR", true,  do_retr   },
};

static void run(struct visitor *v, char *line)
{
    size_t n = strcspn(line, " ");
    char *rest = line + n + (line[n] == ' ');
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        if (strlen(c->name) != n || strncasecmp(c->name, line, n) != 0 || (c->signed_in && v->user[0] == '\0'))
            continue;
        c->run(v, rest);
        return;
    }
    store_say(v, "-ERR not here\r\n");
}

static size_t take(struct visitor *v)
{
    char *lf = memchr(v->line, '\n', v->n);
    if (lf == NULL)
        return 0;
    char *end = lf > v->line && lf[-1] == '\r' ? lf - 1 : lf;
    *end = '\0';
    run(v, v->line);
    return (size_t)(lf - v->line) + 1;
}

const struct dialogue dialogue_pop3 = { greet, take };
