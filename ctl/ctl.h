/* homewardctl: asks a running Homeward through its control socket. One table of commands (commands.c) gives each its
 * arguments, its help and its completion. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>

#include "proxy/base/span.h"
#include "proxy/net/control.h"

enum { CTL_OK, CTL_NO, CTL_USAGE, CTL_UNREACHABLE }; /* exit statuses */

/* ---- link.c: the socket ---- */

struct reply {
    int status;      /* the worst that any process said, or CTL_UNREACHABLE */
    int best;        /* the best */
    uint64_t number; /* of all processes together */
    json_t *rows;    /* array of objects: the lines of all processes; each has "from", the process */
    char text[8192]; /* a sentence, or more */
    int stream;      /* lines that come over time, or -1 */
};

extern const char *ctl_socket;

/* Asks and waits for the whole answer. False: it cannot be reached, which has been said on stderr; rows is NULL. */
bool ctl_ask(struct reply *r, const char *const *words, size_t n) MUST_CHECK;
void reply_fini(struct reply *r);

/* ---- show.c: for people ---- */

struct column {
    const char *key, *title;
};
void show_table(const json_t *rows, const struct column *columns, size_t n);
void show_text(const char *text); /* without anything that moves a cursor */
void show_json(const char *command, const struct reply *r);

/* ---- rows.c: what an answer says ---- */

const json_t *row_of(const json_t *rows, const char *process); /* the first of that process; NULL: none */
int64_t sum_of(const json_t *rows, const char *process, const char *key);
const char *text_of(const json_t *row, const char *key); /* "" when it has none */
int64_t number_of(const json_t *row, const char *key);   /* 0 when it has none */

/* ---- status.c ---- */

void status_show(const json_t *rows); /* the screen of status and top */

/* ---- commands.c ---- */

struct options {
    bool json, all;
    const char *user, *net, *site, *proto, *client, *from, *reason, *spread, *time, *sid;
    const char *args[4];
    size_t n_args;
};

struct ctl_command {
    const char *name, *args, *help;
    size_t least, most;      /* arguments */
    const char *complete[3]; /* words for each argument; "@sites" and "@members" are asked for */
    int (*run)(const struct ctl_command *c, const struct options *o);
};
int ctl_usage(const struct ctl_command *c, const char *why); /* says it on stderr; CTL_USAGE */
int ctl_done(const struct ctl_command *c, const struct options *o, struct reply *r,
             int status); /* shows, frees r; status */

int run_serve(const struct ctl_command *c, const struct options *o);    /* serve.c */
int run_settings(const struct ctl_command *c, const struct options *o); /* settings.c */
extern const struct ctl_command ctl_commands[];
extern const size_t n_ctl_commands;

#endif
