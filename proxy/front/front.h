/* The front process: TLS, the protocol before login, login at the back end, relay. It owns sessions and nothing else.
 */
#ifndef PROXY_FRONT_FRONT_H
#define PROXY_FRONT_FRONT_H

#include "proxy/net/role.h"

int front_run(struct role *role); /* the process's exit status */

#endif
