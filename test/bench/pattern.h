/* The bytes of every message: known to the store and to the load generator, so that each end compares all that it gets
 * with what it must be, byte for byte. They look like mail (base64 lines, no dot), and where they begin depends on the
 * user, so that a byte of somebody else's session is noticed. */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_BYTES = 262147 }; /* a prime: no buffer's length divides it */

void pattern_init(void);
uint32_t pattern_start(const char *user, size_t n);

/* The bytes from there on; PATTERN_BYTES of them can be read. */
const char *pattern_at(uint32_t start, uint64_t offset);
bool pattern_is(uint32_t start, uint64_t offset, const char *bytes, size_t n);

#endif
