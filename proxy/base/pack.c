/* Packing: little endian, lengths before bytes, nothing trusted on the way back. */
#include "proxy/base/pack.h"

bool pack_number(struct buf *b, uint64_t value, size_t bytes)
{
    char packed[8];
    assert(bytes <= sizeof packed);
    for (size_t i = 0; i < bytes; i++)
        packed[i] = (char)(value >> (8 * i));
    return buf_add(b, span_bytes(packed, bytes));
}

bool pack_string(struct buf *b, struct span s)
{
    return s.n <= UINT32_MAX && pack_number(b, s.n, 4) && buf_add(b, s);
}

uint64_t unpack_number(struct unpack *u, size_t bytes)
{
    uint64_t value = 0;
    if (u->bad || u->rest.n < bytes) {
        u->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)u->rest.at[i] << (8 * i);
    u->rest = span_after(u->rest, bytes);
    return value;
}

struct span unpack_string(struct unpack *u, size_t max_bytes)
{
    size_t n = unpack_number(u, 4);
    if (u->bad || n > max_bytes || n > u->rest.n) {
        u->bad = true;
        return SPAN_NONE;
    }
    struct span s = span_first(u->rest, n);
    u->rest = span_after(u->rest, n);
    return s;
}
