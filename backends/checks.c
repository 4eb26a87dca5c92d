/* One check a member and protocol, each with its own rhythm, spread over the interval. */
#include "backends/checks.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/ways/approach.h"
#include "backends/check_login.h"
#include "proxy/base/log.h"
#include "proxy/net/conn.h"
#include "proxy/net/loop.h"

enum { GREETING_MAX = 1024, SPREAD_PARTS = 16, FIRST_MS = 500 };

struct check {
    struct list link;
    const struct member *member;
    enum protocol protocol;
    bool trial;      /* health waits for how this one ends */
    bool distrusted; /* a good check says nothing about what a login has found */
    bool refused;    /* the last login of the test account was */
    struct alarm next, limit;
    struct approach approach;
    struct conn *conn;
    struct check_login login; /* where the site has a test account: all from the greeting on */
    const char *stage;
    char greeting[GREETING_MAX];
    size_t n;
};

static struct {
    const struct config *config;
    struct tls_client *tls[PROTOCOLS];
    struct list list;
} all = {
    .list = {&all.list, &all.list}
};

static void begin(struct alarm *a);

/* ---- the end of one ---- */

static void give_back(struct check *k)
{
    alarm_clear(&k->limit);
    approach_stop(&k->approach);
    check_login_stop(&k->login);
    conn_free(&k->conn);
    if (k->trial)
        health_end_trial(k->member->health[k->protocol]);
    k->trial = false;
}

static void again(struct check *k)
{
    int64_t ms = all.config->limits.check_interval_s * SECOND;
    give_back(k);
    if (!alarm_set(&k->next, ms, begin))
        log_say(LOG_WARNING, "backends", "a member is not checked any more: memory is short");
}

static void fail(struct check *k, const char *why)
{
    if (strcmp(k->stage, "dial") == 0)
        k->distrusted = false; /* what a login saw was its death; whether it lives again a check can tell */
    member_fault(k->member, k->protocol, k->trial, k->stage, span_of(why));
    k->trial = false;
    again(k);
}

static void succeed(struct check *k)
{
    static const struct span goodbye[PROTOCOLS] = {
        [IMAP] = {"c LOGOUT\r\n", 10},
          [POP3] = { "QUIT\r\n",    6 }
    };
    ssize_t said UNUSED = conn_write(k->conn, goodbye[k->protocol].at, goodbye[k->protocol].n);
    conn_end(k->conn, false);
    if (!k->distrusted) {
        member_success(k->member, k->protocol);
        k->trial = false;
    }
    again(k);
}

static void on_limit(struct alarm *a)
{
    struct check *k = OWNER_OF(a, struct check, limit);
    if (k->login.conn != NULL)
        k->stage = check_login_stage(&k->login);
    fail(k, "timeout");
}

/* ---- the test account ---- */

/* Said when it begins and when it ends, for the admin: users are let in or not by passwords of their own. */
static void note_refusal(struct check *k, bool refused)
{
    struct log_line l;
    if (k->refused == refused)
        return;
    k->refused = refused;
    log_begin(&l, refused ? LOG_WARNING : LOG_INFO, "check_login");
    log_word(&l, "proto", protocol_names[k->protocol]);
    log_text(&l, "site", span_of(k->member->site->config->name));
    log_text(&l, "backend", k->member->name);
    log_word(&l, "result", refused ? "refused" : "ok");
    if (refused)
        log_text(&l, "why", span_of(k->login.why));
    log_end(&l);
}

static void go_on(struct check *k)
{
    enum check_login_is is = check_login_ready(&k->login);
    if (is == CHECK_LOGIN_WAITS)
        return;
    k->stage = check_login_stage(&k->login);
    if (is == CHECK_LOGIN_FAILED) {
        fail(k, k->login.why);
        return;
    }
    note_refusal(k, is == CHECK_LOGIN_REFUSED);
    k->distrusted = false; /* it has seen what a user's login sees */
    succeed(k);
}

