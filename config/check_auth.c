/* Rules of auth.verifiers, and of verifiers against sites: what cannot work together is refused, not found out by the
 * first user. */
#include "config/check.h"

#include <stdio.h>

#define OF(driver) (1U << VERIFIER_##driver)

enum { WHERE_MAX = 96 };

struct verifier_check {
    const struct check *k;
    const struct verifier_config *v;
    const void *whole;     /* whose line stands for what is missing */
    char where[WHERE_MAX]; /* auth.verifiers[0] */
};

static int line_of(const struct verifier_check *c, const void *field)
{
    return check_line(c->k, field, c->whole);
}

/* --- one verifier --- */

/* What belongs to one driver, and which driver cannot do without it. */
static const struct {
    const char *name;
    size_t at;
    unsigned drivers, needed;
} strings[] = {
    {"path",               offsetof(struct verifier_config, path),              OF(FILE),                        OF(FILE)},
    { "ca_file",           offsetof(struct verifier_config, ca_file),           OF(HTTP) | OF(OAUTH) | OF(LDAP), 0       },
    { "secret_file",       offsetof(struct verifier_config, secret_file),       OF(HTTP) | OF(OAUTH) | OF(LDAP), 0       },
    { "secret_header",     offsetof(struct verifier_config, secret_header),     OF(HTTP),                        0       },
    { "client_id",         offsetof(struct verifier_config, client_id),         OF(OAUTH),                       0       },
    { "scope",             offsetof(struct verifier_config, scope),             OF(OAUTH),                       0       },
    { "audience",          offsetof(struct verifier_config, audience),          OF(OAUTH),                       0       },
    { "bind_dn",           offsetof(struct verifier_config, bind_dn),           OF(LDAP),                        0       },
    { "base",              offsetof(struct verifier_config, base),              OF(LDAP),                        OF(LDAP)},
    { "filter",            offsetof(struct verifier_config, filter),            OF(LDAP),                        OF(LDAP)},
    { "name_attribute",    offsetof(struct verifier_config, name_attribute),    OF(LDAP),                        0       },
    { "site_attribute",    offsetof(struct verifier_config, site_attribute),    OF(LDAP),                        0       },
    { "user_attribute",    offsetof(struct verifier_config, user_attribute),    OF(LDAP),                        0       },
    { "options_attribute", offsetof(struct verifier_config, options_attribute), OF(LDAP),                        0       },
};

static void check_strings(const struct verifier_check *c)
{
    unsigned driver = 1U << c->v->driver;
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        const char *const *field = (const char *const *)((const char *)c->v + strings[i].at);
        bool written = report_line(c->k->report, field) > 0;
        if (*field[0] != '\0' && (strings[i].drivers & driver) == 0 && written)
            report_error(c->k->report, line_of(c, field), "%s.%s: found with driver = \"%s\", expected it without",
                         c->where, strings[i].name, verifier_driver_names[c->v->driver]);
        if ((strings[i].needed & driver) != 0 && *field[0] == '\0')
            report_error(c->k->report, line_of(c, c->whole), "%s.%s: missing, expected with driver = \"%s\"", c->where,
                         strings[i].name, verifier_driver_names[c->v->driver]);
    }
}

static bool is_loopback_url(const char *url)
{
    struct span host = span_after(span_of(url), (size_t)(strstr(url, "://") - url) + 3);
    size_t n = strcspn(host.at, host.n > 0 && host.at[0] == '[' ? "]" : ":/");
    struct addr a;
    host = span_first(host, n);
    if (host.n > 0 && host.at[0] == '[')
        host = span_after(host, 1);
    return span_eq_nocase(host, SPAN("localhost")) || (addr_parse(host, 0, &a) && addr_is_loopback(&a));
}

static void check_url(const struct verifier_check *c, const char *url)
{
    bool ldap = c->v->driver == VERIFIER_LDAP;
    bool is_ldap = strncmp(url, "ldap", 4) == 0,
         clear = strncmp(url, "http://", 7) == 0 || strncmp(url, "ldap://", 7) == 0;
    int line = line_of(c, &c->v->urls);
    if (ldap != is_ldap)
        report_error(c->k->report, line, "%s.urls: \"%s\" found, expected \"%s://\" or \"%ss://\"", c->where, url,
                     ldap ? "ldap" : "http", ldap ? "ldap" : "http");
    else if (!clear || is_loopback_url(url) || (ldap && c->v->starttls))
        return;
    else if (ldap)
        report_error(c->k->report, line,
                     "%s.urls: \"%s\" would send passwords in clear text, expected \"ldaps://\" or starttls = true",
                     c->where, url);
    else
        report_warning(c->k->report, line, "WEAK: %s sends passwords in clear text to %s", c->where, url);
}

