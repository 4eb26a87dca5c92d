/* Numbers and strings in a fixed byte order, for messages between processes and for compiled files.
 * A taker that runs out of bytes remembers it: take everything, then look at `bad` once. */
#ifndef PROXY_BASE_PACK_H
#define PROXY_BASE_PACK_H

#include "proxy/base/buf.h"

bool pack_number(struct buf *b, uint64_t value, size_t bytes) MUST_CHECK; /* little endian; bytes is 1, 2, 4 or 8 */
bool pack_string(struct buf *b, struct span s) MUST_CHECK;                /* 32-bit length, then the bytes */

struct unpack {
    struct span rest;
    bool bad; /* ran out of bytes, or a string was longer than allowed */
};

uint64_t unpack_number(struct unpack *u, size_t bytes);
struct span unpack_string(struct unpack *u, size_t max_bytes); /* borrows from the packed bytes */

#endif
