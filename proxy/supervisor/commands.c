/* The commands of the control socket: one table says who may, and who is asked; then what main itself has to say. */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/bundle.h"
#include "proxy/base/log.h"
#include "proxy/net/loop.h"
#include "proxy/net/tls_facts.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/change.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/stop.h"
#include "proxy/supervisor/visitors.h"

enum { LINES_MAX = 16 << 20, NAMES_MAX = 4096 };

#define AUTH (1U << ROLE_AUTH)
#define BACKENDS (1U << ROLE_BACKENDS)
#define FRONTS (1U << ROLE_FRONT)

/* ---- status ---- */

static void write_certificate(struct json *j, const struct certificate_config *c, struct span bundle)
{
    struct buf names;
    int64_t ends_s;
    buf_init(&names, NAMES_MAX);
    json_open(j, NULL);
    json_word(j, "file", c->chain);
    if (tls_certificate_facts(bundle_find(bundle, c->chain), &ends_s, &names)) {
        json_number(j, "ends_s", ends_s);
        json_number(j, "days_left", (ends_s - (int64_t)time(NULL)) / 86400);
        json_text(j, "names", buf_span(&names));
    }
    json_close(j);
    buf_fini(&names);
}

static void write_certificates(struct json *j, const struct settings *settings)
{
    struct span bundle = SPAN_NONE;
    const struct config *config = settings->config;
    if (!blob_map(settings->fds[SETTINGS_FRONT_BUNDLE], &bundle))
        return;
    json_list(j, "certificates");
    for (size_t i = 0; i < config->tls.n_certificates; i++)
        write_certificate(j, &config->tls.certificates[i], bundle);
    json_list_close(j);
    blob_unmap(&bundle);
}

static void write_map(struct json *j, const struct config *config)
{
    struct stat is;
    json_open(j, "map");
    if (config->directory.driver == DIRECTORY_LDAP) {
        json_word(j, "asked", config->directory.ldap.urls.at[0]);
        json_close(j);
        return;
    }
    json_word(j, "file", config->directory.path);
    if (stat(config->directory.path, &is) == 0)
        json_number(j, "written_s", (int64_t)is.st_mtime);
    json_close(j);
}

static bool is_weak(const struct site_config *site)
{
    bool has_tls = site->security == SECURITY_TLS || site->security == SECURITY_STARTTLS;
    return site->security == SECURITY_CLEAR || (has_tls && !site->verify && site->pin_sha256[0] == '\0') ||
           (site->security == SECURITY_IPSEC && ipsec_is_weak(&site->ipsec)) || site->exception.until_s > 0;
}

static void write_weak(struct json *j, const struct config *config)
{
    json_list(j, "weak");
    for (size_t i = 0; i < config->n_sites; i++) {
        const struct site_config *site = &config->sites[i];
        if (!is_weak(site))
            continue;
        json_open(j, NULL);
        json_word(j, "site", site->name);
        if (site->exception.until_s > 0) {
            json_word(j, "until", site->exception.until);
            json_word(j, "reason", site->exception.reason);
            json_flag(j, "overdue", time(NULL) >= site->exception.until_s);
        } else if (site->security == SECURITY_IPSEC) {
            json_word(j, "reason", "IPsec may use 3DES");
        }
        json_close(j);
    }
    json_list_close(j);
}

static void write_listeners(struct json *j, const struct config *config)
{
    for (enum protocol p = 0; p < PROTOCOLS; p++) {
        json_list(j, protocol_names[p]);
        for (size_t i = 0; config->protocols[p].on && i < config->protocols[p].n_listeners; i++)
            json_addr(j, NULL, &config->protocols[p].listeners[i].address);
        json_list_close(j);
    }
}

static void write_processes(struct json *j)
{
    static const char *const states[] = { "away", "born", "ready", "leaving" };
    json_list(j, "processes");
    LIST_EACH(link, &children) {
        const struct child *c = OWNER_OF(link, struct child, link);
        json_open(j, NULL);
        json_word(j, "name", c->name);
        json_word(j, "state", states[c->state]);
        json_number(j, "generation", (int64_t)c->settings->number);
        if (c->process.running)
            json_number(j, "pid", c->process.pid);
        json_close(j);
    }
    json_list_close(j);
}

static void write_status(struct json *j)
{
    static const char *const phases[] = { "starting", "serving", "draining" };
    const struct settings *settings = house.now.settings;
    json_open(j, NULL);
    json_word(j, "process", "main");
    json_word(j, "version", HOMEWARD_VERSION);
    json_number(j, "pid", getpid());
    json_word(j, "state", phases[house.phase]);
    json_number(j, "uptime_s", (loop_now_ms() - house.started_ms) / SECOND);
    json_word(j, "configuration", house.file);
    json_number(j, "generation", (int64_t)settings->number);
    json_number(j, "generations", (int64_t)generations_alive());
    json_number(j, "sites", (int64_t)settings->config->n_sites);
    json_number(j, "log_dropped", (int64_t)log_dropped());
    change_tell(j);
    write_listeners(j, settings->config);
    write_map(j, settings->config);
    write_certificates(j, settings);
    write_weak(j, settings->config);
    write_processes(j);
    json_close(j);
    json_end_line(j);
}

