/* The auth process: who may sign in, and where their mailbox lives. Sole owner of the directory map and of the counts
 * per user and address. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "proxy/net/role.h"

int auth_run(struct role *role); /* the process's exit status */

#endif
