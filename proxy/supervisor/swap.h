/* The swap: the coming reign becomes the one of now. It cannot fail. */
#ifndef PROXY_SUPERVISOR_SWAP_H
#define PROXY_SUPERVISOR_SWAP_H

#include "proxy/base/buf.h"

/* All processes of the coming reign are READY, its ports are bound, its log file is open. seen: for files_watch. */
void swap(const struct buf *seen);

/* What may change without a new configuration. The blob is owned by these; if it differs from the one in force it takes
 * its place, is sent to those who need it (auth, backends, all fronts), and the result is true. */
bool swap_map(int fd);
bool swap_accounts(int fd);
bool swap_bundle(int fd);          /* of fronts */
bool swap_backends_bundle(int fd); /* test accounts */

/* /etc/hosts has changed: backends gets it as it is now, and main reads none of it. */
void swap_hosts(void);

#endif
