/* TLS towards the back ends of a site, by its settings: the fronts' for their users, and this process's for the logins
 * of checks. Sites in clear text have none. */
#ifndef BACKENDS_WAYS_SITE_TLS_H
#define BACKENDS_WAYS_SITE_TLS_H

#include "config/config.h"
#include "proxy/net/tls.h"

/* bundle: with the CAs (config/bundle.h). NULL: a line in why. */
struct tls_client *site_tls_new(const struct config *config, const struct site_config *site, enum protocol protocol,
                                struct span bundle, struct buf *why);

#endif