static void check_urls(const struct verifier_check *c)
{
    bool asks = c->v->driver == VERIFIER_HTTP || c->v->driver == VERIFIER_OAUTH || c->v->driver == VERIFIER_LDAP;
    if (asks && c->v->urls.n == 0)
        report_error(c->k->report, line_of(c, c->whole), "%s.urls: missing, expected whom to ask", c->where);
    if (!asks && c->v->urls.n > 0)
        report_error(c->k->report, line_of(c, &c->v->urls), "%s.urls: found with driver = \"%s\", expected it without",
                     c->where, verifier_driver_names[c->v->driver]);
    for (size_t i = 0; asks && i < c->v->urls.n; i++)
        check_url(c, c->v->urls.at[i]);
}

/* A name without its secret, or a secret that goes with nothing. */
static void check_secret(const struct verifier_check *c)
{
    const struct verifier_config *v = c->v;
    bool named = v->secret_header[0] != '\0' || v->client_id[0] != '\0' || v->bind_dn[0] != '\0';
    bool asks = v->driver == VERIFIER_HTTP || v->driver == VERIFIER_OAUTH || v->driver == VERIFIER_LDAP;
    if (asks && named && v->secret_file[0] == '\0')
        report_error(c->k->report, line_of(c, c->whole), "%s.secret_file: missing, expected the secret of %s", c->where,
                     v->secret_header[0] != '\0' ? "secret_header"
                     : v->client_id[0] != '\0'   ? "client_id"
                                                 : "bind_dn");
    if (asks && !named && v->secret_file[0] != '\0')
        report_error(c->k->report, line_of(c, &v->secret_file), "%s.secret_file: found alone, expected with it %s",
                     c->where,
                     v->driver == VERIFIER_HTTP    ? "secret_header"
                     : v->driver == VERIFIER_OAUTH ? "client_id"
                                                   : "bind_dn");
}

/* Every % must be one of ours, and one of them must name the account: a filter without would find anybody. */
static bool filter_is_good(const char *filter)
{
    bool names_account = false;
    int depth = 0;
    for (const char *c = filter; *c != '\0'; c++) {
        depth += *c == '(' ? 1 : *c == ')' ? -1 : 0;
        if (depth < 0)
            return false;
        if (*c != '%')
            continue;
        c++;
        if (*c == '\0' || strchr("und%", *c) == NULL)
            return false;
        names_account |= *c == 'u' || *c == 'n';
    }
    return names_account && depth == 0 && filter[0] == '(';
}

static void check_filter(const struct verifier_check *c)
{
    const char *filter = c->v->filter;
    if (c->v->driver == VERIFIER_LDAP && filter[0] != '\0' && !filter_is_good(filter))
        report_error(c->k->report, line_of(c, &c->v->filter),
                     "%s.filter: \"%s\" found, expected a filter in parentheses with %%u or %%n in it, such as "
                     "\"(mail=%%u)\"",
                     c->where, filter);
}

static void check_values(const struct verifier_check *c)
{
    for (size_t i = 0; i < c->v->n_sites; i++) {
        const struct value_config *value = &c->v->sites[i];
        if (value->site[0] != '\0' && config_site(c->k->config, span_of(value->site)) < 0)
            report_error(c->k->report, line_of(c, value),
                         "%s.sites: the site \"%s\" found, expected one that the configuration has", c->where,
                         value->site);
    }
}

/* A directory that is asked for homes must have them somewhere. */
static void check_site_attribute(const struct verifier_check *c)
{
    if (c->v->site_attribute[0] == '\0')
        report_error(c->k->report, line_of(c, c->whole),
                     "%s.site_attribute: missing, expected where the home of a mailbox stands", c->where);
}

/* --- the chain --- */

static void check_place(const struct verifier_check *c, size_t i)
{
    const struct config *config = c->k->config;
    const struct verifier_config *all = config->auth.verifiers;
    if (c->v->driver == VERIFIER_SITE && i + 1 < config->auth.n_verifiers)
        report_error(c->k->report, line_of(c, c->whole),
                     "%s: driver = \"site\" found before others, expected it last: it judges whoever it is asked for",
                     c->where);
    for (size_t before = 0; c->v->driver == VERIFIER_FILE && before < i; before++)
        if (all[before].driver == VERIFIER_FILE)
            report_error(c->k->report, line_of(c, c->whole),
                         "%s: driver = \"file\" found again, expected one file of all", c->where);
}

static void check_verifier(const struct check *k, size_t i)
{
    struct verifier_check c = { .k = k, .v = &k->config->auth.verifiers[i], .whole = &k->config->auth.verifiers[i] };
    snprintf(c.where, sizeof c.where, "auth.verifiers[%zu]", i);
    check_strings(&c);
    check_urls(&c);
    check_secret(&c);
    check_filter(&c);
    check_values(&c);
    check_place(&c, i);
}

