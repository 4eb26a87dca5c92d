/* Rules across options: listeners against each other, protocols against sites, exceptions against the calendar. */
#include "config/check.h"

#include <stdio.h>
#include <time.h>

enum { WHAT_MAX = 256 }; /* bytes of a description for a message */

int check_line(const struct check *k, const void *field, const void *item)
{
    int line = report_line(k->report, field);
    return line > 0 ? line : report_line(k->report, item);
}

void check_exception(const struct check *k, const struct exception *e, const void *item, int line, const char *what)
{
    bool reason_written = e->reason[0] != '\0' || report_line(k->report, &e->reason) > 0;
    bool until_written = e->until[0] != '\0' || report_line(k->report, &e->until) > 0; /* a wrong one has been told */
    if (!reason_written || !until_written)
        report_error(k->report, line, "%s: this needs reason = \"...\" and until = \"YYYY-MM-DD\", %s missing", what,
                     reason_written  ? "until is"
                     : until_written ? "reason is"
                                     : "both are");
    else if (e->reason[0] == '\0' && e->until_s != 0)
        report_error(k->report, check_line(k, &e->reason, item), "%s: the reason is empty, expected why", what);
    else if (e->until_s != 0 && e->until_s <= k->now_s)
        report_error(k->report, check_line(k, &e->until, item),
                     "WEAK-OVERDUE: %s: until = \"%s\" has passed, expected a secure setting or a new day", what,
                     e->until);
    else if (e->until_s != 0)
        report_warning(k->report, line, "WEAK: %s until %s: %s", what, e->until, e->reason);
}

/* --- one listener --- */

static const char *describe(const struct listener_config *l, char what[WHAT_MAX], const char *rest)
{
    char text[ADDR_TEXT_MAX];
    char any[ADDR_TEXT_MAX];
    snprintf(any, sizeof any, "*:%u", l->address.port);
    snprintf(what, WHAT_MAX, "%s listener %s%s", protocol_names[l->protocol],
             l->any ? any : addr_text(&l->address, text), rest);
    return what;
}

static void check_clear(const struct check *k, const struct listener_config *l)
{
    char what[WHAT_MAX];
    if (l->tls == TLS_MODE_NONE && !l->clear_login)
        report_error(k->report, check_line(k, &l->tls, l),
                     "%s: tls = \"none\" without clear_login = true, so that nobody could sign in",
                     describe(l, what, ""));
    else if (l->tls != TLS_MODE_IMPLICIT && l->clear_login && !addr_is_loopback(&l->address))
        report_warning(k->report, check_line(k, &l->clear_login, l), "WEAK: %s",
                       describe(l, what, " takes passwords in clear text"));
}

static void check_tls(const struct check *k, const struct listener_config *l)
{
    char what[WHAT_MAX];
    if (l->tls == TLS_MODE_NONE)
        return;
    if (k->config->tls.n_certificates == 0)
        report_error(k->report, check_line(k, &l->tls, l), "%s: uses TLS, expected tls.certificates",
                     describe(l, what, ""));
    if (l->tls_min_version < TLS_VERSION_1_2)
        check_exception(k, &l->exception, l, check_line(k, &l->tls_min_version, l),
                        describe(l, what, " takes TLS older than 1.2"));
    else if (l->tls_ciphers[0] != '\0')
        check_exception(k, &l->exception, l, check_line(k, &l->tls_ciphers, l),
                        describe(l, what, " takes ciphers of its own"));
}

static bool has_everybody(const struct networks *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].bits == 0)
            return true;
    return false;
}

static void check_trust(const struct check *k, const struct listener_config *l)
{
    char what[WHAT_MAX];
    if (has_everybody(&l->proxy_protocol_from))
        report_warning(k->report, check_line(k, &l->proxy_protocol_from, l), "WEAK: %s",
                       describe(l, what, " believes the PROXY header of everybody, so any address can be claimed"));
    if (has_everybody(&l->trusted_proxies))
        report_warning(k->report, check_line(k, &l->trusted_proxies, l), "WEAK: %s",
                       describe(l, what, " believes everybody's word about the client's address"));
}

static void check_listener(const struct check *k, const struct listener_config *l)
{
    check_clear(k, l);
    check_tls(k, l);
    check_trust(k, l);
}

