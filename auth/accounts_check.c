/* The check of accounts.*: are its names names? */
#include "auth/accounts_check.h"

#include "auth/names/deny.h"

static bool say(struct buf *errors, const char *file, int line, const char *option, const char *wrong,
                const char *expected)
{
    bool told = file != NULL && line > 0
                    ? buf_printf(errors, "%s:%d: %s: \"%s\" found, expected %s\n", file, line, option, wrong, expected)
                    : buf_printf(errors, "%s: \"%s\" found, expected %s\n", option, wrong, expected);
    (void)told; /* a full buf has told enough */
    return false;
}

static const char domain_expected[] = "a domain that can exist"
#ifndef HOMEWARD_HAS_IDN2
                                      " (this build knows only ASCII ones: libidn2 was not there)"
#endif
    ;

static bool check_domain(const struct domain_config *d, const struct name_rules *rules, struct buf *errors)
{
    struct buf name, is;
    buf_init(&name, NAME_BYTES_MAX);
    buf_init(&is, NAME_BYTES_MAX);
    bool good = (name_canonical_domain(rules, span_of(d->name), &name) ||
                 say(errors, d->file, d->line, "accounts.domains.name", d->name, domain_expected));
    good = (name_canonical_domain(rules, span_of(d->is), &is) ||
            say(errors, d->file, d->line, "accounts.domains.is", d->is, domain_expected)) &&
           good;
    buf_fini(&name);
    buf_fini(&is);
    return good;
}

static bool check_deny(const struct config *config, const struct name_rules *rules, struct buf *errors)
{
    const struct strings *list = &config->accounts.deny;
    struct deny deny;
    const char *wrong;
    bool good = deny_init(&deny, rules, config, &wrong);
    deny_fini(&deny);
    if (!good && wrong != NULL)
        say(errors, list->file, list->line, "accounts.deny", wrong, "a name that an account can have");
    return good;
}

bool accounts_check(const struct config *config, struct buf *errors)
{
    static const struct name_rules none;
    const struct accounts_config *a = &config->accounts;
    struct name_rules rules;
    const char *wrong;
    bool good = true;
    for (size_t i = 0; i < a->n_domains; i++)
        good = check_domain(&a->domains[i], &none, errors) && good;
    if (!good)
        return false;
    good = name_rules_init(&rules, config, &wrong);
    if (!good && wrong != NULL)
        say(errors, a->file, a->line, "accounts.default_domain", wrong, domain_expected);
    good = good && check_deny(config, &rules, errors);
    name_rules_fini(&rules);
    return good;
}
