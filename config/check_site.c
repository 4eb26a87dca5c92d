/* Rules of sites. What makes a link weaker than verified TLS must be asked for in full, and says so each time. */
#include "config/check.h"

#include <stdio.h>

enum { WHAT_MAX = 256 };

static bool uses_tls(const struct site_config *s)
{
    return s->security == SECURITY_TLS || s->security == SECURITY_STARTTLS;
}

static const char *describe(const struct site_config *s, char what[WHAT_MAX], const char *rest)
{
    snprintf(what, WHAT_MAX, "site \"%s\"%s", s->name, rest);
    return what;
}

/* --- the link --- */

static void check_loopback(const struct check *k, const struct site_config *s)
{
    for (size_t i = 0; i < s->n_backends; i++) {
        const struct backend_config *b = &s->backends[i];
        if (b->host[0] != '\0' && !addr_is_loopback(&b->literal) && strcmp(b->host, "localhost") != 0)
            report_error(k->report, report_line(k->report, b),
                         "site \"%s\": security = \"loopback\" with host = \"%s\", expected an address in 127.0.0.0/8, "
                         "::1 or localhost",
                         s->name, b->host);
    }
}

static void check_clear(const struct check *k, const struct site_config *s)
{
    char what[WHAT_MAX];
    int line = check_line(k, &s->security, s);
    if (s->networks.n == 0 && report_line(k->report, &s->networks) == 0)
        report_error(k->report, line, "site \"%s\": security = \"clear\", expected networks = ( \"...\" ) with it",
                     s->name);
    for (size_t i = 0; i < s->networks.n; i++)
        if (s->networks.at[i].bits == 0)
            report_error(k->report, check_line(k, &s->networks, s),
                         "site \"%s\": security = \"clear\" with a network of all addresses, expected only its own",
                         s->name);
    check_exception(k, &s->exception, s, line, describe(s, what, " is reached in clear text"));
}

static void check_tls(const struct check *k, const struct site_config *s)
{
    char what[WHAT_MAX];
    if (s->tls_min_version < TLS_VERSION_1_2)
        check_exception(k, &s->exception, s, check_line(k, &s->tls_min_version, s),
                        describe(s, what, " is reached by TLS older than 1.2"));
    else if (s->tls_ciphers[0] != '\0')
        check_exception(k, &s->exception, s, check_line(k, &s->tls_ciphers, s),
                        describe(s, what, " is reached with ciphers of its own"));
    if (!s->verify && s->pin_sha256[0] != '\0')
        report_error(k->report, check_line(k, &s->verify, s),
                     "site \"%s\": verify = \"none\" and pin_sha256 contradict each other, expected one of them",
                     s->name);
    else if (!s->verify)
        report_warning(k->report, check_line(k, &s->verify, s), "WEAK: %s",
                       describe(s, what, " is reached by TLS with whoever answers: verify = \"none\""));
}

/* What looks like protection and is none. */
static void check_no_tls(const struct check *k, const struct site_config *s)
{
    const struct {
        const char *name, *value;
        const void *field;
    } useless[] = {
        {"ca_file",      s->ca_file,     &s->ca_file    },
        { "verify_name", s->verify_name, &s->verify_name},
        { "pin_sha256",  s->pin_sha256,  &s->pin_sha256 },
        { "tls_ciphers", s->tls_ciphers, &s->tls_ciphers}
    };
    for (size_t i = 0; i < COUNT_OF(useless); i++)
        if (useless[i].value[0] != '\0')
            report_warning(
                k->report, check_line(k, useless[i].field, s), "site \"%s\": %s has no effect, security = \"%s\" %s",
                s->name, useless[i].name, security_names[s->security],
                s->security == SECURITY_IPSEC ? "trusts ESP, and TLS inside it proves nothing" : "knows no TLS");
}

static void check_link(const struct check *k, const struct site_config *s)
{
    if (uses_tls(s))
        check_tls(k, s);
    else
        check_no_tls(k, s);
    if (s->security == SECURITY_LOOPBACK)
        check_loopback(k, s);
    if (s->security == SECURITY_CLEAR)
        check_clear(k, s);
    check_ipsec(k, s);
    if (s->enforce_until && s->exception.until_s == 0 && report_line(k->report, &s->exception.until) == 0)
        report_error(k->report, check_line(k, &s->enforce_until, s), "site \"%s\": enforce_until without until",
                     s->name);
}

/* A connection that stands ready is nobody's yet. */
static void check_spare(const struct check *k, const struct site_config *s)
{
    int line = check_line(k, &s->spare, s);
    if (s->spare == 0)
        return;
    if (s->security == SECURITY_IPSEC)
        report_error(k->report, line,
                     "site \"%s\": spare with security = \"ipsec\", where each link is judged for its own login",
                     s->name);
    if (s->client_info == CLIENT_INFO_PROXY2)
        report_error(k->report, line,
                     "site \"%s\": spare with client_info = \"proxy2\", which must name the client before the greeting",
                     s->name);
}