/* --- listeners among themselves --- */

static bool collide(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family || a->port != b->port)
        return false;
    return addr_is_wildcard(a) || addr_is_wildcard(b) || (addr_same_host(a, b) && a->scope == b->scope);
}

/* l against all listeners that stand before it. */
static void check_collision(const struct check *k, const struct listener_config *l)
{
    for (enum protocol p = IMAP; p <= l->protocol; p++) {
        const struct protocol_config *protocol = &k->config->protocols[p];
        for (size_t i = 0; i < protocol->n_listeners && &protocol->listeners[i] != l; i++) {
            char what[WHAT_MAX], other[WHAT_MAX];
            if (!collide(&l->address, &protocol->listeners[i].address))
                continue;
            report_error(k->report, check_line(k, &l->address.port, l), "%s: the port is taken by the %s of line %d",
                         describe(l, what, ""), describe(&protocol->listeners[i], other, ""),
                         protocol->listeners[i].line);
            return;
        }
    }
}

static void check_protocol(const struct check *k, enum protocol p)
{
    const struct protocol_config *protocol = &k->config->protocols[p];
    const bool *on = &protocol->on;
    if (!*on)
        return;
    for (size_t i = 0; i < protocol->n_listeners; i++) {
        const struct listener_config *l = &protocol->listeners[i];
        if (report_line(k->report, l) > 0)
            check_listener(k, l);
        if (!l->any || l->address.family == AF_INET) /* the other half of "*" is told with the first */
            check_collision(k, l);
    }
    size_t served = 0;
    for (size_t i = 0; i < k->config->n_sites; i++)
        served += k->config->sites[i].serves[p];
    if (served == 0)
        report_error(k->report, report_line(k->report, on), "%s: no site serves it, expected at least one in sites",
                     protocol_names[p]);
}

static void check_idle(const struct check *k)
{
    static const int64_t least_s[PROTOCOLS] = { 1800, 600 };
    static const char *const rfc[PROTOCOLS] = { "RFC 9051", "RFC 1939" };
    for (enum protocol p = IMAP; p < PROTOCOLS; p++) {
        const struct protocol_config *protocol = &k->config->protocols[p];
        if (protocol->on && protocol->idle_timeout_s < least_s[p])
            report_warning(k->report, report_line(k->report, &protocol->idle_timeout_s),
                           "%s.idle_timeout_s: %lld is shorter than the %lld of %s, clients will lose their sessions",
                           protocol_names[p], (long long)protocol->idle_timeout_s, (long long)least_s[p], rfc[p]);
    }
}

static void check_limits(const struct check *k)
{
    const struct config *c = k->config;
    if (c->limits.site_login_timeout_s > c->limits.login_timeout_s)
        report_error(k->report, check_line(k, &c->limits.site_login_timeout_s, &c->limits.login_timeout_s),
                     "limits.site_login_timeout_s: %lld found, expected no more than login_timeout_s, which is %lld",
                     (long long)c->limits.site_login_timeout_s, (long long)c->limits.login_timeout_s);
    if (c->limits.connect_timeout_ms > c->limits.site_login_timeout_s * SECOND)
        report_error(
            k->report, check_line(k, &c->limits.connect_timeout_ms, &c->limits.site_login_timeout_s),
            "limits.connect_timeout_ms: %lld found, expected no more than site_login_timeout_s, which is %lld s",
            (long long)c->limits.connect_timeout_ms, (long long)c->limits.site_login_timeout_s);
}

void check_config(const struct config *config, struct report *report)
{
    struct check k = { .config = config, .report = report, .now_s = (int64_t)time(NULL) };
    for (enum protocol p = IMAP; p < PROTOCOLS; p++)
        check_protocol(&k, p);
    check_idle(&k);
    check_limits(&k);
    check_sites(&k);
    check_accounts(&k);
    check_auth(&k);
    check_guessing(&k);
    check_settings(&k);
    bool on = config->protocols[IMAP].on || config->protocols[POP3].on;
    bool needs_map = on && config->directory.driver == DIRECTORY_FILE;
    if (needs_map && config->directory.path[0] == '\0' && report_line(report, &config->directory.path) == 0)
        report_error(report, 0, "directory.path: missing, expected the path of the directory map");
}
