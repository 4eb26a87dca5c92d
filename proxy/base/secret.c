/* Credentials: one owner, one copy, wiped before the memory goes back. */
#include "proxy/base/secret.h"

#include <stdlib.h>

bool secret_set(struct secret *s, struct span bytes)
{
    char *at = malloc(bytes.n > 0 ? bytes.n : 1);
    if (at == NULL)
        return false;
    if (bytes.n > 0)
        memcpy(at, bytes.at, bytes.n);
    secret_wipe(s);
    s->at = at;
    s->n = bytes.n;
    return true;
}

void secret_wipe(struct secret *s)
{
    if (s->at != NULL)
        explicit_bzero(s->at, s->n);
    free(s->at);
    *s = (struct secret){ 0 };
}

struct span secret_of_file(struct span bytes)
{
    ptrdiff_t end = span_find(bytes, '\n');
    struct span line = end < 0 ? bytes : span_first(bytes, (size_t)end);
    if (line.n > 0 && line.at[line.n - 1] == '\r')
        line.n--;
    return line;
}
