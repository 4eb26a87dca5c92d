/* The hash table: chains, doubled when they would grow longer than one on average. */
#include "backends/members/table.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

static struct table_entry **bucket_of(const struct table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->n_buckets - 1)];
}

/* A table that cannot grow stays as it is: slower, but right. */
static bool grow(struct table *t)
{
    size_t n_buckets = t->n_buckets == 0 ? BUCKETS_MIN : 2 * t->n_buckets;
    struct table bigger = { .n_buckets = n_buckets, .n = t->n };
    bigger.buckets = calloc(n_buckets, sizeof *bigger.buckets);
    if (bigger.buckets == NULL)
        return t->n_buckets > 0;
    for (size_t i = 0; i < t->n_buckets; i++) {
        for (struct table_entry *e = t->buckets[i], *next; e != NULL; e = next) {
            struct table_entry **bucket = bucket_of(&bigger, e->hash);
            next = e->next;
            e->next = *bucket;
            *bucket = e;
        }
    }
    free(t->buckets);
    *t = bigger;
    return true;
}

bool table_add(struct table *t, struct table_entry *e, uint64_t hash)
{
    if (t->n >= t->n_buckets && !grow(t))
        return false;
    struct table_entry **bucket = bucket_of(t, hash);
    e->hash = hash;
    e->next = *bucket;
    *bucket = e;
    t->n++;
    return true;
}

void table_remove(struct table *t, struct table_entry *e)
{
    struct table_entry **at = bucket_of(t, e->hash);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    e->next = NULL;
    t->n--;
}

void table_fini(struct table *t)
{
    free(t->buckets);
    *t = (struct table){ 0 };
}

static struct table_entry *with_hash(struct table_entry *e, uint64_t hash)
{
    while (e != NULL && e->hash != hash)
        e = e->next;
    return e;
}

struct table_entry *table_first(const struct table *t, uint64_t hash)
{
    return t->n_buckets == 0 ? NULL : with_hash(*bucket_of(t, hash), hash);
}

struct table_entry *table_next(const struct table_entry *e)
{
    return with_hash(e->next, e->hash);
}