/* ---- greeting ---- */

static bool is_welcome(const struct check *k)
{
    struct span line = span_bytes(k->greeting, k->n);
    return span_starts_nocase(line, k->protocol == IMAP ? SPAN("* OK") : SPAN("+OK"));
}

static void read_greeting(struct check *k)
{
    ssize_t n = conn_read(k->conn, k->greeting + k->n, sizeof k->greeting - k->n);
    if (n == CONN_AGAIN)
        return;
    if (n < 0) {
        fail(k, n == CONN_BROKEN ? conn_why(k->conn) : "eof");
        return;
    }
    k->n += (size_t)n;
    bool whole = memchr(k->greeting, '\n', k->n) != NULL;
    if (!whole && k->n < sizeof k->greeting)
        return;
    if (is_welcome(k))
        succeed(k);
    else
        fail(k, "greeting");
}

static void shake(struct check *k)
{
    int done = conn_handshake(k->conn);
    if (done == CONN_AGAIN)
        return;
    if (done != 1) {
        fail(k, conn_why(k->conn));
        return;
    }
    k->stage = "greeting";
    conn_watch(k->conn, WATCH_READ);
    read_greeting(k);
}

static void on_ready(void *owner, unsigned events UNUSED)
{
    struct check *k = owner;
    if (k->login.conn != NULL)
        go_on(k);
    else if (conn_is_tls(k->conn) && conn_tls_version(k->conn) == NULL)
        shake(k);
    else
        read_greeting(k);
}

/* A store that expects a PROXY header gets the one for connections of the proxy's own (v2, LOCAL). */
static bool announce(struct check *k)
{
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    if (k->member->site->config->client_info != CLIENT_INFO_PROXY2)
        return true;
    return conn_write(k->conn, local, sizeof local - 1) == (ssize_t)sizeof local - 1;
}

/* False: there is no memory. */
static bool start_dialogue(struct check *k)
{
    const struct tester *tester = tester_of(k->member->site);
    bool implicit = k->member->site->config->security == SECURITY_TLS;
    k->stage = implicit ? "tls" : "greeting";
    if (!announce(k))
        return false;
    if (tester != NULL)
        return check_login_start(&k->login, k->conn, k->member, k->protocol, tester);
    return !implicit || conn_tls_connect(k->conn, all.tls[k->protocol], k->member->config->host, k->member->key);
}

static void on_connected(struct approach *a, int fd, const struct addr *address UNUSED)
{
    struct check *k = OWNER_OF(a, struct check, approach);
    if (fd < 0 && a->ours) {
        again(k);
        return;
    }
    if (fd < 0) {
        fail(k, a->connecting.why);
        return;
    }
    k->conn = conn_new(fd, on_ready, k);
    if (k->conn == NULL || !start_dialogue(k)) {
        again(k);
        return;
    }
    conn_watch(k->conn, WATCH_READ);
    if (k->login.conn != NULL)
        go_on(k);
    else if (conn_is_tls(k->conn))
        shake(k);
}

/* ---- the beginning ---- */

static bool judges(const struct check *k)
{
    return !k->distrusted || tester_of(k->member->site) != NULL; /* a test account sees what a user's login sees */
}

static void begin(struct alarm *a)
{
    struct check *k = OWNER_OF(a, struct check, next);
    const struct config *config = all.config;
    k->stage = "dial";
    k->n = 0;
    k->trial = judges(k) && health_begin_trial(k->member->health[k->protocol], loop_now_ms());
    int64_t most_ms = config->limits.connect_timeout_ms + config->limits.greeting_timeout_ms;
    if (tester_of(k->member->site) != NULL)
        most_ms += config->limits.greeting_timeout_ms;
    if (!alarm_set(&k->limit, most_ms, on_limit)) {
        again(k);
        return;
    }
    approach_start(&k->approach, k->member, k->protocol, on_connected);
}

