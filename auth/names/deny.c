/* Patterns. Each is made canonical in the same way as names are, as far as its wildcards let it be. */
#include "auth/names/deny.h"

#include <stdlib.h>

#include "auth/names/pattern.h"
#include "auth/names/precis.h"

static bool has_wildcard(struct span s)
{
    return span_has(s, '*') || span_has(s, '?');
}

/* The wildcards are ASCII, so they come through the preparation of the local part as they are. */
static char *copy_local(struct span local, bool *no_memory)
{
    struct buf to;
    buf_init(&to, PRECIS_BYTES_MAX);
    bool good = precis_username(local, &to);
    char *copy = good ? span_copy(buf_span(&to)) : NULL;
    *no_memory = good && copy == NULL;
    buf_fini(&to);
    return copy;
}

static char *copy_lower(struct span s)
{
    char *copy = span_copy(s);
    for (char *c = copy; c != NULL && *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return copy;
}

static char *copy_domain(const struct name_rules *rules, struct span domain, bool *no_memory)
{
    struct buf to;
    if (has_wildcard(domain)) {
        char *copy = copy_lower(domain);
        *no_memory = copy == NULL;
        return copy;
    }
    buf_init(&to, NAME_BYTES_MAX);
    bool good = name_canonical_domain(rules, domain, &to);
    char *copy = good ? span_copy(buf_span(&to)) : NULL;
    *no_memory = good && copy == NULL;
    buf_fini(&to);
    return copy;
}

static bool add_pattern(struct deny *d, const struct name_rules *rules, const char *text, const char **wrong)
{
    struct span s = span_of(text);
    ptrdiff_t at = span_find(s, '@');
    bool no_local, no_domain = false;
    struct deny_pattern p = { copy_local(at < 0 ? s : span_first(s, (size_t)at), &no_local), NULL };
    if (at >= 0)
        p.domain = copy_domain(rules, span_after(s, (size_t)at + 1), &no_domain);
    if (p.local != NULL && (at < 0 || p.domain != NULL)) {
        d->patterns[d->n++] = p;
        return true;
    }
    *wrong = no_local || no_domain ? NULL : text;
    free(p.local);
    free(p.domain);
    return false;
}

bool deny_init(struct deny *d, const struct name_rules *rules, const struct config *config, const char **wrong)
{
    const struct strings *list = &config->accounts.deny;
    bool good = true;
    *wrong = NULL;
    *d = (struct deny){ .patterns = calloc(list->n + 1, sizeof *d->patterns) };
    if (d->patterns == NULL)
        return false;
    for (size_t i = 0; good && i < list->n; i++)
        good = add_pattern(d, rules, list->at[i], wrong);
    return good;
}

void deny_fini(struct deny *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->patterns[i].local);
        free(d->patterns[i].domain);
    }
    free(d->patterns);
    *d = (struct deny){ 0 };
}

/* Some stores read "name+detail" as a folder of name's. */
static struct span without_detail(struct span local)
{
    ptrdiff_t plus = span_find(local, '+');
    return plus > 0 ? span_first(local, (size_t)plus) : local;
}

bool deny_has(const struct deny *d, struct span canonical)
{
    struct span local = name_local(canonical), domain = name_domain(canonical);
    for (size_t i = 0; i < d->n; i++) {
        const struct deny_pattern *p = &d->patterns[i];
        if (!pattern_fits(span_of(p->local), local) && !pattern_fits(span_of(p->local), without_detail(local)))
            continue;
        if (p->domain == NULL || (domain.at != NULL && pattern_fits(span_of(p->domain), domain)))
            return true;
    }
    return false;
}
