/* Watched links, and the counts. Changes come in bursts (a rekeying is several): the first is looked at at once, what
 * follows within a moment together. */
#include "backends/ipsec/ipsec.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/ipsec/associations.h"
#include "backends/ipsec/ipsec_policy.h"
#include "backends/ipsec/ipsec_wait.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

enum { BURST_MS = 20 };

static struct {
    const struct config *config;
    uint64_t (*counts)[IPSEC_COUNTS]; /* by number of the site */
    bool open;
    struct list links;
    int64_t looked_ms;
    struct alarm soon;
} all;

/* ---- looking ---- */

static void log_refusal(const struct site *site, const struct ipsec_pair *pair, enum ipsec_verdict v,
                        const struct association *culprit)
{
    struct log_line l;
    char text[ASSOCIATION_TEXT_MAX];
    log_begin(&l, LOG_WARNING, "ipsec");
    if (site != NULL) {
        log_text(&l, "site", span_of(site->config->name));
        log_number(&l, "reqid", site->config->ipsec.reqid);
    }
    log_addr(&l, "peer", &pair->peer);
    log_word(&l, "result", ipsec_words[v]);
    if (culprit != NULL)
        log_text(&l, "found", span_of(association_text(culprit, text)));
    log_end(&l);
}

static enum ipsec_verdict look(const struct ipsec_rule *rule, const struct ipsec_pair *pair,
                               const struct association **culprit)
{
    const struct association *found;
    size_t n;
    *culprit = NULL;
    if (!all.open || !associations_read(&found, &n))
        return IPSEC_UNREADABLE;
    enum ipsec_verdict v = ipsec_judge(rule, pair, found, n, culprit);
    if (v == IPSEC_NO_SA || v == IPSEC_ONE_WAY)
        *culprit = ipsec_stranger(rule, pair, found, n);
    return v;
}

enum ipsec_verdict ipsec_look(const struct ipsec_rule *rule, const struct ipsec_pair *pair)
{
    const struct association *culprit;
    return look(rule, pair, &culprit);
}

enum ipsec_verdict ipsec_report(const struct site *site, const struct ipsec_rule *rule, const struct ipsec_pair *pair)
{
    const struct association *culprit;
    enum ipsec_verdict v = look(rule, pair, &culprit);
    if (v != IPSEC_GOOD)
        log_refusal(site, pair, v, culprit);
    return v;
}

/* ---- watching ---- */

static void look_at(struct ipsec_link *l, const struct association *found, size_t n, bool readable)
{
    const struct association *culprit = NULL;
    enum ipsec_verdict v = readable ? ipsec_judge(&l->rule, &l->pair, found, n, &culprit) : IPSEC_UNREADABLE;
    if (!ipsec_is_bad(v))
        return;
    ipsec_unwatch(l);
    if (l->site != NULL)
        ipsec_count(l->site, IPSEC_ENDED);
    log_refusal(l->site, &l->pair, v, culprit);
    l->bad(l);
}

static void look_at_all(void)
{
    const struct association *found = NULL;
    size_t n = 0;
    all.looked_ms = loop_now_ms();
    ipsec_wait_changed();
    if (list_empty(&all.links))
        return;
    bool readable = associations_read(&found, &n);
    LIST_EACH_SAFE(each, &all.links)
        look_at(OWNER_OF(each, struct ipsec_link, link), found, n, readable);
}

static void on_soon(struct alarm *a UNUSED)
{
    look_at_all();
}

static void on_changed(void)
{
    int64_t since_ms = loop_now_ms() - all.looked_ms;
    if (since_ms >= BURST_MS || !alarm_set(&all.soon, BURST_MS - since_ms, on_soon))
        look_at_all();
}

void ipsec_watch(struct ipsec_link *l)
{
    list_init(&l->link);
    list_add(&all.links, &l->link);
}

void ipsec_unwatch(struct ipsec_link *l)
{
    if (l->link.next != NULL)
        list_remove(&l->link);
}

/* ---- life ---- */

bool ipsec_open(const struct config *config, const char **why)
{
    list_init(&all.links);
    all.config = config;
    all.looked_ms = INT64_MIN / 2;
    if (!config_has_ipsec(config))
        return true;
    *why = ipsec_policy_cannot();
    if (*why != NULL || !associations_open(on_changed, why))
        return false;
    all.counts = calloc(config->n_sites, sizeof *all.counts);
    all.open = all.counts != NULL;
    if (!all.open)
        *why = "no memory for the counts of sites with IPsec";
    return all.open;
}

void ipsec_close(void)
{
    alarm_clear(&all.soon);
    associations_close();
    free(all.counts);
    all.counts = NULL;
    all.open = false;
}

/* ---- ends of connections ---- */

struct ipsec_pair ipsec_pair_of(int fd, const struct addr *peer)
{
    struct ipsec_pair pair = { .peer = *peer };
    struct sockaddr_storage at;
    socklen_t n = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &n) != 0 || !addr_from_sockaddr((struct sockaddr *)&at, &pair.local))
        pair.local = (struct addr){ 0 };
    return pair;
}

struct ipsec_pair ipsec_pair_to(const struct addr *peer)
{
    struct sockaddr_storage at;
    struct ipsec_pair pair = { .peer = *peer };
    socklen_t n = addr_to_sockaddr(peer, &at);
    int fd = socket(peer->family, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* which sends nothing by being connected */
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, n) == 0)
        pair = ipsec_pair_of(fd, peer);
    if (fd >= 0)
        close(fd);
    return pair;
}

/* ---- counts ---- */

const char *const ipsec_count_names[IPSEC_COUNTS] = {
    [IPSEC_WAITED] = "ipsec_waits",
    [IPSEC_WAITED_IN_VAIN] = "ipsec_no_sa",
    [IPSEC_REFUSED] = "ipsec_refused",
    [IPSEC_ENDED] = "ipsec_ended",
};

void ipsec_count(const struct site *site, enum ipsec_count which)
{
    if (all.open)
        all.counts[site->number][which]++;
}

uint64_t ipsec_counted(const struct site_config *site, enum ipsec_count which)
{
    return all.open ? all.counts[site - all.config->sites][which] : 0;
}

void ipsec_log_counts(struct log_line *l, const struct site_config *site)
{
    if (!all.open || site->security != SECURITY_IPSEC)
        return;
    for (enum ipsec_count i = 0; i < IPSEC_COUNTS; i++)
        log_number(l, ipsec_count_names[i], (int64_t)ipsec_counted(site, i));
}

static size_t count_links(const struct site_config *site)
{
    size_t n = 0;
    LIST_EACH(each, &all.links) {
        const struct ipsec_link *l = OWNER_OF(each, struct ipsec_link, link);
        n += l->site != NULL && l->site->config == site;
    }
    return n;
}

void ipsec_log_status(void)
{
    for (size_t i = 0; all.open && i < all.config->n_sites; i++) {
        const struct site_config *site = &all.config->sites[i];
        struct log_line l;
        if (site->security != SECURITY_IPSEC)
            continue;
        log_begin(&l, LOG_INFO, "site");
        log_text(&l, "site", span_of(site->name));
        log_word(&l, "link", security_names[site->security]);
        log_number(&l, "reqid", site->ipsec.reqid);
        log_number(&l, "links", (int64_t)count_links(site));
        ipsec_log_counts(&l, site);
        log_end(&l);
    }
}
