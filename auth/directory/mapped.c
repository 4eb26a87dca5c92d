/* The map in memory. */
#include "auth/directory/mapped.h"

#include "auth/directory/sealed.h"

bool mapped_replace(struct mapped *m, int fd, const char **why)
{
    struct mapped new = { .bytes = SPAN_NONE };
    if (!sealed_map(fd, &new.bytes, why))
        return false;
    *why = "it is not a map that this version has compiled";
    if (!map_open(&new.map, new.bytes)) {
        sealed_unmap(&new.bytes);
        return false;
    }
    mapped_drop(m);
    *m = new;
    return true;
}

void mapped_drop(struct mapped *m)
{
    sealed_unmap(&m->bytes);
    *m = (struct mapped){ 0 };
}
