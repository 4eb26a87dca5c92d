/* What all verifiers share. */
#include "auth/verifiers/verifier.h"

#include "auth/names/pattern.h"

static bool is_port_of(const struct site_config *site, const struct backend_config *b, enum protocol protocol,
                       uint16_t port)
{
    uint16_t own = protocol == IMAP ? b->imap_port : b->pop3_port;
    return port == 0 || port == (own != 0 ? own : site->port[protocol]);
}

static bool has_host(const struct site_config *site, struct span host, enum protocol protocol, uint16_t port)
{
    struct addr literal;
    bool is_literal = addr_parse(host, 0, &literal);
    for (size_t i = 0; i < site->n_backends; i++) {
        const struct backend_config *b = &site->backends[i];
        bool same = span_eq_nocase(span_of(b->host), host) || (is_literal && addr_same_host(&b->literal, &literal));
        if (same && is_port_of(site, b, protocol, port))
            return true;
    }
    return false;
}

enum { VALUE_BYTES_MAX = 1024 };

/* Hosts and the names of directories know no case. */
static bool value_fits(struct span pattern, struct span value)
{
    char lower[2][VALUE_BYTES_MAX];
    struct span both[] = { pattern, value };
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        if (both[i].n > VALUE_BYTES_MAX)
            return false;
        for (size_t k = 0; k < both[i].n; k++) {
            char c = both[i].at[k];
            lower[i][k] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
        }
    }
    return pattern_fits(span_bytes(lower[0], pattern.n), span_bytes(lower[1], value.n));
}

const char *verifier_site(const struct verifier *v, struct span value, enum protocol protocol, uint16_t port)
{
    const struct config *house = v->house;
    for (size_t i = 0; i < v->config->n_sites; i++)
        if (value_fits(span_of(v->config->sites[i].value), value))
            return v->config->sites[i].site;
    for (size_t i = 0; i < house->n_sites; i++)
        if (span_eq_nocase(span_of(house->sites[i].name), value))
            return house->sites[i].name;
    for (size_t i = 0; i < house->n_sites; i++)
        if (has_host(&house->sites[i], value, protocol, port))
            return house->sites[i].name;
    return NULL;
}
