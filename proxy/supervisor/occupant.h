/* Who listens on a port that we cannot have? For one helpful sentence; what /proc does not tell stays unsaid. */
#ifndef PROXY_SUPERVISOR_OCCUPANT_H
#define PROXY_SUPERVISOR_OCCUPANT_H

#include "proxy/base/addr.h"

enum { OCCUPANT_TEXT_MAX = 64 };

/* "dovecot, pid 123", or "" when it cannot be found out. */
const char *occupant_text(const struct addr *address, char text[OCCUPANT_TEXT_MAX]);

/* Pure: one line of /proc/net/tcp or tcp6. True when it is a listening socket that is in the way of that address. */
bool occupant_parse(const char *line, const struct addr *address, unsigned long *inode);

#endif
