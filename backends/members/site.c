/* Sites and members. */
#include "backends/members/site.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backends/ipsec/ipsec.h"
#include "proxy/net/hash.h"
#include "proxy/net/loop.h"

enum { NAME_BYTES_MAX = 320 };

static struct {
    const struct config *config;
    struct site *sites;
    size_t n;
} all;

static uint16_t port_of(const struct backend_config *backend, const struct site_config *site, enum protocol p)
{
    uint16_t own = p == IMAP ? backend->imap_port : backend->pop3_port;
    return own != 0 ? own : site->port[p];
}

static size_t name_at(char *text, const struct backend_config *backend, uint16_t port)
{
    bool v6 = strchr(backend->host, ':') != NULL;
    int n = snprintf(text, NAME_BYTES_MAX, v6 ? "[%s]:%u" : "%s:%u", backend->host, port);
    if (n < 0 || n >= NAME_BYTES_MAX)
        n = NAME_BYTES_MAX - 1;
    for (int i = 0; i < n; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    return (size_t)n;
}

static uint64_t health_key(const struct member *m, enum protocol p)
{
    char name[NAME_BYTES_MAX];
    struct buf text;
    buf_init(&text, 1024);
    size_t n = name_at(name, m->config, m->port[p]);
    bool ok = buf_printf(&text, "%s|%.*s", m->site->config->name, (int)n, name);
    uint64_t key = ok ? hash_stable(buf_span(&text)) : 0;
    buf_fini(&text);
    return key;
}

static bool member_init(struct member *m, const struct site *site, const struct backend_config *backend)
{
    char name[NAME_BYTES_MAX];
    m->site = site;
    m->config = backend;
    for (int p = 0; p < PROTOCOLS; p++)
        m->port[p] = port_of(backend, site->config, p);
    m->name = (struct span){ NULL, name_at(name, backend, m->port[site->config->serves[IMAP] ? IMAP : POP3]) };
    m->name.at = span_copy(span_bytes(name, m->name.n));
    m->key = hash_stable(span_bytes(name, m->name.n));
    for (int p = 0; p < PROTOCOLS; p++)
        m->health[p] = health_key(m, p);
    if (backend->literal.family == AF_UNSPEC)
        m->hostname = hostname_of(backend->host);
    return m->name.at != NULL && (m->hostname != NULL || backend->literal.family != AF_UNSPEC);
}

static bool site_init(struct site *site, const struct site_config *config, size_t number)
{
    size_t n = config->n_backends < BACKENDS_MAX ? config->n_backends : BACKENDS_MAX;
    *site = (struct site){ .config = config, .number = number };
    site->members = calloc(n, sizeof *site->members);
    if (site->members == NULL)
        return n == 0;
    for (; site->n_members < n; site->n_members++) {
        if (!member_init(&site->members[site->n_members], site, &config->backends[site->n_members]))
            return false;
    }
    return true;
}

bool sites_open(const struct config *config)
{
    all.config = config;
    all.sites = calloc(config->n_sites, sizeof *all.sites);
    if (all.sites == NULL)
        return config->n_sites == 0;
    for (size_t i = 0; i < config->n_sites; i++, all.n++) {
        if (!site_init(&all.sites[i], &config->sites[i], i))
            return false;
    }
    return true;
}

void sites_close(void)
{
    for (size_t i = 0; i < all.n; i++) {
        for (size_t m = 0; m < all.sites[i].n_members; m++)
            free((char *)all.sites[i].members[m].name.at);
        free(all.sites[i].members);
    }
    free(all.sites);
    all.sites = NULL;
    all.n = 0;
    hostnames_close();
}

size_t sites_count(void)
{
    return all.n;
}

const struct site *sites_at(size_t i)
{
    return &all.sites[i];
}

const struct site *site_find(struct span name)
{
    ptrdiff_t i = config_site(all.config, name);
    return i < 0 || (size_t)i >= all.n ? NULL : &all.sites[i];
}

const struct member *site_member(const struct site *site, uint64_t key)
{
    for (size_t i = 0; i < site->n_members; i++) {
        if (site->members[i].key == key)
            return &site->members[i];
    }
    return NULL;
}

bool site_is_overdue(const struct site *site)
{
    const struct site_config *c = site->config;
    return c->enforce_until && c->exception.until_s > 0 && time(NULL) >= c->exception.until_s;
}

struct health_view member_look(const struct member *m, enum protocol p)
{
    return health_look(m->health[p], loop_now_ms());
}

static void log_state(const struct member *m, enum protocol p, const char *state, const char *stage, struct span why)
{
    char name[NAME_BYTES_MAX];
    struct log_line l;
    struct health_view view = member_look(m, p);
    int64_t left_ms = view.until_ms - loop_now_ms();
    log_begin(&l, view.state == HEALTH_UP ? LOG_INFO : LOG_WARNING, "backend_state");
    log_text(&l, "site", span_of(m->site->config->name));
    log_text(&l, "backend", span_bytes(name, name_at(name, m->config, m->port[p])));
    log_word(&l, "proto", protocol_names[p]);
    log_word(&l, "state", state);
    log_word(&l, "stage", stage);
    log_text(&l, "why", why);
    if (view.state != HEALTH_UP)
        log_number(&l, "for_s", left_ms > 0 ? (left_ms + 999) / 1000 : 0);
    ipsec_log_counts(&l, m->site->config);
    log_end(&l);
}

void member_fault(const struct member *m, enum protocol p, bool trial, const char *stage, struct span why)
{
    char word[HEALTH_WHY_MAX];
    snprintf(word, sizeof word, "%.*s", SPAN_ARG(why));
    if (health_fault(m->health[p], trial, word, loop_now_ms()))
        log_state(m, p, "avoided", stage, why);
}

void member_success(const struct member *m, enum protocol p)
{
    if (health_success(m->health[p]))
        log_state(m, p, "up", NULL, SPAN_NONE);
}

void sites_log_avoided(void)
{
    for (size_t i = 0; i < all.n; i++) {
        for (size_t m = 0; m < all.sites[i].n_members; m++) {
            for (int p = 0; p < PROTOCOLS; p++) {
                const struct member *member = &all.sites[i].members[m];
                struct health_view view = member_look(member, p);
                if (all.sites[i].config->serves[p] && view.state != HEALTH_UP)
                    log_state(member, p, "avoided", NULL, span_of(view.why));
            }
        }
    }
}
