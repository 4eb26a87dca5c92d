/* Sites as the hand-in needs them: their settings and one TLS context for each protocol. */
#include <stdlib.h>

#include "backends/login/login.h"
#include "backends/ways/site_tls.h"
#include "config/bundle.h"
#include "proxy/front/process.h"

static bool site_init(struct site *site, const struct site_config *config, struct span bundle, struct buf *why)
{
    site->config = config;
    if (config->security == SECURITY_LOOPBACK || config->security == SECURITY_CLEAR)
        return true;
    for (enum protocol p = 0; p < PROTOCOLS; p++)
        if (front.config->protocols[p].on && config->serves[p] &&
            (site->tls[p] = site_tls_new(front.config, config, p, bundle, why)) == NULL)
            return false;
    return true;
}

/* Whoever takes new files: a master password that has changed counts from the next login on. */
bool sites_take_secrets(struct span bundle, struct buf *why)
{
    for (size_t i = 0; i < front.config->n_sites; i++) {
        struct site *site = &front.sites[i];
        if (site->config->credentials != CREDENTIALS_MASTER)
            continue;
        struct span line = secret_of_file(bundle_find(bundle, site->config->master_password_file));
        if (line.n > 0 && secret_set(&site->master, line))
            continue;
        bool told = buf_printf(why, "site \"%s\": no master password", site->config->name);
        (void)told; /* a full buf has told enough */
        return false;
    }
    return true;
}

bool sites_init(struct span bundle, struct buf *why)
{
    const struct config *c = front.config;
    front.sites = calloc(c->n_sites + 1, sizeof *front.sites);
    if (front.sites == NULL)
        return false;
    for (size_t i = 0; i < c->n_sites; i++)
        if (!site_init(&front.sites[i], &c->sites[i], bundle, why))
            return false;
    offers_init();
    return sites_take_secrets(bundle, why);
}

const struct site *front_site(struct span name)
{
    ptrdiff_t i = config_site(front.config, name);
    return i >= 0 ? &front.sites[i] : NULL;
}

static bool may_forward(const struct site_config *site)
{
    bool verified = site->verify || site->pin_sha256[0] != '\0';
    bool trusted = site->security == SECURITY_LOOPBACK || site->security == SECURITY_IPSEC ||
                   (site->security != SECURITY_CLEAR && verified);
    return trusted && site->client_info == CLIENT_INFO_AUTO;
}

void site_order(const struct site *site, enum protocol protocol, struct login_order *order)
{
    const struct site_config *c = site->config;
    *order = (struct login_order){
        .site = c,
        .protocol = protocol,
        .implicit_tls = c->security == SECURITY_TLS,
        .starttls = c->security == SECURITY_STARTTLS,
        .starttls_if_offered = c->security == SECURITY_IPSEC && c->ipsec.tls == IPSEC_TLS_IF_OFFERED,
        .must_confirm = c->security == SECURITY_IPSEC,
        .may_forward = may_forward(c),
    };
}
