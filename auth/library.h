/* Libraries that only some verifiers need are opened when one of these is configured: the other processes, which face
 * the network, neither map nor initialise them. */
#ifndef AUTH_LIBRARY_H
#define AUTH_LIBRARY_H

#include "proxy/base/buf.h"

struct library_symbol {
    const char *name;
    size_t at; /* of the function pointer in the table */
};

/* Fills the table. False: *why says what is missing. Opening twice is fine; it stays open. */
bool library_open(const char *file, const struct library_symbol *symbols, size_t n, void *table,
                  struct buf *why) MUST_CHECK;

#endif
