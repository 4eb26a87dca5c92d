/* The kernel's security associations, read by netlink (NETLINK_XFRM), and the news that they have changed. The answers
 * of the kernel hold keys: they are wiped as soon as they are read, and no struct here has room for one. The only file
 * that includes libmnl. Needs CAP_NET_ADMIN. */
#ifndef BACKENDS_IPSEC_ASSOCIATIONS_H
#define BACKENDS_IPSEC_ASSOCIATIONS_H

#include "backends/ipsec/ipsec_judge.h"

/* changed: some association was added, removed or has expired, or the kernel could not tell (ENOBUFS): read again.
 * Called from the loop, once for many changes. False: why says it in one sentence. */
bool associations_open(void (*changed)(void), const char **why) MUST_CHECK;
void associations_close(void); /* safe when it is not open */

/* All of them, as they are now. Never blocks. Valid until the next call. False: the kernel does not tell. */
bool associations_read(const struct association **all, size_t *n) MUST_CHECK;

#endif
