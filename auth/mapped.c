/* The map in memory. Offsets are checked once, when it is opened: that holds only for bytes that nobody can change or
 * cut off any more, so the file must be sealed. */
#include "auth/mapped.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && (seals & F_SEAL_WRITE) != 0;
}

bool mapped_replace(struct mapped *m, int fd, const char **why)
{
    struct mapped new;
    struct stat file;
    *why = "it is not sealed memory";
    if (!is_sealed(fd) || fstat(fd, &file) != 0)
        return false;
    *why = "it is empty";
    if (file.st_size <= 0)
        return false;
    *why = "it cannot be mapped into memory";
    new.at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (new.at == MAP_FAILED)
        return false;
    *why = "it is not a map that this version has compiled";
    if (!map_open(&new.map, span_bytes(new.at, (size_t)file.st_size))) {
        munmap(new.at, (size_t)file.st_size);
        return false;
    }
    mapped_drop(m);
    *m = new;
    return true;
}

void mapped_drop(struct mapped *m)
{
    if (m->at != NULL)
        munmap(m->at, m->map.bytes.n);
    *m = (struct mapped){ 0 };
}
