/* Names of mailboxes.
 *
 * RFC 5321 leaves the case of local parts to the receiving host; no mail store in use tells "Anna" from "anna" at
 * login, and one that did would give one person two sets of limits. Only ASCII is folded: what folds further depends
 * on a Unicode version, and a name must mean the same on every machine. */
#include "auth/names.h"

/* UTF-8 without the control characters of ASCII (C0, DEL) and of Latin 1 (C1: U+0080 to U+009F). */
static bool is_clean(struct span s)
{
    bool ascii = true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.at[i + 1] < 0xa0)
            return false;
        ascii = ascii && c < 0x80;
    }
    return ascii || span_is_utf8(s);
}

static bool add_folded(struct buf *to, struct span s)
{
    char *space = buf_space(to, s.n);
    if (space == NULL)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.at[i];
        space[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    buf_grew(to, s.n);
    return true;
}

static struct span without_last_dot(struct span domain)
{
    return domain.n > 0 && domain.at[domain.n - 1] == '.' ? span_first(domain, domain.n - 1) : domain;
}

bool name_canonical_domain(struct span typed, struct buf *to)
{
    struct span domain = without_last_dot(typed);
    if (domain.n == 0 || domain.n > NAME_BYTES_MAX || domain.at[domain.n - 1] == '.')
        return false;
    return !span_has(domain, '@') && is_clean(domain) && add_folded(to, domain);
}

bool name_canonical(struct span typed, struct buf *to)
{
    buf_clear(to);
    if (typed.n == 0 || typed.n > NAME_BYTES_MAX)
        return false;
    ptrdiff_t at = span_find(typed, '@');
    struct span local = at < 0 ? typed : span_first(typed, (size_t)at);
    if (local.n == 0 || !is_clean(local) || !add_folded(to, local))
        return false;
    if (at < 0)
        return true;
    return buf_add_byte(to, '@') && name_canonical_domain(span_after(typed, (size_t)at + 1), to);
}

struct span name_local(struct span canonical)
{
    ptrdiff_t at = span_find(canonical, '@');
    return at < 0 ? canonical : span_first(canonical, (size_t)at);
}

struct span name_domain(struct span canonical)
{
    ptrdiff_t at = span_find(canonical, '@');
    return at < 0 ? SPAN_NONE : span_after(canonical, (size_t)at + 1);
}

bool name_format_is_valid(struct span format)
{
    for (size_t i = 0; i < format.n; i++) {
        if (format.at[i] != '%')
            continue;
        i++;
        if (i == format.n || !span_has(SPAN("undt%"), format.at[i]))
            return false;
    }
    return format.n > 0 && is_clean(format);
}

static bool add_part(struct buf *to, char what, struct span canonical, struct span typed)
{
    switch (what) {
    case 'u':
        return buf_add(to, canonical);
    case 'n':
        return buf_add(to, name_local(canonical));
    case 'd':
        return name_domain(canonical).n > 0 && buf_add(to, name_domain(canonical));
    case 't':
        return buf_add(to, typed);
    default:
        return buf_add_byte(to, '%');
    }
}

bool name_expand(struct span format, struct span canonical, struct span typed, struct buf *to)
{
    buf_clear(to);
    if (!name_format_is_valid(format))
        return false;
    while (format.n > 0) {
        ptrdiff_t percent = span_find(format, '%');
        if (percent < 0)
            return buf_add(to, format);
        if (!buf_add(to, span_first(format, (size_t)percent)))
            return false;
        if (!add_part(to, format.at[percent + 1], canonical, typed))
            return false;
        format = span_after(format, (size_t)percent + 2);
    }
    return to->n > 0;
}
