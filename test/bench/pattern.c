#include "test/bench/pattern.h"

#include <string.h>

static char bytes_twice[2 * PATTERN_BYTES];

void pattern_init(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t x = 88172645463325252U; /* xorshift64, the same in every process */
    for (size_t i = 0; i < PATTERN_BYTES; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes_twice[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : letters[x >> 58];
    }
    memcpy(bytes_twice + PATTERN_BYTES, bytes_twice, PATTERN_BYTES);
}

/* FNV-1a */
uint32_t pattern_start(const char *user, size_t n)
{
    uint32_t h = 2166136261U;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)user[i]) * 16777619U;
    return h % PATTERN_BYTES;
}

const char *pattern_at(uint32_t start, uint64_t offset)
{
    return bytes_twice + (start + offset) % PATTERN_BYTES;
}

bool pattern_is(uint32_t start, uint64_t offset, const char *bytes, size_t n)
{
    for (size_t done = 0, step; done < n; done += step) {
        step = n - done < PATTERN_BYTES ? n - done : PATTERN_BYTES;
        if (memcmp(pattern_at(start, offset + done), bytes + done, step) != 0)
            return false;
    }
    return true;
}
