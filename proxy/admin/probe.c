/* Where to go: the members of sites, or the listeners of this machine. */
#include "proxy/admin/probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/admin/options.h"
#include "proxy/admin/walk.h"
#include "proxy/base/secret.h"
#include "proxy/supervisor/tell.h"

enum { TEXT_MAX = 1 << 20, CA_MAX = 16 << 20, FILE_MAX = 4 << 20, PASSWORD_MAX = 1024 };

struct probe {
    const struct admin_options *options;
    const struct config *config;
    struct buf password; /* secret; ends in NUL; empty without --user */
    size_t walks, broken;
};

static bool wants(const struct probe *p, enum protocol protocol)
{
    return !p->options->has_protocol || p->options->protocol == protocol;
}

/* CAs are read from the file itself: keys, which stand in the same bundle, are none of this command's business. */
static bool read_file(const char *path, struct buf *to)
{
    FILE *file = fopen(path, "re");
    size_t n = 1;
    while (file != NULL && n > 0) {
        char *room = buf_space(to, 65536);
        n = room != NULL ? fread(room, 1, 65536, file) : 0;
        buf_grew(to, n);
    }
    if (file == NULL)
        return false;
    fclose(file);
    return true;
}

static void go(struct probe *p, struct walk_order *order)
{
    const struct config *config = p->config;
    order->step_ms = config->limits.connect_timeout_ms + config->limits.greeting_timeout_ms;
    order->json = p->options->json;
    if (p->options->user != NULL) {
        order->user = p->options->user;
        order->password = p->password.at;
    }
    p->walks++;
    p->broken += !walk(order);
}

/* ---- back ends ---- */

/* The password of the site's test account, as a string. False: it has none, or none that we may read, which is said. */
static bool read_account(const struct site_config *site, struct buf *to)
{
    struct buf file;
    if (site->check_user[0] == '\0')
        return false;
    buf_init_secret(&file, FILE_MAX);
    bool read = read_file(site->check_password_file, &file);
    bool good = read && buf_add(to, secret_of_file(buf_span(&file))) && buf_add_byte(to, '\0');
    buf_fini(&file);
    if (!read)
        fprintf(stderr, "homeward: %s cannot be read: %s is not signed in to\n", site->check_password_file, site->name);
    return good;
}

static void probe_member(struct probe *p, const struct site_config *site, const struct backend_config *b,
                         enum protocol protocol, struct span ca)
{
    char what[320];
    struct buf account;
    uint16_t own = protocol == IMAP ? b->imap_port : b->pop3_port;
    snprintf(what, sizeof what, "site %s", site->name);
    buf_init_secret(&account, PASSWORD_MAX);
    bool tests = p->options->user == NULL && read_account(site, &account);
    go(p, &(struct walk_order){ .what = what,
                                .host = b->host,
                                .port = own != 0 ? own : site->port[protocol],
                                .protocol = protocol,
                                .implicit_tls = site->security == SECURITY_TLS,
                                .starttls = site->security == SECURITY_STARTTLS,
                                .announce = site->client_info == CLIENT_INFO_PROXY2,
                                .user = tests ? site->check_user : NULL,
                                .password = tests ? account.at : NULL,
                                .verify = site->verify || site->pin_sha256[0] != '\0',
                                .ca = ca,
                                .verify_name = site->verify_name,
                                .pin_sha256 = site->pin_sha256,
                                .min_version = (int)site->tls_min_version,
                                .ciphers = site->tls_ciphers,
                                .ipsec = ipsec_rule_of(site) });
    buf_fini(&account);
}

static void probe_site(struct probe *p, const struct site_config *site)
{
    const char *path = site->ca_file[0] != '\0' ? site->ca_file : p->config->tls.ca_file;
    struct buf ca;
    buf_init(&ca, CA_MAX);
    if (!read_file(path, &ca))
        fprintf(stderr, "homeward: %s cannot be read: no certificate of %s will be trusted\n", path, site->name);
    for (size_t i = 0; i < site->n_backends; i++)
        for (enum protocol protocol = 0; protocol < PROTOCOLS; protocol++)
            if (site->serves[protocol] && wants(p, protocol))
                probe_member(p, site, &site->backends[i], protocol, buf_span(&ca));
    buf_fini(&ca);
}

