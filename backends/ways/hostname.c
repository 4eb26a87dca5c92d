/* Hostnames: a table of names, each with its answer, its one question under way and those who wait for it. */
#include "backends/ways/hostname.h"

#include <ctype.h>
#include <stdlib.h>

#include "backends/members/table.h"
#include "proxy/base/log.h"
#include "proxy/net/deadline.h"
#include "proxy/net/dns.h"
#include "proxy/net/hash.h"
#include "proxy/net/loop.h"

enum { PATIENCE_MS = 500, RETRY_FIRST_MS = 1000, RETRY_LONGEST_MS = 30000, PARTIAL_MS = 10000 };

struct hostname {
    struct table_entry entry;
    struct addr addrs[DNS_ADDRESSES_MAX]; /* the last good answer */
    size_t n;
    const char *why; /* of the last failure; NULL when the last answer was good */
    unsigned failures;
    bool answered; /* at all, well or badly */
    bool used;     /* since the last answer: worth to be kept warm */
    int64_t until_ms;
    struct dns_wait *question;
    struct alarm refresh, patience;
    struct list waiters;
    char name[];
};

static struct table table;

static struct hostname *find(const char *name, uint64_t hash)
{
    for (struct table_entry *e = table_first(&table, hash); e != NULL; e = table_next(e)) {
        struct hostname *h = OWNER_OF(e, struct hostname, entry);
        if (strcmp(h->name, name) == 0)
            return h;
    }
    return NULL;
}

struct hostname *hostname_of(const char *name)
{
    size_t n = strlen(name);
    struct hostname *h = calloc(1, sizeof *h + n + 1);
    if (h == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        h->name[i] = (char)tolower((unsigned char)name[i]);
    list_init(&h->waiters);
    uint64_t hash = hash_keyed(span_bytes(h->name, n));
    struct hostname *same = find(h->name, hash);
    if (same != NULL || !table_add(&table, &h->entry, hash)) {
        free(h);
        return same;
    }
    return h;
}

void hostnames_close(void)
{
    for (size_t i = 0; i < table.n_buckets; i++) {
        while (table.buckets[i] != NULL) {
            struct hostname *h = OWNER_OF(table.buckets[i], struct hostname, entry);
            table_remove(&table, &h->entry);
            dns_cancel(&h->question);
            alarm_clear(&h->refresh);
            alarm_clear(&h->patience);
            free(h);
        }
    }
    table_fini(&table);
}

static void wake(struct hostname *h)
{
    struct list now;
    list_init(&now);
    alarm_clear(&h->patience);
    while (!list_empty(&h->waiters)) {
        struct list *link = h->waiters.next;
        list_remove(link);
        list_add(&now, link);
    }
    while (!list_empty(&now)) { /* done may cancel other waits, or ask again */
        struct hostname_wait *w = OWNER_OF(now.next, struct hostname_wait, link);
        list_remove(&w->link);
        w->done(w);
    }
}

static void log_change(const struct hostname *h, const char *why)
{
    struct log_line l;
    log_begin(&l, why != NULL ? LOG_WARNING : LOG_INFO, "dns");
    log_text(&l, "host", span_of(h->name));
    log_word(&l, "state", why != NULL ? "failed" : "ok");
    log_word(&l, "why", why);
    log_number(&l, "addresses", (int64_t)h->n); /* that are in force */
    log_end(&l);
}

static bool has_family(const struct dns_answer *answer, uint8_t family)
{
    for (size_t i = 0; i < answer->n; i++) {
        if (answer->addrs[i].family == family)
            return true;
    }
    return false;
}

/* When one family could not be asked, its addresses of last time stay. */
static void take_good(struct hostname *h, const struct dns_answer *answer)
{
    struct addr kept[DNS_ADDRESSES_MAX];
    size_t n_kept = 0;
    for (size_t i = 0; answer->partial && i < h->n; i++) {
        if (!has_family(answer, h->addrs[i].family))
            kept[n_kept++] = h->addrs[i];
    }
    h->n = answer->n;
    memcpy(h->addrs, answer->addrs, answer->n * sizeof answer->addrs[0]);
    for (size_t i = 0; i < n_kept && h->n < DNS_ADDRESSES_MAX; i++)
        h->addrs[h->n++] = kept[i];
    h->failures = 0;
}

static int64_t retry_ms(unsigned failures)
{
    int64_t ms = RETRY_FIRST_MS;
    for (unsigned i = 1; i < failures && ms < RETRY_LONGEST_MS; i++)
        ms *= 2;
    return ms < RETRY_LONGEST_MS ? ms : RETRY_LONGEST_MS;
}

static void ask(struct hostname *h);

/* Asked again a little before the answer ends, so that nobody has to wait for it; but only if it was used. */
static void on_refresh(struct alarm *a)
{
    struct hostname *h = OWNER_OF(a, struct hostname, refresh);
    if (h->used && h->question == NULL)
        ask(h);
}

static void settle(struct hostname *h, const char *why, int64_t for_ms)
{
    bool changed = (why == NULL) != (h->why == NULL) || (why != NULL && strcmp(why, h->why) != 0);
    h->why = why;
    h->answered = true;
    h->used = false;
    h->until_ms = loop_now_ms() + for_ms;
    if (!alarm_set(&h->refresh, for_ms - for_ms / 10, on_refresh))
        h->until_ms = 0; /* no memory for keeping it warm: whoever needs it asks */
    if (changed)
        log_change(h, why);
    wake(h);
}

static void fail(struct hostname *h, const char *why)
{
    if (h->failures < 32)
        h->failures++;
    settle(h, why, retry_ms(h->failures));
}

static void on_answer(void *owner, const struct dns_answer *answer)
{
    struct hostname *h = owner;
    h->question = NULL;
    if (answer->status != DNS_OK) {
        fail(h, answer->reason);
        return;
    }
    take_good(h, answer);
    settle(h, NULL, answer->partial && answer->ttl_ms > PARTIAL_MS ? PARTIAL_MS : answer->ttl_ms);
}

static void ask(struct hostname *h)
{
    h->question = dns_ask(h->name, on_answer, h);
    if (h->question == NULL)
        fail(h, "no_memory");
}

static void on_patience(struct alarm *a)
{
    wake(OWNER_OF(a, struct hostname, patience));
}

bool hostname_ask(struct hostname *h, struct hostname_wait *w, void (*done)(struct hostname_wait *))
{
    bool ready = h->answered && loop_now_ms() < h->until_ms;
    if (!ready && h->question == NULL) {
        ask(h);
        ready = h->question == NULL;
    }
    h->used = true;
    if (ready)
        return true;
    if (h->n > 0 && list_empty(&h->waiters) && !alarm_set(&h->patience, PATIENCE_MS, on_patience))
        return true;
    w->done = done;
    list_init(&w->link);
    list_add(&h->waiters, &w->link);
    return false;
}

void hostname_cancel(struct hostname_wait *w)
{
    if (w->link.next != NULL)
        list_remove(&w->link);
}

const struct addr *hostname_addrs(const struct hostname *h, size_t *n, const char **why)
{
    *n = h->n;
    *why = h->why != NULL ? h->why : "dns_error";
    return h->addrs;
}
