/* A borrowed view of bytes: never owns, never ends in NUL, may be empty.
 * Everything that came from outside is handled as spans until it has been checked. */
#ifndef PROXY_BASE_SPAN_H
#define PROXY_BASE_SPAN_H

#include <string.h>

#include "proxy/base/check.h"

struct span {
    const char *at;
    size_t n;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_NONE ((struct span){ NULL, 0 })
/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)(s).n, (s).n > 0 ? (s).at : ""

static inline struct span span_of(const char *text)
{
    return (struct span){ text, text != NULL ? strlen(text) : 0 };
}

static inline struct span span_bytes(const void *at, size_t n)
{
    return (struct span){ at, n };
}

/* What remains of s after its first n bytes (all of them when it has fewer). */
static inline struct span span_after(struct span s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return n == 0 ? s : (struct span){ s.at + n, s.n - n };
}

static inline struct span span_first(struct span s, size_t n)
{
    return (struct span){ s.at, n < s.n ? n : s.n };
}

bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b); /* ASCII letters only, as the mail protocols have it */
bool span_starts(struct span s, struct span prefix);
bool span_starts_nocase(struct span s, struct span prefix);
bool span_contains_nocase(struct span s, struct span needle);
bool span_has(struct span s, char c);
int span_compare(struct span a, struct span b); /* like memcmp, a shorter prefix first */

/* Offset of the first (last) c, or -1. */
ptrdiff_t span_find(struct span s, char c);
ptrdiff_t span_find_last(struct span s, char c);

/* Take the next word from *rest: bytes up to a space or tab, the separators skipped on both sides.
 * False when nothing is left. */
bool span_word(struct span *rest, struct span *word);

struct span span_trim(struct span s); /* without spaces, tabs, CR and LF at both ends */

/* Decimal digits only, no sign, no space; false when empty, something else, or over max. */
bool span_number(struct span s, uint64_t max, uint64_t *number);

/* A heap copy ending in NUL; NULL when memory is short. The caller frees it. */
char *span_copy(struct span s);

bool span_is_utf8(struct span s);

#endif
