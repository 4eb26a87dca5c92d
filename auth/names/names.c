/* Names of accounts.
 *
 * A name is taken apart after its widths are mapped, so that a fullwidth "@" or "/" separates too, and before anything
 * else is done to its parts. RFC 5321 leaves the case of local parts to the receiving host; no mail store in use tells
 * "Anna" from "anna" at login, and one that did would give one person two sets of limits. */
#include "auth/names/names.h"

#include <stdlib.h>

#include "auth/names/domains.h"
#include "auth/names/precis.h"

/* ---- the rules of this house ---- */

/* A heap copy; NULL: not a domain, or no memory (*memory). */
static char *canonical_copy(const char *domain, bool *memory)
{
    struct buf to;
    buf_init(&to, DOMAIN_BYTES_MAX);
    bool good = domain_canonical(span_of(domain), &to);
    char *copy = good ? span_copy(buf_span(&to)) : NULL;
    *memory = good && copy == NULL;
    buf_fini(&to);
    return copy;
}

static bool add_alias(struct name_rules *r, const struct domain_config *d, const char **wrong)
{
    bool no_name, no_is;
    struct name_alias a = { canonical_copy(d->name, &no_name), canonical_copy(d->is, &no_is) };
    if (a.name != NULL && a.is != NULL) {
        r->aliases[r->n_aliases++] = a;
        return true;
    }
    *wrong = no_name || no_is ? NULL : a.name == NULL ? d->name : d->is;
    free(a.name);
    free(a.is);
    return false;
}

bool name_rules_init(struct name_rules *r, const struct config *config, const char **wrong)
{
    const struct accounts_config *accounts = &config->accounts;
    bool no_memory = false, good = true;
    *wrong = NULL;
    *r = (struct name_rules){ .aliases = calloc(accounts->n_domains + 1, sizeof *r->aliases) };
    if (r->aliases == NULL)
        return false;
    for (size_t i = 0; good && i < accounts->n_domains; i++)
        good = add_alias(r, &accounts->domains[i], wrong);
    if (!good || accounts->default_domain == NULL || accounts->default_domain[0] == '\0')
        return good;
    r->default_domain = canonical_copy(accounts->default_domain, &no_memory);
    *wrong = no_memory ? NULL : accounts->default_domain;
    return r->default_domain != NULL;
}

void name_rules_fini(struct name_rules *r)
{
    for (size_t i = 0; i < r->n_aliases; i++) {
        free(r->aliases[i].name);
        free(r->aliases[i].is);
    }
    free(r->aliases);
    free(r->default_domain);
    *r = (struct name_rules){ 0 };
}

/* ---- parts ---- */

/* Aliases do not point to aliases: the check of the configuration sees to that. */
static struct span real_domain(const struct name_rules *r, struct span canonical)
{
    for (size_t i = 0; i < r->n_aliases; i++)
        if (span_eq(canonical, span_of(r->aliases[i].name)))
            return span_of(r->aliases[i].is);
    return canonical;
}

bool name_canonical_domain(const struct name_rules *r, struct span typed, struct buf *to)
{
    struct buf domain;
    buf_init(&domain, DOMAIN_BYTES_MAX);
    bool good = domain_canonical(typed, &domain) && buf_add(to, real_domain(r, buf_span(&domain)));
    buf_fini(&domain);
    return good;
}

/* Beside what no user name may have: separators of ours, and characters by which some store takes a name apart. */
static bool is_local(struct span local)
{
    for (size_t i = 0; i < local.n; i++)
        if (strchr("\"(),:;<>[]\\/@*%", local.at[i]) != NULL)
            return false;
    return local.n > 0 && local.at[0] != '.' && local.at[local.n - 1] != '.';
}

/* domain.at == NULL: it has none of its own. */
static bool add_name(const struct name_rules *r, struct span local, struct span domain, struct buf *to)
{
    if (!is_local(local) || !precis_username(local, to))
        return false;
    if (domain.at == NULL && r->default_domain == NULL)
        return true;
    if (domain.at == NULL) /* it may itself be an alias of another one */
        domain = span_of(r->default_domain);
    return buf_add_byte(to, '@') && name_canonical_domain(r, domain, to) && to->n <= NAME_BYTES_MAX;
}

/* user, user@domain, DOMAIN\user; in_domain: where a name without a domain belongs, or SPAN_NONE. */
static bool add_account(const struct name_rules *r, struct span s, struct span in_domain, struct buf *to)
{
    ptrdiff_t at = span_find(s, '@'), slash = span_find(s, '\\');
    if (at >= 0 && slash >= 0)
        return false;
    if (at >= 0)
        return add_name(r, span_first(s, (size_t)at), span_after(s, (size_t)at + 1), to);
    if (slash >= 0)
        return add_name(r, span_after(s, (size_t)slash + 1), span_first(s, (size_t)slash), to);
    return add_name(r, s, in_domain, to);
}

/* ---- the forms ---- */

static bool is_word(struct span s)
{
    return !span_has(s, '@') && !span_has(s, '\\') && !span_has(s, '/');
}

/* delegate@domain, DOMAIN/delegate, DOMAIN\delegate, delegate. */
static bool add_delegate(const struct name_rules *r, struct span s, struct buf *to)
{
    ptrdiff_t slash = span_find(s, '/');
    if (slash < 0)
        return add_account(r, s, SPAN_NONE, to);
    struct span domain = span_first(s, (size_t)slash), user = span_after(s, (size_t)slash + 1);
    return is_word(user) && add_name(r, user, domain, to);
}

static bool read_forms(const struct name_rules *r, struct span s, struct buf *login, struct buf *mailbox)
{
    ptrdiff_t slash = span_find_last(s, '/');
    if (slash < 0)
        return add_account(r, s, SPAN_NONE, login);
    struct span head = span_first(s, (size_t)slash), tail = span_after(s, (size_t)slash + 1);
    if (is_word(head) && is_word(tail))
        return add_name(r, tail, head, login);
    return add_delegate(r, head, login) && add_account(r, tail, name_domain(buf_span(login)), mailbox);
}

bool name_read(const struct name_rules *r, struct span typed, struct buf *login, struct buf *mailbox)
{
    struct buf wide;
    buf_clear(login);
    buf_clear(mailbox);
    if (typed.n == 0 || typed.n > NAME_BYTES_MAX)
        return false;
    buf_init(&wide, NAME_BYTES_MAX);
    bool good = precis_map_widths(typed, &wide) && read_forms(r, buf_span(&wide), login, mailbox);
    buf_fini(&wide);
    return good;
}

bool name_canonical(const struct name_rules *r, struct span typed, struct buf *to)
{
    struct buf mailbox;
    buf_init(&mailbox, NAME_BYTES_MAX);
    bool good = name_read(r, typed, to, &mailbox) && mailbox.n == 0;
    buf_fini(&mailbox);
    return good;
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

/* UTF-8 without the control characters of ASCII (C0, DEL) and of Latin 1 (C1: U+0080 to U+009F). */
static bool is_clean(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.at[i + 1] < 0xa0)
            return false;
    }
    return span_is_utf8(s);
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
