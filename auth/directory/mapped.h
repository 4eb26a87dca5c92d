/* The compiled map in force, in the memory of the auth process. */
#ifndef AUTH_DIRECTORY_MAPPED_H
#define AUTH_DIRECTORY_MAPPED_H

#include "auth/directory/map.h"

/* All zero: none. */
struct mapped {
    struct span bytes;
    struct map map;
};

/* Map the sealed file and put it in the place of what m holds. False: m is as it was, and *why (static text) says what
 * is wrong with the file. The descriptor stays the caller's. */
bool mapped_replace(struct mapped *m, int fd, const char **why) MUST_CHECK;
void mapped_drop(struct mapped *m);

static inline const struct map *mapped_map(const struct mapped *m)
{
    return m->bytes.n > 0 ? &m->map : NULL;
}

#endif
