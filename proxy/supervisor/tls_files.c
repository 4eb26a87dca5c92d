/* Certificates, keys and CAs, tried as a front would use them. All are tried, so that all that is wrong is said at
 * once. */
#include "proxy/supervisor/tls_files.h"

#include "config/bundle.h"
#include "proxy/net/tls.h"

static bool check_certificate(const struct certificate_config *c, struct span bundle, struct buf *errors,
                              struct buf *warnings)
{
    struct tls_certificate certificate = { .chain_name = c->chain,
                                           .key_name = c->key,
                                           .chain = bundle_find(bundle, c->chain),
                                           .key = bundle_find(bundle, c->key) };
    return tls_certificate_check(&certificate, errors, warnings);
}

static bool was_checked(const struct config *config, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (strcmp(config->sites[before].ca_file, config->sites[i].ca_file) == 0)
            return true;
    return false;
}

/* Only CAs that somebody needs are in the bundle. */
static bool check_ca(const char *path, struct span bundle, struct buf *errors)
{
    struct span ca = bundle_find(bundle, path);
    return ca.at == NULL || tls_ca_check(path, ca, errors);
}

bool tls_files_check(const struct config *config, struct span bundle, struct buf *errors, struct buf *warnings)
{
    bool good = check_ca(config->tls.ca_file, bundle, errors);
    for (size_t i = 0; i < config->tls.n_certificates; i++)
        good = check_certificate(&config->tls.certificates[i], bundle, errors, warnings) && good;
    for (size_t i = 0; i < config->n_sites; i++)
        if (config->sites[i].ca_file[0] != '\0' && !was_checked(config, i))
            good = check_ca(config->sites[i].ca_file, bundle, errors) && good;
    return good;
}
