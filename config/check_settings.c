/* Rules of settings: users who were told of a port that nobody listens on ask their admin, not their configuration. */
#include "config/check.h"

static bool is_served(const struct protocol_config *protocol, enum tls_mode tls)
{
    for (size_t i = 0; i < protocol->n_listeners; i++)
        if (protocol->listeners[i].tls == tls)
            return true;
    return false;
}

/* A port may differ from the listener's, behind a load balancer; how TLS begins cannot. */
void check_settings(const struct check *k)
{
    const struct settings_config *settings = &k->config->settings;
    for (size_t i = 0; i < settings->n_servers; i++) {
        const struct server_config *s = &settings->servers[i];
        if (s->protocol == SERVER_SMTP)
            continue;
        const struct protocol_config *protocol = &k->config->protocols[s->protocol == SERVER_IMAP ? IMAP : POP3];
        if (protocol->on && !is_served(protocol, s->tls))
            report_warning(k->report, check_line(k, &s->tls, s),
                           "settings.servers: users are told of %s with %s, which no listener has",
                           server_names[s->protocol], s->tls == TLS_MODE_IMPLICIT ? "implicit TLS" : "STARTTLS");
    }
}
