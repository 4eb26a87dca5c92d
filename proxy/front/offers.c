/* What is offered to clients before the login: only mechanisms that can succeed for every site. And what of a
 * credential auth is shown: nothing, where the home site judges it. */
#include "proxy/front/process.h"

static bool has_verifier(enum verifier_driver driver)
{
    const struct config *c = front.config;
    for (size_t i = 0; i < c->auth.n_verifiers; i++)
        if (c->auth.verifiers[i].driver == driver)
            return true;
    return false;
}

static bool knows_passwords(void)
{
    return has_verifier(VERIFIER_FILE) || has_verifier(VERIFIER_HTTP) || has_verifier(VERIFIER_LDAP);
}

bool site_lists(const struct site_config *site, enum sasl_mechanism m)
{
    for (size_t i = 0; i < site->bearer.n; i++)
        if (sasl_find(span_of(site->bearer.at[i])) == m)
            return true;
    return false;
}

static bool can_succeed(const struct site_config *site, enum sasl_mechanism m)
{
    bool master = site->credentials == CREDENTIALS_MASTER;
    if (!sasl_is_bearer(m))
        return knows_passwords() || (has_verifier(VERIFIER_SITE) && !master);
    if (master)
        return has_verifier(VERIFIER_OAUTH);
    return site_lists(site, m) && (has_verifier(VERIFIER_OAUTH) || has_verifier(VERIFIER_SITE));
}

void offers_init(void)
{
    const struct config *c = front.config;
    for (enum sasl_mechanism m = SASL_NONE; m < SASL_MECHANISMS; m++) {
        size_t n = 0;
        for (size_t i = 0; i < c->n_sites; i++)
            n += can_succeed(&c->sites[i], m);
        front.offered[m] = n == c->n_sites && (n > 0 || !sasl_is_bearer(m));
        front.taken[m] = n > 0 || front.offered[m];
        front.shown[m] = sasl_is_bearer(m) ? has_verifier(VERIFIER_OAUTH) : knows_passwords();
    }
}
