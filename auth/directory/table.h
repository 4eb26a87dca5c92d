/* Sorted tables of keys and values in one piece of memory: written once by whoever reads a large text file, mapped by
 * whoever looks things up. All numbers are little endian.
 *
 *   header     magic (8, of the owner), length of everything (8), number of entries (8)
 *   entries    in the order of their keys: length of key (2), of value (4), key, value
 *   index      per entry: where it starts (8) */
#ifndef AUTH_DIRECTORY_TABLE_H
#define AUTH_DIRECTORY_TABLE_H

#include "proxy/base/buf.h"

enum { TABLE_MAGIC_BYTES = 8 };

/* Writing. Entries come in any order. */
struct table_draft;
struct table_writer {
    struct buf packed;
    struct table_draft *drafts;
    size_t n, room;
};
void table_writer_init(struct table_writer *w, size_t bytes_max);
void table_writer_fini(struct table_writer *w);
/* line: of the text, for table_writer_double. False: no memory, or over bytes_max. */
bool table_writer_add(struct table_writer *w, struct span key, struct span value, size_t line) MUST_CHECK;
/* Sort. Then each key that stands there again, with both lines: false when there is none (more). *at starts at 0. */
void table_writer_sort(struct table_writer *w);
bool table_writer_double(const struct table_writer *w, size_t *at, struct span *key, size_t *first, size_t *again);
bool table_writer_write(struct table_writer *w, struct span magic, struct buf *to) MUST_CHECK; /* after the sort */

/* Reading. */
struct table {
    struct span bytes;
    const unsigned char *index;
    size_t n;
};
/* Checks every offset that a look-up will follow. Keeps borrowing. */
bool table_open(struct table *t, struct span magic, struct span bytes) MUST_CHECK;
struct span table_value(const struct table *t, size_t i);                    /* of entry i < n, in the order of keys */
bool table_find(const struct table *t, struct span key, struct span *value); /* O(log n), no allocation */

#endif
