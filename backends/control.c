/* Answers to an admin. */
#include "backends/control.h"

#include <stdio.h>

#include "backends/checks.h"
#include "backends/fronts.h"
#include "backends/ipsec/ipsec.h"
#include "backends/members/lineup.h"
#include "backends/members/orders.h"
#include "backends/members/places.h"
#include "backends/spares.h"
#include "proxy/base/log.h"
#include "proxy/net/control.h"
#include "proxy/net/loop.h"

enum { TEXT_MAX = 512 };

static const char *const health_words[] = { "up", "due", "avoided" };

static enum control_status write_status(struct json *j)
{
    struct fronts_gauges gauges = fronts_gauges();
    json_open(j, NULL);
    json_word(j, "process", "backends");
    json_number(j, "fronts", (int64_t)gauges.fronts);
    json_number(j, "dials", (int64_t)gauges.dials);
    json_number(j, "visits", (int64_t)gauges.visits);
    json_number(j, "places", (int64_t)places_count());
    json_close(j);
    json_end_line(j);
    return CONTROL_OK;
}

/* ---- sites ---- */

static const char *state_of(const struct member *m, struct health_view health)
{
    if (orders_of_site(m->site) == ORDER_MAINT)
        return "maint";
    if (health.state != HEALTH_UP)
        return health_words[health.state];
    return orders_drain(m) ? "drain" : m->config->standby ? "standby" : "up";
}

/* Counts are the site's, not the member's. */
static void write_ipsec(const struct site *site, struct json *j)
{
    if (site->config->security != SECURITY_IPSEC)
        return;
    json_number(j, "reqid", site->config->ipsec.reqid);
    for (enum ipsec_count i = 0; i < IPSEC_COUNTS; i++)
        json_number(j, ipsec_count_names[i], (int64_t)ipsec_counted(site->config, i));
}

static void write_member(const struct member *m, enum protocol p, struct json *j)
{
    struct health_view health = member_look(m, p);
    int64_t left_ms = health.until_ms - loop_now_ms();
    json_open(j, NULL);
    json_word(j, "site", m->site->config->name);
    json_word(j, "member", m->config->host);
    json_number(j, "port", m->port[p]);
    json_word(j, "proto", protocol_names[p]);
    json_word(j, "link", security_names[m->site->config->security]);
    write_ipsec(m->site, j);
    json_word(j, "state", state_of(m, health));
    json_number(j, "weight", m->config->weight);
    json_number(j, "sessions", (int64_t)fronts_visits_of(m, p));
    if (m->site->config->spare > 0)
        json_number(j, "spare", (int64_t)spares_count(m, p));
    if (health.state != HEALTH_UP) {
        json_word(j, "why", health.why);
        json_number(j, "failures", health.failures);
        json_number(j, "returns_s", left_ms > 0 ? (left_ms + 999) / 1000 : 0);
    } else if (checks_are_refused(m, p)) {
        json_word(j, "why", "check_user is refused");
    }
    json_close(j);
    json_end_line(j);
}

static void write_site(const struct site *site, struct json *j)
{
    for (size_t i = 0; i < site->n_members; i++)
        for (enum protocol p = 0; p < PROTOCOLS; p++)
            if (site->config->serves[p])
                write_member(&site->members[i], p, j);
}

static enum control_status write_sites(const struct control *c, struct json *j)
{
    struct span wanted = control_word(c, 1);
    const struct site *site = site_find(wanted);
    if (wanted.n > 0 && site == NULL)
        return CONTROL_NO;
    for (size_t i = 0; i < sites_count(); i++)
        if (wanted.n == 0 || sites_at(i) == site)
            write_site(sites_at(i), j);
    return CONTROL_OK;
}

/* lineup SITE MAILBOX imap|pop3 */
static enum control_status write_lineup(const struct control *c, struct json *j)
{
    const struct site *site = site_find(control_word(c, 1));
    struct span mailbox = control_word(c, 2);
    enum protocol p = span_eq(control_word(c, 3), SPAN("pop3")) ? POP3 : IMAP;
    uint8_t order[BACKENDS_MAX];
    if (site == NULL || mailbox.n == 0)
        return CONTROL_NO;
    uint64_t home = places_at(site->number, mailbox);
    size_t n = lineup(site, p, site->config->affinity == AFFINITY_MAILBOX ? mailbox : SPAN_NONE, order);
    for (size_t i = 0; i < site->n_members; i++)
        if (site->members[i].key == home) {
            json_open(j, NULL);
            json_word(j, "lives_on", site->members[i].config->host);
            json_close(j);
            json_end_line(j);
        }
    for (size_t i = 0; i < n; i++)
        write_member(&site->members[order[i]], p, j);
    return orders_of_site(site) == ORDER_MAINT || n == 0 ? CONTROL_NO : CONTROL_OK;
}

/* ---- orders ---- */

static bool read_order(struct span word, enum order most, enum order *order)
{
    for (enum order o = ORDER_NONE; o <= most; o++)
        if (span_eq(word, span_of(order_names[o]))) {
            *order = o;
            return true;
        }
    return false;
}

static enum control_status order_site(const struct control *c, char text[TEXT_MAX])
{
    const struct site *site = site_find(control_word(c, 1));
    enum order order;
    if (!read_order(control_word(c, 2), ORDER_MAINT, &order))
        return CONTROL_USAGE;
    if (site == NULL) {
        snprintf(text, TEXT_MAX, "there is no site of that name");
        return CONTROL_NO;
    }
    if (!orders_set_site(site, order))
        return CONTROL_NO;
    snprintf(text, TEXT_MAX, "site %s: %s", site->config->name, order_names[order]);
    return CONTROL_OK;
}

/* By its host, or by host:port where a site has two members on one machine. Returns how many got the order. */
static size_t order_members(const struct site *site, struct span name, enum order order)
{
    size_t n = 0;
    for (size_t i = 0; i < site->n_members; i++) {
        const struct member *m = &site->members[i];
        if (span_eq_nocase(name, span_of(m->config->host)) || span_eq_nocase(name, m->name))
            n += orders_set_member(m, order);
    }
    return n;
}

static enum control_status order_member(const struct control *c, char text[TEXT_MAX])
{
    const struct site *site = site_find(control_word(c, 1));
    enum order order;
    if (!read_order(control_word(c, 3), ORDER_DRAIN, &order))
        return CONTROL_USAGE;
    if (site == NULL || order_members(site, control_word(c, 2), order) == 0) {
        snprintf(text, TEXT_MAX, "the site has no such member");
        return CONTROL_NO;
    }
    snprintf(text, TEXT_MAX, "member %.*s of %s: %s", SPAN_ARG(control_word(c, 2)), site->config->name,
             order_names[order]);
    return CONTROL_OK;
}

bool backends_control(struct ipc *main_channel, struct message *m)
{
    struct control c;
    char text[TEXT_MAX] = "";
    enum control_status status = CONTROL_OK;
    if (!control_begin(&c, m))
        return true;
    if (control_is(&c, "status"))
        status = write_status(&c.json);
    else if (control_is(&c, "sites"))
        status = write_sites(&c, &c.json);
    else if (control_is(&c, "lineup"))
        status = write_lineup(&c, &c.json);
    else if (control_is(&c, "site"))
        status = order_site(&c, text);
    else if (control_is(&c, "member"))
        status = order_member(&c, text);
    else if (!control_common(&c))
        status = CONTROL_USAGE;
    return control_end(&c, main_channel, status, 0, text);
}