static bool probe_sites(struct probe *p)
{
    const char *name = p->options->word;
    ptrdiff_t only = name != NULL ? config_site(p->config, span_of(name)) : -1;
    if (name != NULL && only < 0) {
        fprintf(stderr, "homeward: there is no site \"%s\"\n", name);
        return false;
    }
    for (size_t i = 0; i < p->config->n_sites; i++)
        if (name == NULL || (size_t)only == i)
            probe_site(p, &p->config->sites[i]);
    return true;
}

/* ---- our own listeners ---- */

/* What clients will believe of the certificate depends on the name that they use, so it is told and not judged. */
static void probe_listener(struct probe *p, const struct listener_config *l)
{
    char host[ADDR_TEXT_MAX];
    addr_host_text(&l->address, host);
    const char *reach = !addr_is_wildcard(&l->address) ? host : l->address.family == AF_INET6 ? "::1" : "127.0.0.1";
    go(p, &(struct walk_order){ .what = "listener",
                                .host = reach,
                                .port = l->address.port,
                                .protocol = l->protocol,
                                .implicit_tls = l->tls == TLS_MODE_IMPLICIT,
                                .starttls = l->tls == TLS_MODE_STARTTLS,
                                .announce = l->proxy_protocol_from.n > 0,
                                .verify_name = "",
                                .pin_sha256 = "",
                                .min_version = TLS_VERSION_1_2,
                                .ciphers = "" });
}

static void probe_front(struct probe *p)
{
    for (enum protocol protocol = 0; protocol < PROTOCOLS; protocol++) {
        const struct protocol_config *c = &p->config->protocols[protocol];
        for (size_t i = 0; c->on && wants(p, protocol) && i < c->n_listeners; i++)
            probe_listener(p, &c->listeners[i]);
    }
}

/* ---- all ---- */

static bool read_password(struct probe *p)
{
    char *room = buf_space(&p->password, PASSWORD_MAX);
    if (p->options->user == NULL)
        return true;
    if (room == NULL || fgets(room, PASSWORD_MAX, stdin) == NULL) {
        fprintf(stderr, "homeward: --user: the password is expected on standard input\n");
        return false;
    }
    room[strcspn(room, "\r\n")] = '\0';
    buf_grew(&p->password, strlen(room) + 1);
    return true;
}

/* Said last, for whoever is woken by it. */
static void conclude(const struct probe *p)
{
    if (p->options->json)
        return;
    if (p->broken == 0)
        printf("%zu of %zu are well\n", p->walks, p->walks);
    else
        printf("%zu of %zu are BROKEN: %s\n", p->broken, p->walks,
               p->options->front ? "this side, or the store behind it (homeward probe without --front tells)"
                                 : "the stores' side, or the way there");
}

static int probe_all(const struct admin_options *options, const struct config *config)
{
    struct probe p = { .options = options, .config = config };
    buf_init_secret(&p.password, PASSWORD_MAX * 2);
    bool good = read_password(&p);
    if (good)
        walk_init(config);
    if (good && options->front)
        probe_front(&p);
    else if (good)
        good = probe_sites(&p);
    buf_fini(&p.password);
    if (good)
        conclude(&p);
    return good && p.broken == 0 && p.walks > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int probe_run(int argc, char **argv)
{
    static const char usage[] = "[SITE] [--front] [--user USER] [--proto imap|pop3] [--json] [-c FILE]";
    struct admin_options options;
    struct buf errors, warnings;
    if (!admin_options_read(&options, argc, argv, usage, false))
        return options.status;
    buf_init(&errors, TEXT_MAX);
    buf_init(&warnings, TEXT_MAX);
    struct config *config = config_load(options.file, &errors, &warnings);
    tell_stderr(buf_span(&errors));
    int status = config != NULL ? probe_all(&options, config) : EXIT_FAILURE;
    config_free(&config);
    buf_fini(&errors);
    buf_fini(&warnings);
    return status;
}
