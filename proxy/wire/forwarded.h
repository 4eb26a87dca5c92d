/* What a front end tells a store about the client, and believes from a front end before it: the ID keys
 * x-originating-ip, x-originating-port, x-connected-ip, x-connected-port, x-session-id, x-proxy-ttl, and POP3's XCLIENT
 * ADDR PORT SESSION TTL. */
#ifndef PROXY_WIRE_FORWARDED_H
#define PROXY_WIRE_FORWARDED_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"

enum { FORWARDED_SESSION_MAX = 64, FORWARDED_TTL_START = 5 };

/* Begin with { .ttl = -1 }. */
struct forwarded {
    struct addr client;    /* the real client; AF_UNSPEC: not told */
    struct addr connected; /* the address of ours that it reached */
    struct span session;   /* an id for both logs, printable without space, quote and backslash; borrowed */
    int ttl;               /* how many more front ends may follow; -1: not told */
};

/* One ID pair. False: not one of the keys above, or its value is unusable (it is ignored then). */
bool forwarded_take_id(struct forwarded *f, struct span key, struct span value);
/* `ADDR=10.0.0.7 PORT=51234 SESSION=… TTL=4`, the argument of XCLIENT; values may be xtext (RFC 3461 4). False:
 * malformed. */
bool forwarded_take_xclient(struct forwarded *f, struct span argument) MUST_CHECK;

/* `"x-originating-ip" "10.0.0.7" …`, without the parentheses, and XCLIENT's argument; nothing for what is not told.
 * False: the session is not such an id, or `to` is full; `to` is unchanged then. */
bool forwarded_write_id(struct buf *to, const struct forwarded *f) MUST_CHECK;
bool forwarded_write_xclient(struct buf *to, const struct forwarded *f) MUST_CHECK;

#endif
