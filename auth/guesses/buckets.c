/* Leaky buckets: what is in one is worked out when it is looked at. */
#include "auth/guesses/buckets.h"

#include <stddef.h>
#include <string.h>

struct bucket *buckets_set(const struct buckets *t, uint64_t hash)
{
    return &t->at[(hash >> 16) % t->sets * t->ways];
}

struct bucket *buckets_find(const struct buckets *t, uint64_t hash, uint64_t key)
{
    struct bucket *set = buckets_set(t, hash);
    for (uint32_t i = 0; i < t->ways; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

/* A time that lies ahead can only be damage: then nothing has leaked. */
uint32_t bucket_level(const struct bucket *b, uint64_t leak, uint32_t now_s)
{
    if (b == NULL)
        return 0;
    uint64_t passed = now_s > b->at_s ? now_s - b->at_s : 0, level = b->level;
    if (level > BUCKET_MOST)
        level = BUCKET_MOST;
    return (uint32_t)(passed * leak < level ? level - passed * leak : 0);
}

struct bucket *buckets_get(const struct buckets *t, uint64_t key, uint64_t leak, uint32_t now_s)
{
    struct bucket *set = buckets_set(t, key), *place = &set[0];
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < t->ways; i++) {
        struct bucket *b = &set[i];
        if (b->key == key)
            return b;
        uint32_t level = b->key == 0 ? 0 : bucket_level(b, leak, now_s);
        if (level > least || (level == least && b->at_s >= place->at_s))
            continue;
        least = level;
        place = b;
    }
    *place = (struct bucket){ .key = key, .at_s = now_s };
    return place;
}

static ptrdiff_t find_mark(const struct bucket *b, uint16_t mark)
{
    for (ptrdiff_t i = 0; mark != 0 && i < BUCKET_MARKS; i++)
        if (b->marks[i] == mark)
            return i;
    return -1;
}

bool bucket_has_mark(const struct bucket *b, uint16_t mark)
{
    return b != NULL && find_mark(b, mark) >= 0;
}

/* Those in front of its old place move up by one: what is said again and again is not forgotten. */
static void remember(struct bucket *b, ptrdiff_t old, uint16_t mark)
{
    size_t before = old < 0 ? BUCKET_MARKS - 1 : (size_t)old;
    memmove(&b->marks[1], &b->marks[0], before * sizeof b->marks[0]);
    b->marks[0] = mark;
}

void bucket_fail(struct bucket *b, uint16_t mark, uint64_t leak, uint32_t now_s)
{
    ptrdiff_t old = find_mark(b, mark);
    uint32_t level = bucket_level(b, leak, now_s);
    if (mark != 0)
        remember(b, old, mark);
    b->level = old >= 0 ? level : level > BUCKET_MOST - BUCKET_FAILURE ? BUCKET_MOST : level + BUCKET_FAILURE;
    b->at_s = now_s;
}
