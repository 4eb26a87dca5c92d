/* Sealed memfds. */
#include "proxy/supervisor/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALED = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, SIZE_SEALED = SEALED & ~F_SEAL_WRITE };

static bool write_all(int fd, struct span bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.at, bytes.n);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            bytes = span_after(bytes, (size_t)n);
    }
    return true;
}

int blob_make(const char *name, struct span bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && write_all(fd, bytes) && fcntl(fd, F_ADD_SEALS, SEALED) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int blob_make_table(const char *name, size_t bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, SIZE_SEALED) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool blob_map(int fd, struct span *bytes)
{
    struct stat is;
    int seals = fcntl(fd, F_GET_SEALS);
    *bytes = SPAN_NONE;
    if (seals < 0 || (seals & SEALED) != SEALED || fstat(fd, &is) != 0 || is.st_size > BLOB_MAX)
        return false;
    if (is.st_size == 0)
        return true;
    void *at = mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return false;
    *bytes = span_bytes(at, (size_t)is.st_size);
    return true;
}

void blob_unmap(struct span *bytes)
{
    if (bytes->at != NULL)
        munmap((void *)bytes->at, bytes->n);
    *bytes = SPAN_NONE;
}

bool blob_same(int a, int b)
{
    struct span in_a = SPAN_NONE, in_b = SPAN_NONE;
    bool same = blob_map(a, &in_a) && blob_map(b, &in_b) && span_eq(in_a, in_b);
    blob_unmap(&in_a);
    blob_unmap(&in_b);
    return same;
}
