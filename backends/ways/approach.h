/* The way to one given member: its host name, the addresses that may be dialled, a connection. For whoever goes there
 * without a login: checks, and connections that are to stand ready. No IPsec, no time limit. */
#ifndef BACKENDS_WAYS_APPROACH_H
#define BACKENDS_WAYS_APPROACH_H

#include "backends/ways/connecting.h"
#include "backends/members/site.h"

/* Embedded in its owner; zero-initialised memory is one that does nothing. */
struct approach {
    const struct member *member;
    enum protocol protocol;
    struct hostname_wait name;
    struct connecting connecting; /* after a failure its `why` says for what reason */
    bool ours;                    /* … and this that it is none of the member's: our limits, or no address to go to */
    void (*done)(struct approach *a, int fd, const struct addr *address);
};

/* done is called once, never inside this call, never after approach_stop: with the connected descriptor, which is the
 * receiver's and not watched, or with -1. */
void approach_start(struct approach *a, const struct member *m, enum protocol protocol,
                    void (*done)(struct approach *a, int fd, const struct addr *address));
void approach_stop(struct approach *a); /* safe at any time, also twice */

#endif
