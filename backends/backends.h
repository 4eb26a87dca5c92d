/* The backends process: how to get to a site. Sole owner of sites, DNS, health and of the places of mailboxes on
 * members; the only process that connects to back ends. */
#ifndef BACKENDS_BACKENDS_H
#define BACKENDS_BACKENDS_H

#include "proxy/net/role.h"

int backends_run(struct role *role); /* the process's exit status */

#endif
