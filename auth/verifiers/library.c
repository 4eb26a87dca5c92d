/* Opening libraries. */
#include "auth/verifiers/library.h"

#include <dlfcn.h>
#include <malloc.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static bool say(struct buf *why, const char *file)
{
    const char *error = dlerror();
    bool told = buf_printf(why, "%s cannot be used: %s", file, error != NULL ? error : "unknown");
    (void)told; /* a full buf has told enough */
    return false;
}

bool library_open(const char *file, const struct library_symbol *symbols, size_t n, void *table, struct buf *why)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return say(why, file);
    for (size_t i = 0; i < n; i++) {
        void *found = dlsym(library, symbols[i].name);
        if (found == NULL)
            return say(why, file);
        /* lint: it was set two lines above */
        memcpy((char *)table + symbols[i].at, &found, sizeof found);
    }
    return true;
}

/* ---- memory ---- */

void *library_malloc(size_t n, void *context UNUSED)
{
    return malloc(n);
}

void *library_calloc(size_t n, size_t each, void *context UNUSED)
{
    return calloc(n, each);
}

void library_free(void *p, void *context UNUSED)
{
    if (p != NULL)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

/* Never realloc(3), which may leave a copy behind. */
void *library_realloc(void *p, size_t n, void *context)
{
    size_t had = p != NULL ? malloc_usable_size(p) : 0;
    if (had >= n && p != NULL)
        return p;
    void *larger = malloc(n);
    if (larger == NULL)
        return NULL;
    if (had > 0)
        memcpy(larger, p, had);
    library_free(p, context);
    return larger;
}

/* ---- names ---- */

void library_resolver(void)
{
    struct addrinfo *found = NULL;
    if (getaddrinfo("localhost", NULL, NULL, &found) == 0)
        freeaddrinfo(found);
}