/* ---- settings: what users enter into their mail programs ---- */

static bool takes_passwords(const struct config *config)
{
    for (size_t i = 0; i < config->auth.n_verifiers; i++)
        if (config->auth.verifiers[i].driver != VERIFIER_OAUTH)
            return true;
    return false;
}

static void write_house_settings(struct json *j, const struct config *config)
{
    const struct settings_config *settings = &config->settings;
    json_open(j, NULL);
    json_word(j, "title", settings->title);
    json_word(j, "words", settings->words);
    json_word(j, "help", settings->help);
    json_word(j, "login", settings->login == LOGIN_NAME ? "name" : "address");
    json_word(j, "authentication", takes_passwords(config) ? "password" : "oauth2");
    json_list(j, "domains");
    for (size_t i = 0; i < settings->domains.n; i++)
        json_word(j, NULL, settings->domains.at[i]);
    if (settings->domains.n == 0 && config->accounts.default_domain[0] != '\0')
        json_word(j, NULL, config->accounts.default_domain);
    json_list_close(j);
    json_close(j);
    json_end_line(j);
}

static void write_server(struct json *j, const struct server_config *s)
{
    json_open(j, NULL);
    json_word(j, "protocol", server_names[s->protocol]);
    json_word(j, "host", s->host);
    json_number(j, "port", s->port);
    json_word(j, "tls", s->tls == TLS_MODE_IMPLICIT ? "implicit" : "starttls");
    json_flag(j, "inside", s->inside);
    json_close(j);
    json_end_line(j);
}

static void write_settings(struct json *j)
{
    const struct config *config = house.now.settings->config;
    write_house_settings(j, config);
    for (size_t i = 0; i < config->settings.n_servers; i++) {
        const struct server_config *s = &config->settings.servers[i];
        if (s->protocol == SERVER_SMTP || config->protocols[s->protocol == SERVER_IMAP ? IMAP : POP3].on)
            write_server(j, s);
    }
}

/* ---- telling ---- */

static void tell(struct visitor *v, void (*write)(struct json *j))
{
    struct buf lines;
    struct json j;
    buf_init(&lines, LINES_MAX);
    json_init(&j, &lines);
    write(&j);
    visitor_tell(v, j.failed ? CONTROL_NO : CONTROL_OK, j.failed ? NULL : &lines, "");
    buf_fini(&lines);
}

static void tell_status(struct visitor *v, const struct span *words UNUSED, size_t n UNUSED)
{
    tell(v, write_status);
}

static void tell_settings(struct visitor *v, const struct span *words UNUSED, size_t n UNUSED)
{
    tell(v, write_settings);
}

/* ---- orders to main ---- */

static void reload(struct visitor *v, const struct span *words UNUSED, size_t n UNUSED)
{
    if (house.phase == PHASE_STOP) {
        visitor_end(v, CONTROL_NO, "it is stopping");
        return;
    }
    v->awaits_change = true;
    v->skips_change = change_is_under_way();
    alarm_clear(&v->patience); /* a big map takes its time, and the check has a limit of its own */
    change_begin();
}

static void drain(struct visitor *v, const struct span *words UNUSED, size_t n UNUSED)
{
    visitor_end(v, CONTROL_OK, house.phase == PHASE_STOP ? "the sessions that are left end now" : "draining");
    stop_begin();
}

static void set_level(struct visitor *v, const struct span *words, size_t n)
{
    enum log_level level;
    if (n == 2 && log_level_find(words[1], &level))
        log_set_level(level);
    else
        visitor_end(v, CONTROL_USAGE, "expected error, warning, info or debug");
}

/* ---- the table ---- */

static const struct command commands[] = {
    {"status",    false, FRONTS | AUTH | BACKENDS, false, tell_status  },
    { "settings", false, 0,                        false, tell_settings},
    { "who",      false, FRONTS,                   false, NULL         },
    { "sites",    false, BACKENDS,                 false, NULL         },
    { "route",    false, AUTH,                     false, NULL         },
    { "lineup",   false, BACKENDS,                 false, NULL         },
    { "kick",     true,  FRONTS,                   false, NULL         },
    { "site",     true,  BACKENDS,                 false, NULL         },
    { "member",   true,  BACKENDS,                 false, NULL         },
    { "forgive",  true,  AUTH,                     false, NULL         },
    { "reload",   true,  0,                        false, reload       },
    { "drain",    true,  0,                        false, drain        },
    { "trace",    true,  FRONTS,                   true,  NULL         },
    { "loglevel", true,  FRONTS | AUTH | BACKENDS, false, set_level    },
};

const struct command *command_find(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (span_eq(name, span_of(commands[i].name)))
            return &commands[i];
    return NULL;
}
