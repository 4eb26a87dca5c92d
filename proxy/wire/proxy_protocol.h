/* The PROXY protocol, versions 1 and 2: how a balancer tells who the client is.
 * https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt */
#ifndef PROXY_WIRE_PROXY_PROTOCOL_H
#define PROXY_WIRE_PROXY_PROTOCOL_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"

enum { PROXY_HEADER_MAX = 16 + 2048 /* version 2 with its TLVs; longer ones are refused */ };

enum proxy_read {
    PROXY_MORE,  /* nothing decided yet */
    PROXY_PEER,  /* client and server are set */
    PROXY_LOCAL, /* LOCAL, UNKNOWN or an address family that is not IP: the connection speaks for itself */
    PROXY_BAD,   /* not a PROXY header */
};

/* The header from the front of in; *used is its length (set for PEER and LOCAL only). */
enum proxy_read proxy_header_read(struct span in, struct addr *client, struct addr *server, size_t *used) MUST_CHECK;

/* Version 2, command PROXY, TCP over the client's family (both must be of one family, else LOCAL is written). */
bool proxy_header_write(struct buf *to, const struct addr *client, const struct addr *server) MUST_CHECK;

#endif
