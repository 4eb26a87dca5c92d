/* The check: everything that `-t` says about a configuration is said here, and what main brings into force comes out of
 * here. It runs inside `homeward -t`, and in a short-lived process that main starts ("homeward: check"), because main
 * itself parses nothing and must not wait for a map of a million lines. */
#ifndef PROXY_SUPERVISOR_CHECK_H
#define PROXY_SUPERVISOR_CHECK_H

#include "proxy/net/messages.h"

enum check_parts {
    CHECK_CONFIG = 1, /* else the configuration in force is taken as it is */
    CHECK_FILES = 2,  /* certificates, keys, CAs */
    CHECK_MAP = 4,
    CHECK_ACCOUNTS = 8, /* those of the verifier "file" */
    CHECK_ALL = CHECK_CONFIG | CHECK_FILES | CHECK_MAP | CHECK_ACCOUNTS
};

struct check_order {
    unsigned parts;
    const char *file;       /* for CHECK_CONFIG */
    struct span in_force;   /* the effective configuration, without CHECK_CONFIG */
    struct span map_before; /* compiled map in force, to which the loss rules compare; SPAN_NONE: none yet */
};

struct check_result {
    struct buf config; /* effective, as config_dump writes it */
    struct buf seen;   /* stamps of all files that matter, for files_watch */
    struct buf front_bundle, auth_bundle, backends_bundle, map, accounts;
    struct buf errors, warnings; /* lines */
};

/* False: errors has at least one line. Parts that were not ordered stay empty. */
bool check_run(const struct check_order *order, struct check_result *result) MUST_CHECK;
void check_fini(struct check_result *result);

/* What main puts into the first blob of MSG_BOOT for the checking process (the second is in_force, the third
 * map_before). */
bool check_pack(const struct check_order *order, struct buf *to) MUST_CHECK;

/* The checking process, from its first message to its exit status. It answers MSG_CHECKED with a blob for
 * each of enum settings_part, the first with configuration and seen (two packed strings); or MSG_FAILED. */
int check_process(int main_fd, const struct message *boot);

#endif
