/* Mapping sealed memory. */
#include "auth/directory/sealed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && (seals & F_SEAL_WRITE) != 0;
}

bool sealed_map(int fd, struct span *bytes, const char **why)
{
    struct stat file;
    *bytes = SPAN_NONE;
    *why = "it is not sealed memory";
    if (!is_sealed(fd) || fstat(fd, &file) != 0)
        return false;
    *why = "it is empty";
    if (file.st_size <= 0)
        return false;
    *why = "it cannot be mapped into memory";
    void *at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED)
        return false;
    *bytes = span_bytes(at, (size_t)file.st_size);
    return true;
}

void sealed_unmap(struct span *bytes)
{
    if (bytes->n > 0)
        munmap((void *)bytes->at, bytes->n);
    *bytes = SPAN_NONE;
}
