/* The kinds of process. Each role's entry point runs in a process of its own, born by main (proxy/supervisor) with
 * channel 3 to main and its configuration as bytes; it never returns before it is done. */
#ifndef PROXY_NET_ROLE_H
#define PROXY_NET_ROLE_H

#include "proxy/net/ipc.h"

enum role_kind { ROLE_MAIN, ROLE_CHECK, ROLE_AUTH, ROLE_BACKENDS, ROLE_FRONT, ROLES };

extern const char *const role_names[ROLES]; /* "main", "check", "auth", "backends", "front" */

enum { ROLE_CHANNEL_FD = 3, ROLE_LOG_FD = 4, ROLE_BOOT_MS = 10000 };

enum role_sandbox { ROLE_OPEN, ROLE_FENCED, ROLE_FENCED_FULLY };

/* What every role has when its entry point is called; all of it lives as long as the process. */
struct role {
    enum role_kind kind;
    uint64_t slot, generation;
    struct config *config; /* parsed from the sealed bytes */
    struct span bundle;    /* mapped; at == NULL when the role has none */
    int state_fd;          /* memfd for tables that survive a crash of the role (auth, backends), or -1 */
    int main_fd;           /* the channel to main, not yet a struct ipc */
    int last_fd;           /* a copy of it for last words, which stays open */
    enum role_sandbox sandbox;
};

#endif
