/* Addresses of peers and prefixes of networks. A v4-mapped IPv6 address is always turned into the IPv4 one
 * it means, so that one client has one identity. */
#ifndef PROXY_BASE_ADDR_H
#define PROXY_BASE_ADDR_H

#include <sys/socket.h>

#include "proxy/base/span.h"

struct addr {
    uint8_t family; /* AF_INET, AF_INET6, or AF_UNSPEC for none */
    uint16_t port;  /* host byte order */
    uint32_t scope; /* interface of a link-local IPv6 address, else 0 */
    uint8_t bytes[16];
};

struct network {
    struct addr prefix;
    uint8_t bits;
};

enum { ADDR_TEXT_MAX = 64 }; /* "[address%scope]:port" and its NUL */

bool addr_parse(struct span text, uint16_t port, struct addr *a); /* a literal without port; never asks DNS */
bool addr_from_sockaddr(const struct sockaddr *from, struct addr *a);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *to);
const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);      /* 10.0.0.7:993, [2001:db8::1]:993 */
const char *addr_host_text(const struct addr *a, char text[ADDR_TEXT_MAX]); /* without the port */
bool addr_eq(const struct addr *a, const struct addr *b);                   /* with the port */
bool addr_same_host(const struct addr *a, const struct addr *b);            /* without it */
bool addr_is_loopback(const struct addr *a);                                /* 127.0.0.0/8 or ::1 */
bool addr_is_wildcard(const struct addr *a);

/* The block by which limits count: a whole IPv4 address, the first 64 bits of an IPv6 one; port 0. */
struct addr addr_block(const struct addr *a);

bool network_parse(struct span text, struct network *n); /* "10.0.0.0/8", "2001:db8::/32", or a single address */
bool network_has(const struct network *n, const struct addr *a);

#endif
