/* What the admin has written into /etc/hosts (hosts(5)), held as text. A role may not open files once it serves: it
 * reads this one at its start, and main, who sees it change, hands it over again. */
#ifndef PROXY_NET_HOSTS_H
#define PROXY_NET_HOSTS_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"

#define HOSTS_PATH "/etc/hosts"
enum { HOSTS_BYTES_MAX = 4 << 20 };

/* Reads it from its start. NULL: *text is what it holds now; else why *text stays as it was. The descriptor stays
 * open. */
const char *hosts_read(struct buf *text, int fd) MUST_CHECK;

/* How many addresses of that family the name has, at most `room` of them into `to`, port 0. "localhost" and what ends
 * in
 * ".localhost" has the loopback addresses where the text does not say otherwise (RFC 6761 6.3). */
size_t hosts_find(struct span text, struct span name, int family, struct addr *to, size_t room);

#endif
