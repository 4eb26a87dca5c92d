/* From the settings of a site to a TLS context. */
#include "backends/ways/site_tls.h"

#include "config/bundle.h"

struct tls_client *site_tls_new(const struct config *config, const struct site_config *site, enum protocol protocol,
                                struct span bundle, struct buf *why)
{
    bool extra = site->security == SECURITY_IPSEC; /* ESP has proved the machine; its certificate is not asked to */
    const char *ca = site_ca_file(config, site);
    return tls_client_new(&(struct tls_client_order){ .ca_name = ca,
                                                      .ca = bundle_find(bundle, ca),
                                                      .verify = site->verify && !extra,
                                                      .verify_name = extra ? "" : site->verify_name,
                                                      .pin_sha256 = extra ? "" : site->pin_sha256,
                                                      .min_version = (int)site->tls_min_version,
                                                      .ciphers = site->tls_ciphers,
                                                      .alpn = protocol_names[protocol] },
                          why);
}
