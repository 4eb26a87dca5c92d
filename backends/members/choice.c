/* Weighted rendezvous hashing: of all members the one with the greatest weight / -ln(h) wins, where h in (0, 1] is the
 * hash of mailbox and member. Each then wins in proportion to its weight (the minimum of exponential variables), and
 * the order of the others does not change when one leaves. Any base of the logarithm gives the same order. */
#include "backends/members/choice.h"

#include "proxy/net/hash.h"

enum { NAME_MAX = 4096 };

uint64_t choice_distance(uint64_t hash)
{
    uint64_t fraction = 0;
    if (hash == 0)
        hash = 1;
    int shift = __builtin_clzll(hash);
    uint64_t x = hash << shift; /* 1 <= x < 2, the point behind the first bit */
    for (int bit = 31; bit >= 0; bit--) {
        unsigned __int128 square = (unsigned __int128)x * x; /* squaring doubles the logarithm */
        bool carry = (uint64_t)(square >> 127) != 0;
        x = (uint64_t)(square >> (carry ? 64 : 63));
        if (carry)
            fraction |= (uint64_t)1 << bit;
    }
    uint64_t log2_of_hash = ((uint64_t)(63 - shift) << 32) + fraction;
    uint64_t distance = ((uint64_t)64 << 32) - log2_of_hash;
    return distance == 0 ? 1 : distance;
}

static uint64_t hash_of(const struct choice_member *m, struct span mailbox)
{
    uint64_t hash;
    if (mailbox.at == NULL) {
        random_bytes(&hash, sizeof hash);
        return hash;
    }
    char bytes[NAME_MAX];
    struct span box = span_first(mailbox, NAME_MAX / 2);
    struct span name = span_first(m->name, NAME_MAX / 2 - 1);
    memcpy(bytes, box.at, box.n);
    bytes[box.n] = '|';
    memcpy(bytes + box.n + 1, name.at, name.n);
    return hash_stable(span_bytes(bytes, box.n + 1 + name.n));
}

struct scored {
    const struct choice_member *member;
    uint64_t distance;
};

/* Greater weight / distance first; distances have at most 39 bits and weights 7, so the products fit. */
static bool nearer(const struct scored *a, const struct scored *b)
{
    uint64_t left = (uint64_t)a->member->weight * b->distance;
    uint64_t right = (uint64_t)b->member->weight * a->distance;
    return left != right ? left > right : span_compare(a->member->name, b->member->name) < 0;
}

static int rank_of(const struct choice_member *m)
{
    return m->avoided ? 2 : m->standby ? 1 : 0;
}

static bool better(const struct scored *a, const struct scored *b)
{
    if (rank_of(a->member) != rank_of(b->member))
        return rank_of(a->member) < rank_of(b->member);
    if (a->member->avoided && a->member->returns_ms != b->member->returns_ms)
        return a->member->returns_ms < b->member->returns_ms;
    return nearer(a, b);
}

size_t choice_order(const struct choice_member *members, size_t n, struct span mailbox, uint8_t order[BACKENDS_MAX])
{
    struct scored scored[BACKENDS_MAX];
    size_t n_order = 0;
    for (size_t i = 0; i < n && i < BACKENDS_MAX; i++) {
        if (members[i].skip)
            continue;
        scored[i] = (struct scored){ &members[i], choice_distance(hash_of(&members[i], mailbox)) };
        size_t at = n_order++;
        for (; at > 0 && better(&scored[i], &scored[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
    return n_order;
}