/* A test account that would never be used is a mistake, not a choice. */
static void check_account(const struct check *k, const struct site_config *s)
{
    bool user = s->check_user[0] != '\0', file = s->check_password_file[0] != '\0';
    int line = check_line(k, user ? &s->check_user : &s->check_password_file, s);
    if (user != file)
        report_error(k->report, line, "site \"%s\": %s without %s, expected both or none", s->name,
                     user ? "check_user" : "check_password_file", user ? "check_password_file" : "check_user");
    else if (user && s->security == SECURITY_IPSEC)
        report_error(k->report, line,
                     "site \"%s\": check_user with security = \"ipsec\", whose back ends are not checked", s->name);
}

/* --- the back ends --- */

/* Would the port be answered by ourselves? The backends process looks again at what DNS says. */
static bool is_own_listener(const struct config *config, const struct addr *a)
{
    for (enum protocol p = IMAP; p < PROTOCOLS; p++)
        for (size_t i = 0; i < config->protocols[p].n_listeners; i++) {
            const struct addr *own = &config->protocols[p].listeners[i].address;
            if (own->port != a->port || own->family != a->family)
                continue;
            if (addr_same_host(own, a) || (addr_is_wildcard(own) && addr_is_loopback(a)))
                return true;
        }
    return false;
}

static uint16_t port_of(const struct site_config *s, const struct backend_config *b, enum protocol p)
{
    uint16_t own = p == IMAP ? b->imap_port : b->pop3_port;
    return !s->serves[p] ? 0 : own != 0 ? own : s->port[p];
}

static void check_loop(const struct check *k, const struct site_config *s, const struct backend_config *b)
{
    for (enum protocol p = IMAP; p < PROTOCOLS; p++) {
        struct addr a = b->literal;
        char text[ADDR_TEXT_MAX];
        a.port = port_of(s, b, p);
        if (a.port != 0 && is_own_listener(k->config, &a))
            report_error(k->report, report_line(k->report, b),
                         "site \"%s\": its back end %s is a listener of this front end itself", s->name,
                         addr_text(&a, text));
    }
}

static void check_backend(const struct check *k, const struct site_config *s, const struct backend_config *b)
{
    if (b->literal.family != AF_UNSPEC) {
        check_loop(k, s, b);
        if (s->networks.n > 0 && !networks_have(&s->networks, &b->literal))
            report_error(k->report, report_line(k->report, b),
                         "site \"%s\": host = \"%s\" is outside the site's networks", s->name, b->host);
    }
    for (const struct backend_config *other = s->backends; other != b && b->host[0] != '\0'; other++) {
        if (!span_eq_nocase(span_of(other->host), span_of(b->host)) || port_of(s, other, IMAP) != port_of(s, b, IMAP) ||
            port_of(s, other, POP3) != port_of(s, b, POP3))
            continue;
        report_error(k->report, report_line(k->report, b), "site \"%s\": the back end \"%s\" is there twice", s->name,
                     b->host);
        return;
    }
}

static void check_members(const struct check *k, const struct site_config *s)
{
    size_t standby = 0, drained = 0;
    for (size_t i = 0; i < s->n_backends; i++) {
        check_backend(k, s, &s->backends[i]);
        standby += s->backends[i].standby;
        drained += s->backends[i].drain;
    }
    if (s->n_backends > 0 && standby == s->n_backends)
        report_error(k->report, report_line(k->report, s),
                     "site \"%s\": all its back ends are standby, expected one that is not", s->name);
    if (s->n_backends > 0 && drained == s->n_backends)
        report_warning(k->report, report_line(k->report, s),
                       "site \"%s\": all its back ends are drained, nobody new can sign in there", s->name);
}

/* --- sites --- */

static void check_name(const struct check *k, const struct site_config *s)
{
    for (const struct site_config *other = k->config->sites; other != s; other++) {
        if (s->name[0] == '\0' || !span_eq_nocase(span_of(other->name), span_of(s->name)))
            continue;
        report_error(k->report, check_line(k, &s->name, s), "site \"%s\": the name is taken by the site of line %d",
                     s->name, other->line);
        return;
    }
}

static void check_site(const struct check *k, const struct site_config *s)
{
    check_name(k, s);
    check_members(k, s);
    check_link(k, s);
    check_spare(k, s);
    check_account(k, s);
    if (!s->serves[IMAP] && !s->serves[POP3])
        report_error(k->report, report_line(k->report, s),
                     "site \"%s\": imap and pop3 are both \"off\", expected one of them", s->name);
}

void check_sites(const struct check *k)
{
    for (size_t i = 0; i < k->config->n_sites; i++)
        check_site(k, &k->config->sites[i]);
}
