/* PROXY headers. They come first, from balancers that the configuration names, and are still checked like all else. */
#include "proxy/wire/proxy_protocol.h"

#include <netinet/in.h>

enum {
    V1_MAX = 107, /* the specification's longest line, with CRLF */
    V2_FIXED = 16,
    V2_INET = 12, /* octets of the addresses and ports */
    V2_INET6 = 36,
    V2_UNIX = 216,
    V2_LOCAL = 0x20, /* version and command */
    V2_PROXY = 0x21,
};

static const struct span v1_start = { "PROXY ", 6 };
static const struct span v2_start = { "\r\n\r\n\0\r\nQUIT\n", 12 };

/* Is one of the two the start of the other? */
static bool may_become(struct span in, struct span start)
{
    size_t n = in.n < start.n ? in.n : start.n;
    return span_eq(span_first(in, n), span_first(start, n));
}

/* Version 1: PROXY TCP4 10.0.0.7 10.0.0.1 51234 993 CRLF, with single spaces */

static bool take_part(struct span *rest, struct span *part)
{
    ptrdiff_t space = span_find(*rest, ' ');
    *part = space < 0 ? *rest : span_first(*rest, (size_t)space);
    *rest = space < 0 ? SPAN_NONE : span_after(*rest, (size_t)space + 1);
    return part->n > 0;
}

static bool v1_address(struct span text, bool six, struct addr *a)
{
    return span_has(text, ':') == six && !span_has(text, '%') && !span_has(text, '\0') && addr_parse(text, 0, a);
}

static bool v1_port(struct span text, uint16_t *port)
{
    uint64_t number;
    if ((text.n > 1 && text.at[0] == '0') || !span_number(text, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

static enum proxy_read v1_line(struct span rest, struct addr *client, struct addr *server)
{
    struct span family, parts[4];
    struct addr from, to;
    if (!take_part(&rest, &family))
        return PROXY_BAD;
    if (span_eq(family, SPAN("UNKNOWN")))
        return PROXY_LOCAL; /* whatever follows must be ignored */
    bool six = span_eq(family, SPAN("TCP6"));
    if (!six && !span_eq(family, SPAN("TCP4")))
        return PROXY_BAD;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!take_part(&rest, &parts[i]))
            return PROXY_BAD;
    if (rest.at != NULL || !v1_address(parts[0], six, &from) || !v1_address(parts[1], six, &to) ||
        !v1_port(parts[2], &from.port) || !v1_port(parts[3], &to.port))
        return PROXY_BAD;
    *client = from;
    *server = to;
    return PROXY_PEER;
}

static enum proxy_read v1_read(struct span in, struct addr *client, struct addr *server, size_t *used)
{
    ptrdiff_t end = span_find(span_first(in, V1_MAX), '\n');
    if (end < 0)
        return in.n >= V1_MAX ? PROXY_BAD : PROXY_MORE;
    size_t n = (size_t)end; /* at least that of v1_start */
    if (in.at[n - 1] != '\r' || span_find(in, '\r') != end - 1)
        return PROXY_BAD;
    enum proxy_read read = v1_line(span_after(span_first(in, n - 1), v1_start.n), client, server);
    if (read != PROXY_BAD)
        *used = n + 1;
    return read;
}

/* Version 2: fixed part, addresses, and TLVs that nobody here asks for */

static void v2_addr(const uint8_t *address, const uint8_t *port, bool six, struct addr *a)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    if (six)
        memcpy(&v6.sin6_addr, address, 16);
    else
        memcpy(&v4.sin_addr, address, 4);
    addr_from_sockaddr(six ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4, a);
    a->port = (uint16_t)(port[0] << 8 | port[1]);
}

/* What a fixed part promises: the address family with the transport, and the octets that its addresses need. */
static const struct family_row {
    uint8_t family;
    enum proxy_read read;
    size_t needs;
} families[] = {
    {0x00,  PROXY_LOCAL, 0       }, /* unspecified */
    { 0x11, PROXY_PEER,  V2_INET }, /* TCP over IPv4 */
    { 0x12, PROXY_LOCAL, V2_INET }, /* UDP: not what we accepted */
    { 0x21, PROXY_PEER,  V2_INET6},
    { 0x22, PROXY_LOCAL, V2_INET6},
    { 0x31, PROXY_LOCAL, V2_UNIX },
    { 0x32, PROXY_LOCAL, V2_UNIX },
};

static enum proxy_read v2_kind(uint8_t command, uint8_t family, size_t n)
{
    if (command == V2_LOCAL)
        return PROXY_LOCAL; /* its addresses are to be ignored, family and all */
    for (size_t i = 0; i < COUNT_OF(families) && command == V2_PROXY; i++)
        if (families[i].family == family)
            return n >= families[i].needs ? families[i].read : PROXY_BAD;
    return PROXY_BAD;
}

static enum proxy_read v2_read(struct span in, struct addr *client, struct addr *server, size_t *used)
{
    const uint8_t *b = (const uint8_t *)in.at;
    if (in.n < V2_FIXED)
        return PROXY_MORE;
    size_t n = (size_t)(b[14] << 8 | b[15]);
    enum proxy_read read = v2_kind(b[12], b[13], n);
    if (read == PROXY_BAD || V2_FIXED + n > PROXY_HEADER_MAX)
        return PROXY_BAD;
    if (in.n < V2_FIXED + n)
        return PROXY_MORE;
    *used = V2_FIXED + n;
    if (read != PROXY_PEER)
        return read;
    bool six = b[13] == 0x21;
    size_t length = six ? 16 : 4;
    const uint8_t *body = b + V2_FIXED;
    v2_addr(body, body + 2 * length, six, client);
    v2_addr(body + length, body + 2 * length + 2, six, server);
    return PROXY_PEER;
}

enum proxy_read proxy_header_read(struct span in, struct addr *client, struct addr *server, size_t *used)
{
    bool v1 = may_become(in, v1_start), v2 = may_become(in, v2_start);
    if (v1 && in.n >= v1_start.n)
        return v1_read(in, client, server, used);
    if (v2 && in.n >= v2_start.n)
        return v2_read(in, client, server, used);
    return v1 || v2 ? PROXY_MORE : PROXY_BAD;
}

bool proxy_header_write(struct buf *to, const struct addr *client, const struct addr *server)
{
    uint8_t b[V2_FIXED + V2_INET6] = { 0 };
    bool six = client->family == AF_INET6;
    size_t length = six ? 16 : 4, n = 0;
    memcpy(b, v2_start.at, v2_start.n);
    b[12] = V2_LOCAL;
    if (client->family == server->family && (six || client->family == AF_INET)) {
        uint8_t *body = b + V2_FIXED;
        n = six ? V2_INET6 : V2_INET;
        b[12] = V2_PROXY;
        b[13] = six ? 0x21 : 0x11;
        b[15] = (uint8_t)n;
        memcpy(body, client->bytes, length);
        memcpy(body + length, server->bytes, length);
        body[2 * length] = (uint8_t)(client->port >> 8);
        body[2 * length + 1] = (uint8_t)client->port;
        body[2 * length + 2] = (uint8_t)(server->port >> 8);
        body[2 * length + 3] = (uint8_t)server->port;
    }
    return buf_add(to, span_bytes(b, V2_FIXED + n));
}
