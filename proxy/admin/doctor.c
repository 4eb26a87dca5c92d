/* One finding a line: ok, look (somebody should), or BAD. */
#include "proxy/admin/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#include "auth/directory/map.h"
#include "config/bundle.h"
#include "proxy/admin/options.h"
#include "proxy/admin/walk.h"
#include "proxy/net/tls_facts.h"
#include "proxy/supervisor/check.h"

enum { NAMES_MAX = 4096, FDS_WANTED = 4096, BACKLOG_WANTED = 1024, SOON_DAYS = 14, DAY_S = 86400, OLD_DAYS = 30 };

enum state { OK, LOOK, BAD };

struct doctor {
    bool json;
    size_t found[BAD + 1];
    const struct config *config;
    const struct check_result *checked;
};

static void say(struct doctor *d, enum state state, const char *what, const char *format, ...) PRINTF_LIKE(4, 5);
static void say(struct doctor *d, enum state state, const char *what, const char *format, ...)
{
    static const char *const words[] = { "ok", "look", "BAD" };
    char text[1024];
    struct buf line;
    struct json j;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    d->found[state]++;
    if (!d->json) {
        printf("%-5s%-14s%s\n", words[state], what, text);
        return;
    }
    buf_init(&line, 8192);
    json_init(&j, &line);
    json_open(&j, NULL);
    json_word(&j, "state", words[state]);
    json_word(&j, "what", what);
    json_word(&j, "text", text);
    json_close(&j);
    json_end_line(&j);
    fwrite(line.at, 1, line.n, stdout); /* lint: who does not read it does not want it */
    buf_fini(&line);
}

static void say_lines(struct doctor *d, enum state state, const char *what, struct span lines)
{
    while (lines.n > 0) {
        ptrdiff_t end = span_find(lines, '\n');
        size_t n = end < 0 ? lines.n : (size_t)end;
        say(d, state, what, "%.*s", SPAN_ARG(span_first(lines, n)));
        lines = span_after(lines, n + 1);
    }
}

/* ---- the machine ---- */

static void look_at_descriptors(struct doctor *d)
{
    struct rlimit fds;
    uint64_t wanted = d->config->limits.sessions > 0 ? (uint64_t)d->config->limits.sessions * 2 + 64 : FDS_WANTED;
    if (getrlimit(RLIMIT_NOFILE, &fds) != 0)
        return;
    bool enough = fds.rlim_max == RLIM_INFINITY || fds.rlim_max >= wanted;
    say(d, enough ? OK : LOOK, "descriptors", "%" PRIu64 " a process from here, two a session%s",
        (uint64_t)fds.rlim_max, enough ? "" : "; the unit gives 1048576 (LimitNOFILE)");
}

static void look_at_backlog(struct doctor *d)
{
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    int backlog = 0;
    if (file == NULL)
        return;
    /* lint: the kernel writes a number that fits */
    if (fscanf(file, "%d", &backlog) == 1)
        say(d, backlog >= BACKLOG_WANTED ? OK : LOOK, "backlog", "net.core.somaxconn = %d%s", backlog,
            backlog >= BACKLOG_WANTED ? "" : "; 4096 is what a storm of reconnects wants");
    fclose(file);
}

/* Certificates, tickets and bearer tokens are judged by it. */
static void look_at_clock(struct doctor *d)
{
    struct timex clock = { 0 };
    bool synchronised = adjtimex(&clock) != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
    say(d, synchronised ? OK : LOOK, "clock", "%s",
        synchronised ? "synchronised" : "nothing says that it is synchronised");
}

/* ---- what the configuration names ---- */

static void look_at_certificate(struct doctor *d, const struct certificate_config *c, struct buf *names)
{
    int64_t ends_s;
    struct span pem = bundle_find(buf_span(&d->checked->front_bundle), c->chain);
    if (!tls_certificate_facts(pem, &ends_s, names)) {
        say(d, BAD, "certificate", "%s: cannot be read", c->chain);
        return;
    }
    int64_t days = (ends_s - (int64_t)time(NULL)) / DAY_S;
    say(d,
        days < 0           ? BAD
        : days < SOON_DAYS ? LOOK
                           : OK,
        "certificate", "%s: %lld days left, for %.*s", c->chain, (long long)days,
        SPAN_ARG(span_first(buf_span(names), 300)));
}

