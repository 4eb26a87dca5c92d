/* Domains. Most are plain ASCII and never reach libidn2. */
#include "auth/names/domains.h"

#include <stdlib.h>

enum { LABEL_BYTES_MAX = 63 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Letters, digits, "-" inside, and the "_" that Windows domains may have. */
static bool is_label(struct span label)
{
    if (label.n == 0 || label.n > LABEL_BYTES_MAX || label.at[0] == '-' || label.at[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = lower(label.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool is_host(struct span s)
{
    if (s.n > DOMAIN_BYTES_MAX)
        return false;
    for (;;) {
        ptrdiff_t dot = span_find(s, '.');
        if (!is_label(dot < 0 ? s : span_first(s, (size_t)dot)))
            return false;
        if (dot < 0)
            return true;
        s = span_after(s, (size_t)dot + 1);
    }
}

static bool add_lower(struct span s, struct buf *to)
{
    char *room = buf_space(to, s.n);
    for (size_t i = 0; i < s.n && room != NULL; i++)
        room[i] = lower(s.at[i]);
    if (room != NULL)
        buf_grew(to, s.n);
    return room != NULL;
}

/* Must libidn2 look at it? A label of the form that IDNA gives may be none: it is decoded and made again. */
static bool is_international(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.at[i] >= 0x80)
            return true;
    return span_contains_nocase(s, SPAN("xn--"));
}

#ifdef HOMEWARD_HAS_IDN2
#include <idn2.h>

enum { IDNA_FLAGS = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL };

/* NULL: not a domain. The result is free()'s. */
static char *to_ascii(const char *text)
{
    uint8_t *result = NULL;
    if (idn2_lookup_u8((const uint8_t *)text, &result, IDNA_FLAGS) != IDN2_OK)
        return NULL;
    char *copy = span_copy(span_of((char *)result));
    idn2_free(result);
    return copy;
}

static char *to_unicode(const char *ascii)
{
    char *result = NULL;
    if (idn2_to_unicode_8z8z(ascii, &result, 0) != IDN2_OK)
        return NULL;
    char *copy = span_copy(span_of(result));
    idn2_free(result);
    return copy;
}

/* By way of the Unicode form, so that an ASCII form that nobody would have made is found out. */
static bool add_international(struct span s, struct buf *to)
{
    char *text = span_copy(s);
    char *ascii = text != NULL ? to_ascii(text) : NULL;
    char *unicode = ascii != NULL ? to_unicode(ascii) : NULL;
    char *again = unicode != NULL ? to_ascii(unicode) : NULL;
    struct span host = span_of(ascii);
    if (host.n > 0 && host.at[host.n - 1] == '.')
        host.n--;
    bool good = again != NULL && strcmp(ascii, again) == 0 && is_host(host) && add_lower(host, to);
    free(text);
    free(ascii);
    free(unicode);
    free(again);
    return good;
}

const char *domain_library_version(void)
{
    return idn2_check_version(NULL);
}
#else
const char *domain_library_version(void)
{
    return "";
}

static bool add_international(struct span s UNUSED, struct buf *to UNUSED)
{
    return false;
}
#endif

bool domain_canonical(struct span s, struct buf *to)
{
    if (s.n > 0 && s.at[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n > 4 * DOMAIN_BYTES_MAX || span_has(s, '\0'))
        return false;
    if (is_international(s))
        return span_is_utf8(s) && add_international(s, to);
    return is_host(s) && add_lower(s, to);
}
