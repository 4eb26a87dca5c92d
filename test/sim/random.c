/* The seed, and everything that is drawn from it. */
#include "test/sim/sim.h"

static uint64_t state, digest;
static struct span fed;

void random_begin(uint64_t seed)
{
    state = (seed + 1) * 0x9e3779b97f4a7c15u;
    digest = 0;
    for (int i = 0; i < 4; i++)
        random_below(2);
}

void random_feed(struct span bytes)
{
    fed = bytes;
}

static uint64_t take_fed(size_t n)
{
    uint64_t value = 0;
    for (; n > 0 && fed.n > 0; n--) {
        value = value << 8 | (unsigned char)fed.at[0];
        fed = span_after(fed, 1);
    }
    return value;
}

static uint64_t draw(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1du;
}

uint32_t random_below(uint32_t n)
{
    uint32_t value = fed.n > 0 ? (uint32_t)(take_fed(n > 256 ? 2 : 1) % n) : (uint32_t)((draw() >> 32) * n >> 32);
    digest = digest * 31 + value + 1;
    return value;
}

bool random_chance(unsigned per_mille)
{
    return random_below(1000) < per_mille;
}

size_t random_size(size_t most)
{
    if (most <= 1 || random_below(3) != 0)
        return most > 0 ? most : 1;
    size_t small = most < 16 ? most : most < 512 ? 16 : most / 8;
    return 1 + random_below((uint32_t)(random_below(2) == 0 ? small : most));
}

void random_text(char *to, size_t n, const char *alphabet)
{
    uint32_t letters = (uint32_t)strlen(alphabet);
    for (size_t i = 0; i < n; i++)
        to[i] = alphabet[random_below(letters)];
    to[n] = '\0';
}

void random_noise(char *to, size_t n, const char *alphabet)
{
    size_t raw = 0;
    for (; raw < n && fed.n > 0 && fed.at[0] != '\0'; raw++)
        to[raw] = (char)take_fed(1);
    random_text(to + raw, n - raw, alphabet);
}

uint64_t random_digest(void)
{
    return digest;
}
