/* Addresses. Small and comparable, unlike a sockaddr_storage of 128 bytes with padding. */
#include "proxy/base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

static size_t length_of(const struct addr *a)
{
    return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void unmap(struct addr *a)
{
    if (a->family != AF_INET6 || memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) != 0)
        return;
    a->family = AF_INET;
    memmove(a->bytes, a->bytes + 12, 4);
    memset(a->bytes + 4, 0, 12);
}

bool addr_parse(struct span text, uint16_t port, struct addr *a)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    *a = (struct addr){ .port = port };
    if (text.n == 0 || text.n >= sizeof host || span_has(text, '\0'))
        return false;
    memcpy(host, text.at, text.n);
    host[text.n] = '\0';
    if (inet_pton(AF_INET, host, a->bytes) == 1) {
        a->family = AF_INET;
        return true;
    }
    char *scope = strchr(host, '%');
    if (scope != NULL) {
        *scope = '\0';
        a->scope = if_nametoindex(scope + 1);
        if (a->scope == 0)
            return false;
    }
    if (inet_pton(AF_INET6, host, a->bytes) != 1)
        return false;
    a->family = AF_INET6;
    unmap(a);
    return true;
}

bool addr_from_sockaddr(const struct sockaddr *from, struct addr *a)
{
    *a = (struct addr){ 0 };
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        a->family = AF_INET;
        a->port = ntohs(v4->sin_port);
        memcpy(a->bytes, &v4->sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        a->family = AF_INET6;
        a->port = ntohs(v6->sin6_port);
        a->scope = v6->sin6_scope_id;
        memcpy(a->bytes, &v6->sin6_addr, 16);
        unmap(a);
        return true;
    }
    return false;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (a->family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)to;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(a->port);
        memcpy(&v4->sin_addr, a->bytes, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(a->port);
    v6->sin6_scope_id = a->scope;
    memcpy(&v6->sin6_addr, a->bytes, 16);
    return sizeof *v6;
}

const char *addr_host_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    if (length_of(a) == 0 || inet_ntop(a->family, a->bytes, text, ADDR_TEXT_MAX) == NULL)
        snprintf(text, ADDR_TEXT_MAX, "-");
    return text;
}

const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    char host[ADDR_TEXT_MAX];
    addr_host_text(a, host);
    snprintf(text, ADDR_TEXT_MAX, a->family == AF_INET6 ? "[%.46s]:%u" : "%.46s:%u", host, a->port);
    return text;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, length_of(a)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return addr_same_host(a, b) && a->port == b->port;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = { [15] = 1 };
    if (a->family == AF_INET)
        return a->bytes[0] == 127;
    return a->family == AF_INET6 && memcmp(a->bytes, one, 16) == 0;
}

bool addr_is_wildcard(const struct addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->bytes, zero, length_of(a)) == 0;
}

struct addr addr_block(const struct addr *a)
{
    struct addr block = { .family = a->family };
    memcpy(block.bytes, a->bytes, a->family == AF_INET6 ? 8 : length_of(a));
    return block;
}

bool network_parse(struct span text, struct network *n)
{
    ptrdiff_t slash = span_find(text, '/');
    struct span host = slash < 0 ? text : span_first(text, (size_t)slash);
    uint64_t bits;
    if (!addr_parse(host, 0, &n->prefix))
        return false;
    size_t bits_max = 8 * length_of(&n->prefix);
    if (slash < 0)
        bits = bits_max;
    else if (!span_number(span_after(text, (size_t)slash + 1), bits_max, &bits))
        return false;
    n->bits = (uint8_t)bits;
    return true;
}

bool network_has(const struct network *n, const struct addr *a)
{
    if (n->prefix.family != a->family)
        return false;
    size_t whole = n->bits / 8;
    if (memcmp(n->prefix.bytes, a->bytes, whole) != 0)
        return false;
    if (n->bits % 8 == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - n->bits % 8));
    return ((n->prefix.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}
