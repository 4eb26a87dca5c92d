/* Libraries that only some verifiers need are opened when one of these is configured: the other processes, which face
 * the network, neither map nor initialise them. */
#ifndef AUTH_VERIFIERS_LIBRARY_H
#define AUTH_VERIFIERS_LIBRARY_H

#include "proxy/base/buf.h"

struct library_symbol {
    const char *name;
    size_t at; /* of the function pointer in the table */
};

/* Fills the table. False: *why says what is missing. Opening twice is fine; it stays open. */
bool library_open(const char *file, const struct library_symbol *symbols, size_t n, void *table,
                  struct buf *why) MUST_CHECK;

/* Memory for a library through which secrets pass: whatever it gives back is wiped. context: of libraries that have
 * one; not looked at. */
void *library_malloc(size_t n, void *context);
void *library_calloc(size_t n, size_t each, void *context);
void *library_realloc(void *p, size_t n, void *context);
void library_free(void *p, void *context);

/* Has the C library's resolver read and open now what it would at its first question. */
void library_resolver(void);

#endif
