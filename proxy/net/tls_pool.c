/* A row of blocks in address space that is only reserved until it is touched, and a stack of those that are free, so
 * that the warmest is used next. Which memory is whose, addresses tell. */
#include "proxy/net/tls_pool.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCK_BYTES = 24 * 1024 /* whole pages */, SMALL_BYTES = 8 * 1024 };

static struct {
    char *at;
    size_t n;       /* blocks there are */
    size_t n_fresh; /* of them, never used so far: the last ones */
    uint32_t *free; /* a stack */
    size_t n_free;
    size_t n_cold; /* of the stack, from its bottom: those whose memory has been given back */
} pool;

static char *block_at(size_t i)
{
    return pool.at + i * BLOCK_BYTES;
}

static int is_block(const void *p)
{
    uintptr_t at = (uintptr_t)p, first = (uintptr_t)pool.at;
    return at >= first && at < first + pool.n * BLOCK_BYTES;
}

static void *take_block(void)
{
    if (pool.n_free > 0) {
        uint32_t i = pool.free[--pool.n_free];
        if (pool.n_cold > pool.n_free)
            pool.n_cold = pool.n_free;
        return block_at(i);
    }
    return pool.n_fresh > 0 ? block_at(pool.n - pool.n_fresh--) : NULL;
}

static void *allocate(size_t n, const char *file, int line)
{
    void *p = n > SMALL_BYTES && n <= BLOCK_BYTES ? take_block() : NULL;
    (void)file;
    (void)line;
    return p != NULL ? p : n > 0 ? malloc(n) : NULL;
}

static void release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (is_block(p))
        pool.free[pool.n_free++] = (uint32_t)((size_t)((char *)p - pool.at) / BLOCK_BYTES);
    else
        free(p);
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
    if (p == NULL) /* the first time: a handshake's messages */
        return allocate(n, file, line);
    if (!is_block(p))
        return realloc(p, n);
    if (n > 0 && n <= BLOCK_BYTES)
        return p;
    void *bigger = n > 0 ? malloc(n) : NULL;
    if (bigger != NULL)
        memcpy(bigger, p, BLOCK_BYTES);
    if (bigger != NULL || n == 0)
        release(p, file, line);
    return bigger;
}

void tls_pool_open(size_t blocks)
{
    void *at =
        mmap(NULL, blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint32_t *stack = calloc(blocks, sizeof *stack);
    if (at == MAP_FAILED || stack == NULL || CRYPTO_set_mem_functions(allocate, reallocate, release) != 1) {
        if (at != MAP_FAILED)
            munmap(at, blocks * BLOCK_BYTES);
        free(stack);
        return;
    }
    madvise(at, blocks * BLOCK_BYTES, MADV_NOHUGEPAGE); /* a block that is used for one small record costs one page */
    pool.at = at;
    pool.free = stack;
    pool.n = pool.n_fresh = blocks;
}

void tls_pool_trim(void)
{
    for (size_t i = pool.n_cold; i < pool.n_free; i++)
        madvise(block_at(pool.free[i]), BLOCK_BYTES, MADV_DONTNEED);
    pool.n_cold = pool.n_free;
}
