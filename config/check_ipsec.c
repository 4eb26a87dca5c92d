/* Rules of sites behind IPsec. A policy hangs on one socket, and a socket has one family: so the back ends are literal
 * addresses of one family. A v4-mapped address on an IPv6 socket would go out in clear without any error. */
#include "config/check.h"

#include <inttypes.h>

const char *const ipsec_algorithm_names[IPSEC_ALGORITHMS] = {
    [IPSEC_AES_GCM] = "aes-gcm",
    [IPSEC_AES_CBC_SHA2] = "aes-cbc-sha2",
    [IPSEC_CHACHA20] = "chacha20-poly1305",
    [IPSEC_AES_CBC_SHA1] = "aes-cbc-sha1",
    [IPSEC_3DES_SHA1] = "3des-sha1",
};

unsigned ipsec_algorithms(const struct ipsec_config *ipsec)
{
    unsigned set = 0;
    for (size_t i = 0; i < ipsec->algorithms.n; i++)
        for (unsigned a = 0; a < IPSEC_ALGORITHMS; a++)
            if (strcmp(ipsec->algorithms.at[i], ipsec_algorithm_names[a]) == 0)
                set |= 1U << a;
    return set != 0 ? set : 1U << IPSEC_AES_GCM | 1U << IPSEC_AES_CBC_SHA2;
}

bool ipsec_is_weak(const struct ipsec_config *ipsec)
{
    return (ipsec_algorithms(ipsec) & 1U << IPSEC_3DES_SHA1) != 0;
}

static const char *what_is_wrong(const struct site_config *s, const struct backend_config *b)
{
    if (b->literal.family == AF_UNSPEC)
        return "expected an IP address: a policy belongs to one address, and no DNS answer may change it";
    if (b->literal.family == AF_INET && strchr(b->host, ':') != NULL)
        return "expected the IPv4 address as it is, not mapped into IPv6";
    if (addr_is_loopback(&b->literal) || addr_is_wildcard(&b->literal))
        return "expected the address of another machine";
    if (b->literal.family != s->backends[0].literal.family && s->backends[0].literal.family != AF_UNSPEC)
        return "expected back ends of one address family, all IPv4 or all IPv6";
    return NULL;
}

static void check_hosts(const struct check *k, const struct site_config *s)
{
    for (size_t i = 0; i < s->n_backends; i++) {
        const struct backend_config *b = &s->backends[i];
        const char *wrong = b->host[0] != '\0' ? what_is_wrong(s, b) : NULL;
        if (wrong != NULL)
            report_error(k->report, report_line(k->report, b),
                         "site \"%s\": security = \"ipsec\" with host = \"%s\", %s", s->name, b->host, wrong);
    }
}

static bool share_a_host(const struct site_config *a, const struct site_config *b)
{
    for (size_t i = 0; i < a->n_backends; i++)
        for (size_t j = 0; j < b->n_backends; j++)
            if (addr_same_host(&a->backends[i].literal, &b->backends[j].literal))
                return true;
    return false;
}

/* The kernel takes an answer from every association of the reqid, whoever has its keys. */
static void check_reqid(const struct check *k, const struct site_config *s)
{
    if (s->ipsec.reqid == 0)
        report_error(
            k->report, check_line(k, &s->ipsec, s),
            "site \"%s\": security = \"ipsec\", expected ipsec = { reqid = ...; } with it, a whole number from 1 to "
            "%" PRIu32,
            s->name, UINT32_MAX);
    for (const struct site_config *other = k->config->sites; other != s && s->ipsec.reqid != 0; other++)
        if (other->security == SECURITY_IPSEC && other->ipsec.reqid == s->ipsec.reqid && !share_a_host(s, other))
            report_warning(
                k->report, check_line(k, &s->ipsec, s),
                "WEAK: site \"%s\" has the reqid of site \"%s\": the machines of one can answer for the other", s->name,
                other->name);
}

static void check_algorithms(const struct check *k, const struct site_config *s)
{
    if (ipsec_is_weak(&s->ipsec))
        report_warning(k->report, check_line(k, &s->ipsec.algorithms, s),
                       "WEAK: site \"%s\" may be reached with \"3des-sha1\", an outdated cipher", s->name);
}

void check_ipsec(const struct check *k, const struct site_config *s)
{
    if (s->security != SECURITY_IPSEC) {
        if (s->ipsec.reqid != 0)
            report_error(k->report, check_line(k, &s->ipsec, s),
                         "site \"%s\": ipsec protects nothing here, expected security = \"ipsec\" with it", s->name);
        return;
    }
    check_reqid(k, s);
    check_hosts(k, s);
    check_algorithms(k, s);
    if (s->client_info == CLIENT_INFO_PROXY2)
        report_error(
            k->report, check_line(k, &s->client_info, s),
            "site \"%s\": client_info = \"proxy2\" with security = \"ipsec\", expected \"auto\" or \"off\": no store "
            "of that kind reads it",
            s->name);
}