/* ---- life ---- */

static bool is_watched(const struct site *site)
{
    return site->config->security <= SECURITY_CLEAR;
}

static struct check *check_of(const struct member *m, enum protocol protocol)
{
    LIST_EACH(link, &all.list) {
        struct check *k = OWNER_OF(link, struct check, link);
        if (k->member == m && k->protocol == protocol)
            return k;
    }
    return NULL;
}

bool checks_judge(const struct member *m, enum protocol protocol)
{
    const struct check *k = check_of(m, protocol);
    return k != NULL && judges(k);
}

void checks_distrust(const struct member *m, enum protocol protocol)
{
    struct check *k = check_of(m, protocol);
    if (k != NULL)
        k->distrusted = true;
}

void checks_trust(const struct member *m, enum protocol protocol)
{
    struct check *k = check_of(m, protocol);
    if (k != NULL)
        k->distrusted = false;
}

bool checks_are_refused(const struct member *m, enum protocol protocol)
{
    const struct check *k = check_of(m, protocol);
    return k != NULL && k->refused;
}

static bool add(const struct member *m, enum protocol protocol, size_t number)
{
    int64_t interval_ms = all.config->limits.check_interval_s * SECOND;
    struct check *k = calloc(1, sizeof *k);
    if (k == NULL)
        return false;
    k->member = m;
    k->protocol = protocol;
    list_init(&k->link);
    list_add(&all.list, &k->link);
    return alarm_set(&k->next, FIRST_MS + (int64_t)(number % SPREAD_PARTS) * interval_ms / SPREAD_PARTS, begin);
}

static bool open_tls(void)
{
    struct buf why;
    buf_init(&why, 1024);
    for (enum protocol p = 0; p < PROTOCOLS; p++)
        all.tls[p] = tls_client_new(&(struct tls_client_order){ .ca_name = "",
                                                                .verify = false,
                                                                .verify_name = "",
                                                                .pin_sha256 = "",
                                                                .min_version = TLS_VERSION_1_0,
                                                                .ciphers = "",
                                                                .alpn = protocol_names[p] },
                                    &why);
    buf_fini(&why);
    return all.tls[IMAP] != NULL && all.tls[POP3] != NULL;
}

void checks_take(struct span bundle)
{
    struct buf why;
    LIST_EACH(link, &all.list) {
        struct check *k = OWNER_OF(link, struct check, link);
        if (k->login.conn != NULL)
            again(k);
    }
    buf_init(&why, 1024);
    if (!testers_take(all.config, bundle, &why))
        log_say(LOG_ERROR, "check_login", "test accounts are not taken, the old ones stay: %.*s",
                SPAN_ARG(span_trim(buf_span(&why))));
    buf_fini(&why);
}

void checks_open(const struct config *config, struct span bundle)
{
    size_t number = 0;
    all.config = config;
    if (config->limits.check_interval_s == 0)
        return;
    checks_take(bundle);
    bool good = open_tls();
    for (size_t i = 0; good && i < sites_count(); i++) {
        const struct site *site = sites_at(i);
        for (size_t m = 0; is_watched(site) && m < site->n_members; m++)
            for (enum protocol p = 0; p < PROTOCOLS; p++)
                if (site->config->serves[p] && config->protocols[p].on)
                    good = good && add(&site->members[m], p, number++);
    }
    if (!good)
        log_say(LOG_WARNING, "backends", "members are not checked: memory is short");
}

void checks_close(void)
{
    while (!list_empty(&all.list)) {
        struct check *k = OWNER_OF(all.list.next, struct check, link);
        alarm_clear(&k->next);
        give_back(k);
        list_remove(&k->link);
        free(k);
    }
    for (enum protocol p = 0; p < PROTOCOLS; p++)
        tls_client_free(&all.tls[p]);
    testers_close();
    all.config = NULL;
}
