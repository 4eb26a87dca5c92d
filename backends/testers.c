/* One tester for each site of the configuration; those without check_user are empty. */
#include "backends/testers.h"

#include <stdlib.h>

#include "backends/ways/site_tls.h"
#include "config/bundle.h"

static struct tester *testers;
static size_t n_testers;

static void free_all(struct tester *of, size_t n)
{
    for (size_t i = 0; of != NULL && i < n; i++) {
        secret_wipe(&of[i].password);
        for (enum protocol p = 0; p < PROTOCOLS; p++)
            tls_client_free(&of[i].tls[p]);
    }
    free(of);
}

static bool take(struct tester *t, const struct config *config, const struct site_config *site, struct span bundle,
                 struct buf *why)
{
    struct span password = secret_of_file(bundle_find(bundle, site->check_password_file));
    bool tls = site->security == SECURITY_TLS || site->security == SECURITY_STARTTLS;
    if (password.n == 0 || !secret_set(&t->password, password)) {
        bool told = buf_printf(why, "%s: no password in its first line", site->check_password_file);
        (void)told; /* a full buf has told enough */
        return false;
    }
    for (enum protocol p = 0; tls && p < PROTOCOLS; p++)
        if (site->serves[p] && (t->tls[p] = site_tls_new(config, site, p, bundle, why)) == NULL)
            return false;
    return true;
}

bool testers_take(const struct config *config, struct span bundle, struct buf *why)
{
    struct tester *fresh = calloc(config->n_sites + 1, sizeof *fresh);
    bool good = fresh != NULL;
    for (size_t i = 0; good && i < config->n_sites; i++)
        if (config->sites[i].check_user[0] != '\0')
            good = take(&fresh[i], config, &config->sites[i], bundle, why);
    if (!good) {
        free_all(fresh, config->n_sites);
        return false;
    }
    testers_close();
    testers = fresh;
    n_testers = config->n_sites;
    return true;
}

void testers_close(void)
{
    free_all(testers, n_testers);
    testers = NULL;
    n_testers = 0;
}

const struct tester *tester_of(const struct site *site)
{
    return site->number < n_testers && site->config->check_user[0] != '\0' ? &testers[site->number] : NULL;
}
