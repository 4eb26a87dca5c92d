/* Opening libraries. */
#include "auth/library.h"

#include <dlfcn.h>
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
        memcpy((char *)table + symbols[i].at, &found, sizeof found);
    }
    return true;
}