static void look_at_certificates(struct doctor *d)
{
    struct buf names;
    buf_init(&names, NAMES_MAX);
    for (size_t i = 0; i < d->config->tls.n_certificates; i++)
        look_at_certificate(d, &d->config->tls.certificates[i], &names);
    buf_fini(&names);
}

static void look_at_map(struct doctor *d)
{
    struct stat is;
    struct map map;
    if (d->config->directory.driver == DIRECTORY_LDAP) {
        say(d, OK, "map", "none: %s is asked at each login", d->config->directory.ldap.urls.at[0]);
        return;
    }
    if (stat(d->config->directory.path, &is) != 0 || !map_open(&map, buf_span(&d->checked->map)))
        return; /* the check has said why */
    int64_t days = ((int64_t)time(NULL) - (int64_t)is.st_mtime) / DAY_S;
    say(d, map.stats.entries == 0 || days > OLD_DAYS ? LOOK : OK, "map",
        "%s: %" PRIu64 " entries, written %lld days ago%s", d->config->directory.path, map.stats.entries,
        (long long)days, days > OLD_DAYS ? "; does the job that writes it still run?" : "");
}

static void look_at_names(struct doctor *d)
{
    for (size_t i = 0; i < d->config->n_sites; i++)
        for (size_t b = 0; b < d->config->sites[i].n_backends; b++) {
            const struct backend_config *backend = &d->config->sites[i].backends[b];
            char text[512];
            if (backend->literal.family != AF_UNSPEC)
                continue;
            bool good = walk_name(backend->host, text);
            say(d, good ? OK : BAD, "name", "%s of %s: %s", backend->host, d->config->sites[i].name, text);
        }
}

static void look_at_links(struct doctor *d)
{
    size_t clear = 0;
    for (size_t i = 0; i < d->config->n_sites; i++)
        clear += d->config->sites[i].security == SECURITY_CLEAR;
    say(d, clear == 0 ? OK : LOOK, "links", "%zu of %zu sites are reached in clear text over a network", clear,
        d->config->n_sites);
}

static void look_at_doors(struct doctor *d)
{
    bool on = d->config->protocols[IMAP].on || d->config->protocols[POP3].on;
    say(d, on ? OK : LOOK, "protocols", "IMAP4 is %s, POP3 is %s", d->config->protocols[IMAP].on ? "on" : "off",
        d->config->protocols[POP3].on ? "on" : "off");
}

/* ---- all ---- */

static void look_at_all(struct doctor *d)
{
    static void (*const looks[])(struct doctor *) = { look_at_doors,   look_at_certificates, look_at_map,
                                                      look_at_links,   look_at_names,        look_at_descriptors,
                                                      look_at_backlog, look_at_clock };
    walk_init(d->config);
    for (size_t i = 0; i < COUNT_OF(looks); i++)
        looks[i](d);
}

int doctor_run(int argc, char **argv)
{
    struct admin_options options;
    struct check_result checked;
    if (!admin_options_read(&options, argc, argv, "[--json] [-c FILE]", false))
        return options.status;
    struct check_order order = { .parts = CHECK_ALL, .file = options.file };
    bool good = check_run(&order, &checked);
    struct config *config = good ? config_parse(buf_span(&checked.config)) : NULL;
    struct doctor d = { .json = options.json, .config = config, .checked = &checked };
    say_lines(&d, LOOK, "configuration", buf_span(&checked.warnings));
    say_lines(&d, BAD, "configuration", buf_span(&checked.errors));
    if (config != NULL)
        say(&d, OK, "configuration", "%s is good", options.file);
    if (config != NULL)
        look_at_all(&d);
    if (!d.json)
        printf("%zu ok, %zu to look at, %zu BAD\n", d.found[OK], d.found[LOOK], d.found[BAD]);
    config_free(&config);
    check_fini(&checked);
    return d.found[BAD] == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
