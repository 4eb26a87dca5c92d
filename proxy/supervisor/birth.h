/* The first moments of a role's process: from exec to its entry point. Everything that needs root or a file system
 * happens here. */
#ifndef PROXY_SUPERVISOR_BIRTH_H
#define PROXY_SUPERVISOR_BIRTH_H

#include "proxy/net/role.h"

/* argv[0] of a process that is a role and not somebody's command. */
#define BIRTH_NAME "homeward:"

/* name: "front 1", "auth", "backends", "check". The exit status of the process. */
int birth_run(const char *name);

/* The last words of a process that has no loop: sent before this returns. */
bool birth_say(int main_fd, const struct message *m);

#endif
