/* Rules of accounts. What a domain or a name means is auth's knowledge; here they are compared as they are written. */
#include "config/check.h"

static const struct domain_config *find_domain(const struct accounts_config *a, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (name[0] != '\0' && span_eq_nocase(span_of(a->domains[i].name), span_of(name)))
            return &a->domains[i];
    return NULL;
}

/* An alias of an alias would make the canonical form depend on how often it is made. */
static void check_domains(const struct check *k)
{
    const struct accounts_config *a = &k->config->accounts;
    for (size_t i = 0; i < a->n_domains; i++) {
        const struct domain_config *d = &a->domains[i];
        const struct domain_config *before = find_domain(a, i, d->name);
        const struct domain_config *next = find_domain(a, a->n_domains, d->is);
        if (before != NULL)
            report_error(k->report, check_line(k, &d->name, d),
                         "accounts.domains: the name \"%s\" is taken by line %d, expected it once", d->name,
                         before->line);
        if (next != NULL)
            report_error(k->report, check_line(k, &d->is, d),
                         "accounts.domains: \"%s\" is itself another name of \"%s\" (line %d), expected that one",
                         d->is, next->is, next->line);
    }
}

void check_accounts(const struct check *k)
{
    check_domains(k);
}
