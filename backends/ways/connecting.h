/* A connection to one of several addresses that mean the same member (RFC 8305): they are tried in their order, the
 * next one after a quarter of a second, or at once when one fails; the first that connects wins. */
#ifndef BACKENDS_WAYS_CONNECTING_H
#define BACKENDS_WAYS_CONNECTING_H

#include "backends/ipsec/ipsec_judge.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "proxy/net/watch.h"

enum { CONNECTING_ADDRS_MAX = 32, CONNECTING_STAGGER_MS = 250 };

struct connecting;
struct attempt {
    struct connecting *connecting;
    struct watch *watch; /* NULL: not under way */
    int fd;
    struct addr address;
};

/* Embedded in its owner; zero-initialised memory is one that does nothing. */
struct connecting {
    struct attempt attempts[CONNECTING_ADDRS_MAX];
    size_t n, next, open;
    struct alarm stagger;
    struct later failed;
    struct ipsec_rule rule; /* of the associations that may carry it; reqid 0: none is demanded */
    const char *why; /* of the last failure: "refused", "timeout", "unreachable", "reset", "our_limits", "no_sa" … */
    bool ours;       /* the last failure was our own: no descriptors, no memory, no ports, a firewall */
    void (*done)(struct connecting *c, int fd, const struct addr *address);
};

/* done is called once, never inside this call, never after connecting_stop: with the descriptor, which is the
 * receiver's and not watched, or with -1 when no address is left. There is no time limit here. */
void connecting_start(struct connecting *c, const struct ipsec_rule *rule, const struct addr *addrs, size_t n,
                      void (*done)(struct connecting *c, int fd, const struct addr *address));
void connecting_stop(struct connecting *c); /* everything is closed; safe at any time, also twice */

#endif
