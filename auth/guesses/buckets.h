/* Leaky buckets in tables of a fixed size: how many distinct failures there were lately, for a name or an address whose
 * hash is the key. Nothing here is told what a key means, does I/O, or allocates; times are seconds of a monotonic
 * clock.
 *
 * A table is sets of a few places. Where a key goes is decided by a keyed hash, so nobody can aim at a set. When a set
 * is full the lightest bucket goes, of equal ones the one that was left alone longest: whoever would wash away a heavy
 * one must fill its whole set, hence all sets, with buckets as heavy, and each of those costs as many failures. That is
 * never cheaper than what it buys back.
 *
 * Two processes may use a table at the same time (while one takes over from the other): every bucket stands for itself,
 * and the worst that a race does is to lose a failure. */
#ifndef AUTH_GUESSES_BUCKETS_H
#define AUTH_GUESSES_BUCKETS_H

#include "proxy/base/check.h"

enum {
    BUCKET_MARKS = 20,     /* wrong credentials that one remembers */
    BUCKET_FAILURE = 3600, /* what one failure adds: a bucket that leaks n failures an hour leaks n of this a second */
    BUCKET_MOST = 1000 * BUCKET_FAILURE
};

/* All zeroes: a free place. */
struct bucket {
    uint64_t key;
    uint32_t group;               /* for the owner: what else lives in the same set on purpose */
    uint32_t at_s;                /* when `level` was true */
    uint32_t level;               /* 0 to BUCKET_MOST */
    uint32_t seen_s;              /* for the owner */
    uint16_t marks[BUCKET_MARKS]; /* the newest first; 0: none */
};

/* `ways` places a set; at: sets * ways buckets, which may hold anything. */
struct buckets {
    struct bucket *at;
    uint32_t sets, ways;
};

/* The first place of the set of a hash. */
struct bucket *buckets_set(const struct buckets *t, uint64_t hash);

struct bucket *buckets_find(const struct buckets *t, uint64_t hash, uint64_t key); /* NULL: none; key is not 0 */

/* The bucket of a key in the set of the same hash, made if there is none. */
struct bucket *buckets_get(const struct buckets *t, uint64_t key, uint64_t leak, uint32_t now_s);

/* In BUCKET_FAILUREs; leak: failures an hour. NULL is an empty one. */
uint32_t bucket_level(const struct bucket *b, uint64_t leak, uint32_t now_s);

/* Was it among the last wrong ones? Never for mark 0, which stands for an unknown one. */
bool bucket_has_mark(const struct bucket *b, uint16_t mark);

/* One failure; one that it remembers adds nothing. */
void bucket_fail(struct bucket *b, uint16_t mark, uint64_t leak, uint32_t now_s);

#endif
