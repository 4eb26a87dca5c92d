/* What each command asks and how its answer is shown. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"

/* Words of a question: the command, its arguments, and options as "name=value". */
struct question {
    const char *words[CONTROL_WORDS_MAX];
    char text[CONTROL_WORDS_MAX][CONTROL_WORD_MAX];
    size_t n;
};

static void ask_word(struct question *q, const char *word)
{
    if (word != NULL && q->n < CONTROL_WORDS_MAX)
        q->words[q->n++] = word;
}

static void ask_option(struct question *q, const char *name, const char *value)
{
    if (value == NULL || q->n >= CONTROL_WORDS_MAX)
        return;
    snprintf(q->text[q->n], CONTROL_WORD_MAX, "%s=%s", name, value);
    q->words[q->n] = q->text[q->n];
    q->n++;
}

static void ask_filters(struct question *q, const struct options *o)
{
    ask_option(q, "user", o->n_args > 0 ? o->args[0] : o->user);
    ask_option(q, "net", o->net);
    ask_option(q, "site", o->site);
    ask_option(q, "proto", o->proto);
    ask_option(q, "client", o->client);
    ask_option(q, "sid", o->sid);
}

/* "90", "90s", "5m", "2h" in seconds; NULL: not a time. */
static const char *seconds_of(const char *text, char to[32])
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    long unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : 1;
    if (end == text || n < 0 || errno != 0 || n > 1000000 ||
        (*end != '\0' && (strchr("smh", *end) == NULL || end[1] != '\0')))
        return NULL;
    snprintf(to, 32, "%ld", n * unit);
    return to;
}

int ctl_usage(const struct ctl_command *c, const char *why)
{
    fprintf(stderr, "homewardctl: %s\nusage: homewardctl %s %s\n", why, c->name, c->args);
    return CTL_USAGE;
}

int ctl_done(const struct ctl_command *c, const struct options *o, struct reply *r, int status)
{
    if (o->json)
        show_json(c->name, r);
    else if (r->text[0] != '\0' && status != CTL_OK)
        fprintf(stderr, "homewardctl: %s\n", r->text);
    else if (r->text[0] != '\0')
        show_text(r->text);
    reply_fini(r);
    return status;
}

/* ---- looking ---- */

static int run_status(const struct ctl_command *c, const struct options *o)
{
    struct reply r;
    if (!ctl_ask(&r, (const char *[]){ "status" }, 1))
        return CTL_UNREACHABLE;
    if (!o->json && r.status == CTL_OK)
        status_show(r.rows);
    return ctl_done(c, o, &r, r.status);
}

static const struct column who_columns[] = {
    {"user",     "USER"  },
    { "proto",   "PROTO" },
    { "state",   "STATE" },
    { "peer",    "FROM"  },
    { "tls",     "TLS"   },
    { "site",    "SITE"  },
    { "backend", "MEMBER"},
    { "age_s",   "AGE_S" },
    { "client",  "CLIENT"},
    { "sid",     "SID"   },
};

static int run_who(const struct ctl_command *c, const struct options *o)
{
    struct question q = { 0 };
    struct reply r;
    ask_word(&q, "who");
    ask_filters(&q, o);
    if (!ctl_ask(&r, q.words, q.n))
        return CTL_UNREACHABLE;
    if (r.status == CTL_USAGE)
        snprintf(r.text, sizeof r.text, "a filter cannot be understood");
    else if (!o->json && r.number > 0)
        show_table(r.rows, who_columns, COUNT_OF(who_columns));
    return ctl_done(c, o, &r, r.status != CTL_OK ? r.status : r.number > 0 ? CTL_OK : CTL_NO);
}

static const struct column site_columns[] = {
    {"site",       "SITE"     },
    { "member",    "MEMBER"   },
    { "port",      "PORT"     },
    { "proto",     "PROTO"    },
    { "link",      "LINK"     },
    { "state",     "STATE"    },
    { "sessions",  "SESSIONS" },
    { "spare",     "SPARE"    },
    { "returns_s", "RETURNS_S"},
    { "why",       "WHY"      },
};

static int run_sites(const struct ctl_command *c, const struct options *o)
{
    struct reply r;
    struct question q = { 0 };
    ask_word(&q, "sites");
    if (o->n_args > 0)
        ask_word(&q, o->args[0]);
    if (!ctl_ask(&r, q.words, q.n))
        return CTL_UNREACHABLE;
    if (r.status == CTL_NO)
        snprintf(r.text, sizeof r.text, "there is no site of that name");
    else if (!o->json)
        show_table(r.rows, site_columns, COUNT_OF(site_columns));
    return ctl_done(c, o, &r, r.status);
}

