/* Names to addresses by c-ares: A and AAAA together, with their TTL. The caller keeps what it learned. */
#ifndef PROXY_NET_DNS_H
#define PROXY_NET_DNS_H

#include "proxy/base/addr.h"

enum { DNS_ADDRESSES_MAX = 32 };
enum dns_status {
    DNS_OK,        /* at least one address */
    DNS_NO_NAME,   /* the name does not exist, or has no address: authoritative */
    DNS_TRY_LATER, /* server failure, timeout, no memory */
};

struct dns_answer {
    enum dns_status status;
    const char *reason;                   /* for the log: "NXDOMAIN", "servers_fail", "timeout" … static */
    struct addr addrs[DNS_ADDRESSES_MAX]; /* port 0; IPv6 and IPv4 interleaved, IPv6 first */
    size_t n;
    int64_t ttl_ms; /* the smallest of the records; 1 s at least, one day at most */
    bool partial;   /* one of the two families did not answer: ask again soon */
};

/* servers: "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353"; none: the system's. False and *reason when they are
 * unusable. */
bool dns_open(const char *const *servers, size_t n, const char **reason) MUST_CHECK;
void dns_close(void);

/* /etc/hosts has changed, and this is what it is now; the caller closes it. Until then it is what it was at
 * dns_open. */
void dns_take_hosts(int fd);

struct dns_wait; /* one question */
typedef void dns_done_fn(void *owner, const struct dns_answer *answer);

/* done is called once, never inside this call, never after dns_cancel; the wait is gone by then, so the owner forgets
 * its pointer. Address literals are not for here. /etc/hosts comes first. A name with a dot in it is a whole name: the
 * search list of /etc/resolv.conf is for names without one. NULL: no memory. */
struct dns_wait *dns_ask(const char *name, dns_done_fn *done, void *owner);
void dns_cancel(struct dns_wait **wait); /* safe at any time, also for NULL and twice */

#endif