/* --- the directory --- */

static void check_map_options(const struct check *k)
{
    const struct config *config = k->config;
    int line = report_line(k->report, &config->directory.path);
    if (config->directory.path[0] != '\0' && line > 0)
        report_error(k->report, line, "directory.path: found with driver = \"ldap\", expected it without");
}

static void check_directory(const struct check *k)
{
    const struct verifier_config *ldap = &k->config->directory.ldap;
    struct verifier_check c = { .k = k, .v = ldap, .whole = &k->config->directory.driver, .where = "directory" };
    if (k->config->directory.driver == DIRECTORY_LDAP) {
        check_map_options(k);
        check_strings(&c);
        check_urls(&c);
        check_secret(&c);
        check_filter(&c);
        check_values(&c);
        check_site_attribute(&c);
    } else if (ldap->urls.n > 0) {
        report_error(k->report, line_of(&c, &ldap->urls),
                     "directory.urls: found with driver = \"file\", expected it with driver = \"ldap\"");
    }
}

static bool has_verifier(const struct check *k, unsigned drivers)
{
    for (size_t i = 0; i < k->config->auth.n_verifiers; i++)
        if ((drivers & 1U << k->config->auth.verifiers[i].driver) != 0)
            return true;
    return false;
}

/* --- verifiers and sites --- */

static void check_master(const struct check *k, const struct site_config *s)
{
    int line = check_line(k, &s->credentials, s);
    if (s->master_user[0] == '\0')
        report_error(k->report, line, "site \"%s\": credentials = \"master\", expected master_user with it", s->name);
    if (s->master_password_file[0] == '\0')
        report_error(k->report, line, "site \"%s\": credentials = \"master\", expected master_password_file with it",
                     s->name);
    if (!has_verifier(k, ~OF(SITE)))
        report_error(
            k->report, line,
            "site \"%s\": credentials = \"master\" with driver = \"site\" alone, expected a verifier that judges "
            "the client: the site would let everybody in",
            s->name);
    if (s->master_form == MASTER_AUTHZID && s->mechanism == MECHANISM_LOGIN)
        report_error(k->report, check_line(k, &s->mechanism, s),
                     "site \"%s\": mechanism = \"login\" cannot say whose mailbox the master opens, expected \"auto\", "
                     "\"plain\" or master_form = \"user*master\"",
                     s->name);
}

static void check_no_master(const struct check *k, const struct site_config *s)
{
    const struct {
        const char *name, *value;
        const void *field;
    } useless[] = {
        {"master_user",           s->master_user,          &s->master_user         },
        { "master_password_file", s->master_password_file, &s->master_password_file},
    };
    for (size_t i = 0; i < COUNT_OF(useless); i++)
        if (useless[i].value[0] != '\0')
            report_error(k->report, check_line(k, useless[i].field, s),
                         "site \"%s\": %s found without credentials = \"master\", expected both or none", s->name,
                         useless[i].name);
}

/* Which sites could a client reach who brings a token, or a password? */
static bool takes_tokens(const struct check *k, const struct site_config *s)
{
    if (s->credentials == CREDENTIALS_MASTER)
        return has_verifier(k, OF(OAUTH));
    return s->bearer.n > 0 && has_verifier(k, OF(OAUTH) | OF(SITE));
}

static void check_tokens(const struct check *k)
{
    size_t working = 0;
    if (!has_verifier(k, OF(OAUTH)) || k->config->n_sites == 0)
        return;
    for (size_t i = 0; i < k->config->n_sites; i++)
        working += takes_tokens(k, &k->config->sites[i]);
    for (size_t i = 0; i < k->config->n_sites; i++) {
        const struct site_config *s = &k->config->sites[i];
        static const char text[] =
            "site \"%s\": a token yields no password, but credentials = \"client\" needs one; "
            "expected credentials = \"master\", or bearer = ( \"XOAUTH2\" ) where its stores take "
            "tokens";
        if (takes_tokens(k, s))
            continue;
        if (working == 0)
            report_error(k->report, check_line(k, &s->credentials, s), text, s->name);
        else
            report_warning(k->report, check_line(k, &s->credentials, s), text, s->name);
    }
}

void check_auth(const struct check *k)
{
    for (size_t i = 0; i < k->config->auth.n_verifiers; i++)
        check_verifier(k, i);
    check_directory(k);
    for (size_t i = 0; i < k->config->n_sites; i++) {
        const struct site_config *s = &k->config->sites[i];
        if (s->credentials == CREDENTIALS_MASTER)
            check_master(k, s);
        else
            check_no_master(k, s);
    }
    check_tokens(k);
}