/* Where a mailbox would go at its site: asked of the process that knows members. */
static int ask_lineup(const json_t *route, const struct options *o, json_t *rows)
{
    struct reply r;
    const char *words[] = { "lineup", text_of(route, "site"), text_of(route, "mailbox"), text_of(route, "proto") };
    if (!json_is_true(json_object_get(route, "ok")))
        return CTL_NO;
    if (!ctl_ask(&r, words, COUNT_OF(words)))
        return CTL_UNREACHABLE;
    int status = r.status;
    if (!o->json && json_array_size(r.rows) > 0 && text_of(json_array_get(r.rows, 0), "lives_on")[0] != '\0')
        printf("lives on      %s\n", text_of(json_array_get(r.rows, 0), "lives_on"));
    for (size_t i = 0; i < json_array_size(r.rows); i++) {
        const json_t *row = json_array_get(r.rows, i);
        json_array_append(rows, (json_t *)row);
        if (!o->json && text_of(row, "member")[0] != '\0')
            printf("member        %s port %lld, %s %s\n", text_of(row, "member"), (long long)number_of(row, "port"),
                   text_of(row, "state"), text_of(row, "why"));
    }
    reply_fini(&r);
    return status;
}

/* Only an address that was named has something to show. */
static void show_penalties(const json_t *row)
{
    const json_t *known = json_object_get(row, "known_address");
    printf("failures      %lld of the account", (long long)number_of(row, "failures"));
    if (known != NULL)
        printf(", %lld of the address, from which it has %ssigned in", (long long)number_of(row, "address_failures"),
               json_is_true(known) ? "" : "not ");
    puts(json_is_true(json_object_get(row, "throttled")) ? ": THROTTLED" : "");
}

static void show_route(const json_t *row)
{
    printf("%s\nmailbox       ", strcmp(text_of(row, "proto"), "imap") == 0 ? "IMAP4" : "POP3");
    show_text(text_of(row, "mailbox"));
    printf("map entry     %s\n", text_of(row, "map_entry")[0] != '\0' ? text_of(row, "map_entry") : "none");
    show_penalties(row);
    if (!json_is_true(json_object_get(row, "ok"))) {
        printf("verdict       refused: %s\n", text_of(row, "why"));
        return;
    }
    printf("site          %s\nstore's name  ", text_of(row, "site"));
    show_text(text_of(row, "store_name"));
    printf("sessions      %lld of %lld\n", (long long)number_of(row, "sessions"),
           (long long)number_of(row, "sessions_max"));
}

static int run_route(const struct ctl_command *c, const struct options *o)
{
    struct question q = { 0 };
    struct reply r;
    int status = CTL_NO;
    ask_word(&q, "route");
    ask_word(&q, o->args[0]);
    ask_option(&q, "proto", o->proto);
    ask_option(&q, "from", o->from);
    if (!ctl_ask(&r, q.words, q.n))
        return CTL_UNREACHABLE;
    if (r.status == CTL_USAGE)
        return ctl_done(c, o, &r, CTL_USAGE);
    for (size_t i = 0, n = json_array_size(r.rows); i < n; i++) {
        const json_t *row = json_array_get(r.rows, i);
        if (!o->json)
            show_route(row);
        if (ask_lineup(row, o, r.rows) == CTL_OK)
            status = CTL_OK;
    }
    return ctl_done(c, o, &r, status);
}

/* ---- orders ---- */

static int run_kick(const struct ctl_command *c, const struct options *o)
{
    struct question q = { 0 };
    struct reply r;
    char seconds[32];
    ask_word(&q, "kick");
    ask_filters(&q, o);
    if (q.n == 1 && !o->all)
        return ctl_usage(c, "say whom: a USER, --net, --site, --proto, --client or --sid; or --all for everybody");
    if (o->spread != NULL && seconds_of(o->spread, seconds) == NULL)
        return ctl_usage(c, "--spread is not a time such as 30s or 5m");
    ask_option(&q, "spread", o->spread != NULL ? seconds : NULL);
    ask_option(&q, "reason", o->reason);
    if (!ctl_ask(&r, q.words, q.n))
        return CTL_UNREACHABLE;
    if (r.status == CTL_OK)
        snprintf(r.text, sizeof r.text, "%llu sessions are being ended", (unsigned long long)r.number);
    return ctl_done(c, o, &r, r.status != CTL_OK ? r.status : r.number > 0 ? CTL_OK : CTL_NO);
}

static int ask_args(const struct ctl_command *c, const struct options *o, struct reply *r)
{
    struct question q = { 0 };
    ask_word(&q, c->name);
    for (size_t i = 0; i < o->n_args; i++)
        ask_word(&q, o->args[i]);
    return ctl_ask(r, q.words, q.n) ? r->status : CTL_UNREACHABLE;
}

static int run_plain(const struct ctl_command *c, const struct options *o)
{
    struct reply r;
    int status = ask_args(c, o, &r);
    return status == CTL_UNREACHABLE ? status : ctl_done(c, o, &r, status);
}

/* Maintenance also ends the sessions that are there. */
static int run_site(const struct ctl_command *c, const struct options *o)
{
    struct options whom = { .site = o->args[0], .spread = o->spread, .json = o->json, .reason = o->reason };
    int status = run_plain(c, o);
    if (status != CTL_OK || strcmp(o->args[1], "maint") != 0)
        return status;
    if (whom.reason == NULL)
        whom.reason = "Your mail server is being maintained; please try again later.";
    int kicked = run_kick(c, &whom);
    return kicked == CTL_NO ? CTL_OK : kicked; /* nobody was there */
}

