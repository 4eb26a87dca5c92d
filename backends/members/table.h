/* A hash table of things that embed their entry, so that adding one needs no memory of its own. The caller hashes
 * (hash_keyed, since outsiders choose the keys) and compares. */
#ifndef BACKENDS_MEMBERS_TABLE_H
#define BACKENDS_MEMBERS_TABLE_H

#include "proxy/base/check.h"

struct table_entry {
    struct table_entry *next;
    uint64_t hash;
};

/* Zero-initialised memory is an empty table. */
struct table {
    struct table_entry **buckets;
    size_t n_buckets; /* a power of two */
    size_t n;
};

bool table_add(struct table *t, struct table_entry *e, uint64_t hash) MUST_CHECK; /* false: no memory for a start */
void table_remove(struct table *t, struct table_entry *e);                        /* e must be in t */
void table_fini(struct table *t); /* the buckets only; entries belong to their owners */

/* All entries with this hash, one after another; NULL after the last. */
struct table_entry *table_first(const struct table *t, uint64_t hash);
struct table_entry *table_next(const struct table_entry *e);

#endif
