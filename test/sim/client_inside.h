/* The inside of a mail program, for client.c (what it hears) and client_commands.c (what it says). */
#ifndef TEST_SIM_CLIENT_INSIDE_H
#define TEST_SIM_CLIENT_INSIDE_H

#include "test/sim/sim.h"

enum { LOG_MAX = 1 << 20, WINDOW = 4, PARTS = 3 };
enum client_phase { CL_HEADER, CL_TLS, CL_TALK, CL_SILENT, CL_OVER };
enum kind { C_ONE, C_MULTI, C_STARTTLS, C_LOGIN, C_COMPRESS, C_LOGOUT };

struct command {
    enum kind kind;
    char tag[8];
    struct buf parts[PARTS];
    size_t n_parts, sent;
    bool wrong;                         /* its password or token is */
    bool may_be_challenged, challenged; /* a token: told that it is refused, which the last part answers */
};

struct client {
    const struct plan *plan;
    struct link *link;
    enum client_phase phase;
    unsigned steps, fault_at, noises, tag, noise, attempts, commands;
    bool protected, greeted, in_session, lawless, bye, left, ended_well, ended, reset, half_closed, injected;
    struct command window[WINDOW];
    bool asks_to_compress, compressed;
    size_t n_window, answers; /* since TLS, if any */
    struct buf in, out, up_log, down_log;
    bool in_multi, in_tail;
    size_t literal;
};

bool client_issues(struct client *c);                         /* the next command; false: not now */
void client_goes_on(struct client *c, struct span challenge); /* the next part of the command */
void command_fini(struct command *k);

#endif