static int run_trace(const struct ctl_command *c, const struct options *o)
{
    struct question q = { 0 };
    struct reply r;
    char seconds[32], bytes[65536];
    if (seconds_of(o->time != NULL ? o->time : "5m", seconds) == NULL)
        return ctl_usage(c, "--for is not a time such as 30s or 5m");
    ask_word(&q, "trace");
    ask_word(&q, o->args[0]);
    ask_option(&q, "for", seconds);
    if (!ctl_ask(&r, q.words, q.n))
        return CTL_UNREACHABLE;
    if (r.best != CTL_OK || r.stream < 0)
        return ctl_done(c, o, &r, r.status != CTL_OK ? r.status : CTL_NO);
    struct pollfd readable = { .fd = r.stream, .events = POLLIN };
    while (poll(&readable, 1, -1) > 0) {
        ssize_t n = read(r.stream, bytes, sizeof bytes);
        if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && write(STDOUT_FILENO, bytes, (size_t)n) != n))
            break;
    }
    reply_fini(&r);
    return CTL_OK;
}

static int run_top(const struct ctl_command *c, const struct options *o)
{
    static const struct timespec pause = { .tv_sec = 2 };
    for (;;) {
        struct reply status, sites;
        if (!ctl_ask(&status, (const char *[]){ "status" }, 1))
            return CTL_UNREACHABLE;
        if (!ctl_ask(&sites, (const char *[]){ "sites" }, 1)) {
            reply_fini(&status);
            return CTL_UNREACHABLE;
        }
        fputs("\033[H\033[2J", stdout);
        status_show(status.rows);
        putchar('\n');
        show_table(sites.rows, site_columns, COUNT_OF(site_columns));
        fflush(stdout);
        reply_fini(&sites);
        if (o->json)
            return ctl_done(c, o, &status, status.status);
        reply_fini(&status);
        nanosleep(&pause, NULL);
    }
}

/* ---- the table ---- */

#define FILTERS "[--net CIDR] [--site S] [--proto imap|pop3] [--client GLOB] [--sid ID]"

const struct ctl_command ctl_commands[] = {
    {"status",    "",                                              "one screen: is it well, and what is not",                                              0, 0, { NULL },     run_status},
    { "top",      "",                                              "status and sites, again and again",                                                    0, 0, { NULL },     run_top   },
    { "who",      "[USER] " FILTERS,                               "who is on; USER and GLOB are shell patterns",                                          0, 1, { NULL },     run_who   },
    { "kick",
     "[USER] " FILTERS " [--all] [--reason TEXT] [--spread TIME]",
     "end sessions at a safe point; IMAP clients hear * BYE and the reason",                                                                               0,
     1,                                                                                                                                                          { NULL },
     run_kick                                                                                                                                                                            },
    { "route",
     "USER [--proto imap|pop3] [--from IP]",                       "where a login of USER would go now",
     1,                                                                                                                                                       1,
     { NULL },
     run_route                                                                                                                                                                           },
    { "sites",    "[SITE]",                                        "sites, members and how they are",                                                      0, 1, { "@sites" }, run_sites },
    { "site",
     "SITE drain|maint|ready [--spread TIME] [--reason TEXT]",     "drain: no new mailboxes; maint: nobody gets in and sessions end; ready: take it back",
     2,                                                                                                                                                       2,
     { "@sites", "drain maint ready" },
     run_site                                                                                                                                                                            },
    { "member",
     "SITE HOST drain|ready",                                      "the same for one member",
     3,                                                                                                                                                       3,
     { "@sites", "@members", "drain ready" },
     run_plain                                                                                                                                                                           },
    { "forgive",
     "USER|CIDR",                                                  "forget how often sign-ins of an account or from addresses failed",
     1,                                                                                                                                                       1,
     { NULL },
     run_plain                                                                                                                                                                           },
    { "settings",
     "[table|dns|autoconfig]",                                     "what users enter into their mail programs",
     0,                                                                                                                                                       1,
     { "table dns autoconfig" },
     run_settings                                                                                                                                                                        },
    { "reload",   "",                                              "check the configuration and take it; says what the check says",                        0, 0, { NULL },     run_plain },
    { "drain",
     "",                                                           "stop in order: no new clients, sessions may end by themselves for a while",
     0,                                                                                                                                                       0,
     { NULL },
     run_plain                                                                                                                                                                           },
    { "trace",
     "USER|CIDR [--for TIME]",                                     "what matching sessions do, without any secret, as lines of JSON",
     1,                                                                                                                                                       1,
     { NULL },
     run_trace                                                                                                                                                                           },
    { "serve",
     "127.0.0.1:PORT|/PATH",                                       "metrics, health and a status page over HTTP, until it is ended",
     1,                                                                                                                                                       1,
     { NULL },
     run_serve                                                                                                                                                                           },
    { "loglevel",
     "error|warning|info|debug",                                   "until the next reload or restart of a process",
     1,                                                                                                                                                       1,
     { "error warning info debug" },
     run_plain                                                                                                                                                                           },
};
const size_t n_ctl_commands = COUNT_OF(ctl_commands);
