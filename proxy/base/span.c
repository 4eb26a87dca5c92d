/* Borrowed views of bytes. ASCII only where case matters: the protocols define nothing else. */
#include "proxy/base/span.h"

#include <stdlib.h>
#include <strings.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool span_starts(struct span s, struct span prefix)
{
    return s.n >= prefix.n && span_eq(span_first(s, prefix.n), prefix);
}

bool span_starts_nocase(struct span s, struct span prefix)
{
    return s.n >= prefix.n && span_eq_nocase(span_first(s, prefix.n), prefix);
}

bool span_contains_nocase(struct span s, struct span needle)
{
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (span_eq_nocase((struct span){ s.at + i, needle.n }, needle))
            return true;
    return false;
}

bool span_has(struct span s, char c)
{
    return span_find(s, c) >= 0;
}

int span_compare(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.at, b.at, n) : 0;
    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

ptrdiff_t span_find(struct span s, char c)
{
    const char *found = s.n > 0 ? memchr(s.at, c, s.n) : NULL;
    return found != NULL ? found - s.at : -1;
}

ptrdiff_t span_find_last(struct span s, char c)
{
    const char *found = s.n > 0 ? memrchr(s.at, c, s.n) : NULL;
    return found != NULL ? found - s.at : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool span_word(struct span *rest, struct span *word)
{
    while (rest->n > 0 && is_blank(rest->at[0]))
        *rest = span_after(*rest, 1);
    size_t n = 0;
    while (n < rest->n && !is_blank(rest->at[n]))
        n++;
    *word = span_first(*rest, n);
    *rest = span_after(*rest, n);
    while (rest->n > 0 && is_blank(rest->at[0]))
        *rest = span_after(*rest, 1);
    return n > 0;
}

struct span span_trim(struct span s)
{
    while (s.n > 0 && (is_blank(s.at[0]) || s.at[0] == '\r' || s.at[0] == '\n'))
        s = span_after(s, 1);
    while (s.n > 0 && (is_blank(s.at[s.n - 1]) || s.at[s.n - 1] == '\r' || s.at[s.n - 1] == '\n'))
        s.n--;
    return s;
}

bool span_number(struct span s, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (value > (max - digit) / 10 || digit > max)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

char *span_copy(struct span s)
{
    char *copy = malloc(s.n + 1);
    if (copy == NULL)
        return NULL;
    if (s.n > 0)
        memcpy(copy, s.at, s.n);
    copy[s.n] = '\0';
    return copy;
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629: no surrogates, no overlong forms), 0 for none. */
static size_t utf8_sequence(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.at;
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
        return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool span_is_utf8(struct span s)
{
    while (s.n > 0) {
        size_t n = utf8_sequence(s);
        if (n == 0)
            return false;
        s = span_after(s, n);
    }
    return true;
}
