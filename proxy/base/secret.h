/* A credential in memory of its own: wiped on every path, never logged, never NUL-terminated. */
#ifndef PROXY_BASE_SECRET_H
#define PROXY_BASE_SECRET_H

#include "proxy/base/span.h"

struct secret {
    char *at;
    size_t n;
};

bool secret_set(struct secret *s, struct span bytes) MUST_CHECK; /* copies; what was there before is wiped */
void secret_wipe(struct secret *s);                              /* safe at any time, also twice */

/* The secret in a file: its first line. An editor's newline is no part of it. */
struct span secret_of_file(struct span bytes);

static inline struct span secret_span(const struct secret *s)
{
    return (struct span){ s->at, s->n };
}

#endif
