/* A hash table of small records under numbers of 64 bits, all in one block of memory: no allocation per record, no
 * pointer per record. It shrinks again after a flood. */
#ifndef AUTH_DIRECTORY_RECORDS_H
#define AUTH_DIRECTORY_RECORDS_H

#include "proxy/base/check.h"

struct record { /* what each record begins with */
    uint64_t key;
    uint32_t n; /* never 0 in a record that is in use: the owner's counter, or 1 */
};

struct records {
    char *at;
    size_t record_bytes;
    size_t room; /* records */
    size_t n;
    uint64_t mixer; /* odd, random: who chooses the keys cannot choose where they go */
};

void records_init(struct records *t, size_t record_bytes);
void records_fini(struct records *t); /* all memory back; t is empty and usable again */

/* Pointers to records are valid until the next add or remove. */
void *records_find(const struct records *t, uint64_t key);     /* NULL: none */
void *records_add(struct records *t, uint64_t key) MUST_CHECK; /* zeroed but for key and n = 1; NULL: no memory */
void records_remove(struct records *t, void *record);
void *records_next(const struct records *t, const void *record); /* in no order; NULL: the first; at the end: NULL */

#endif
