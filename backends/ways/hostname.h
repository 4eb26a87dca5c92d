/* What DNS says of the hosts in the configuration, one answer for each name, kept for its TTL and asked again in the
 * background while somebody uses it. When DNS fails, or the name is suddenly gone, the last good answer stays in force:
 * a mail store rarely moves in the very hour in which the name servers are down. */
#ifndef BACKENDS_WAYS_HOSTNAME_H
#define BACKENDS_WAYS_HOSTNAME_H

#include "proxy/base/addr.h"
#include "proxy/base/list.h"

struct hostname;
struct hostname_wait {
    struct list link;
    void (*done)(struct hostname_wait *w); /* once, never inside hostname_ask, never after hostname_cancel */
};

/* The one of that name, made on first use, without case; it lives until hostnames_close. NULL: no memory. */
struct hostname *hostname_of(const char *name);
void hostnames_close(void);

/* True: what hostname_addrs says is good enough, also when that is nothing. False: w->done will be called; this takes
 * as long as DNS takes, but half a second at most when there is an answer of former times. */
bool hostname_ask(struct hostname *h, struct hostname_wait *w, void (*done)(struct hostname_wait *)) MUST_CHECK;
void hostname_cancel(struct hostname_wait *w); /* safe at any time for memory that was once zero or waited */

/* Port 0; valid until the loop turns. None: *why is the reason, static text. */
const struct addr *hostname_addrs(const struct hostname *h, size_t *n, const char **why);

#endif
