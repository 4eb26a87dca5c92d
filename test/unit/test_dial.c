/* Dialling for real, on loopback: members that answer, refuse, stall; places, moves, limits, and no descriptor left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "backends/dial.h"
#include "backends/ways/reach.h"
#include "proxy/net/deadline.h"
#include "proxy/net/dns.h"
#include "proxy/net/loop.h"

/* ---- a DNS that knows two names: one begins with addresses where nobody listens, one with one that stalls ---- */

struct dns_wait {
    struct later later;
    dns_done_fn *done;
    void *owner;
    const char *name;
};

static const struct {
    const char *name, *addrs[3];
} known[] = {
    {"refuses.example", { "127.0.0.9", "::1", "127.0.0.1" }},
    { "stalls.example", { "127.0.0.1", "127.0.0.2" }       },
};

static void deliver(struct later *l)
{
    struct dns_wait *w = OWNER_OF(l, struct dns_wait, later);
    struct dns_answer answer = { .status = DNS_NO_NAME, .reason = "NXDOMAIN" };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i].name, w->name) != 0)
            continue;
        answer = (struct dns_answer){ .status = DNS_OK, .reason = "ok", .ttl_ms = 60000 };
        for (size_t a = 0; a < COUNT_OF(known[i].addrs) && known[i].addrs[a] != NULL; a++)
            assert_true(addr_parse(span_of(known[i].addrs[a]), 0, &answer.addrs[answer.n++]));
    }
    w->done(w->owner, &answer);
    free(w);
}

struct dns_wait *dns_ask(const char *name, dns_done_fn *done, void *owner)
{
    struct dns_wait *w = calloc(1, sizeof *w);
    w->done = done;
    w->owner = owner;
    w->name = name;
    loop_later(&w->later, deliver);
    return w;
}

void dns_cancel(struct dns_wait **wait)
{
    if (*wait != NULL) {
        loop_never(&(*wait)->later);
        free(*wait);
    }
    *wait = NULL;
}

/* ---- a site with two members, and what they do ---- */

enum { MEMBERS = 3, ANSWERS = 0, REFUSES, STALLS };

static struct backend_config backends[MEMBERS];
static struct site_config site_config;
static struct listener_config listener;
static struct config config;
static int listening[MEMBERS], filler[MEMBERS][4];
static const struct site *site;

static uint16_t port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    return ntohs(at.sin_port);
}

/* A queue that is full makes the kernel drop SYNs: that is how a stalled host looks. */
static void fill(int i)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(backends[i].imap_port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t f = 0; f < COUNT_OF(filler[i]); f++) {
        filler[i][f] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(filler[i][f], (struct sockaddr *)&at, sizeof at);
    }
}

static void member_opens(int i, int does)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(backends[i].imap_port) };
    int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listening[i] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listening[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(listening[i], (struct sockaddr *)&at, sizeof at), 0);
    backends[i].imap_port = port_of(listening[i]);
    if (does != REFUSES)
        assert_int_equal(listen(listening[i], does == STALLS ? 0 : 16), 0);
    if (does == STALLS)
        fill(i);
}

static void member_closes(int i)
{
    for (size_t f = 0; f < COUNT_OF(filler[i]); f++) {
        if (filler[i][f] > 0)
            close(filler[i][f]);
        filler[i][f] = 0;
    }
    if (listening[i] > 0)
        close(listening[i]);
    listening[i] = 0;
}

static void build(size_t n, const int does[])
{
    memset(backends, 0, sizeof backends);
    site_config = (struct site_config){
        .name = "north", .backends = backends, .n_backends = n, .serves = {true, false},
                   .port = { 143, 0    }
    };
    config = (struct config){ .sites = &site_config, .n_sites = 1 };
    for (size_t i = 0; i < n; i++) {
        backends[i].host = "127.0.0.1";
        backends[i].weight = 1;
        assert_true(addr_parse(SPAN("127.0.0.1"), 0, &backends[i].literal));
        member_opens((int)i, does[i]);
    }
}

static int revoked;
static struct lease *to_release;

static void on_revoke(struct lease *l UNUSED)
{
    revoked++;
}

static void open_all(void)
{
    revoked = 0;
    assert_true(sites_open(&config));
    (void)health_open(-1);
    reach_open(&config);
    places_open(on_revoke);
    site = site_find(SPAN("north"));
}

static void close_all(void)
{
    assert_int_equal(places_count(), 0);
    places_close();
    health_close();
    sites_close();
    for (int i = 0; i < MEMBERS; i++)
        member_closes(i);
}

/* ---- asking ---- */

static size_t pending;

struct asked {
    struct dial *dial;
    struct lease lease;
    struct dial_result result;
    int64_t ms;
    bool done;
};

static void on_dialed(void *owner, const struct dial_result *result)
{
    struct asked *a = owner;
    assert_false(a->done);
    a->done = true;
    a->result = *result;
    a->ms = dial_ms(a->dial);
    dial_free(&a->dial);
    if (--pending == 0)
        loop_stop();
}

static void ask(struct asked *a, int64_t ms_left, struct span tried)
{
    struct dial_order order = { .site = site,
                                .protocol = IMAP,
                                .mailbox = SPAN("anna@example.com"),
                                .tried = tried,
                                .ms_left = ms_left,
                                .connect_timeout_ms = 1500 };
    *a = (struct asked){ 0 };
    a->dial = dial_new(&order, &a->lease, on_dialed, a);
    assert_non_null(a->dial);
    pending++;
    loop_refresh();
    dial_start(a->dial);
    assert_false(a->done);
}

static void end(struct asked *a)
{
    dial_free(&a->dial);
    places_release(&a->lease);
    if (a->done && a->result.status == DIAL_OK)
        close(a->result.fd);
}

static size_t home_of(void) /* where anna goes when all is well */
{
    struct asked a;
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK);
    size_t i = (size_t)(a.result.member - site->members);
    end(&a);
    return i;
}

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t n = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
    return value;
}

static void test_connects(void **state UNUSED)
{
    build(1, (int[]){ ANSWERS });
    open_all();
    struct asked a;
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK);
    assert_int_equal(a.result.address.port, backends[0].imap_port);
    assert_int_equal(a.lease.member, site->members[0].key);
    assert_int_equal(option(a.result.fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(a.result.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(a.result.fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option(a.result.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
    assert_true((fcntl(a.result.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(a.result.fd, F_GETFD) & FD_CLOEXEC) != 0);
    end(&a);
    close_all();
}

/* The site as a whole: what its members do, what is asked, what must come of it. */
static const struct row {
    const char *name;
    size_t n;
    int does[MEMBERS];
    int64_t ms_left;
    enum dial_status want;
    const char *why;
    int64_t ms_least, ms_most;
} rows[] = {
    {"all refuse",             2, { REFUSES, REFUSES },          5000, DIAL_UNREACHABLE, "refused", 0,    500 },
    { "one of two refuses",    2, { REFUSES, ANSWERS },          5000, DIAL_OK,          NULL,      0,    500 },
    { "one of three works",    3, { REFUSES, REFUSES, ANSWERS }, 5000, DIAL_OK,          NULL,      0,    500 },
    { "all stall",             2, { STALLS, STALLS },            2000, DIAL_UNREACHABLE, "timeout", 1900, 2600},
    { "one stalls: its limit", 1, { STALLS },                    5000, DIAL_UNREACHABLE, "timeout", 1400, 2000},
    { "no time is left",       1, { ANSWERS },                   0,    DIAL_UNREACHABLE, "timeout", 0,    100 },
};

static void test_members(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct asked a;
        print_message("%s\n", rows[i].name);
        build(rows[i].n, rows[i].does);
        open_all();
        ask(&a, rows[i].ms_left, SPAN_NONE);
        loop_run();
        assert_int_equal(a.result.status, rows[i].want);
        if (rows[i].why != NULL)
            assert_string_equal(a.result.why, rows[i].why);
        assert_in_range(a.ms, rows[i].ms_least, rows[i].ms_most);
        end(&a);
        close_all();
    }
}

/* When the mailbox's own member stalls, the other one gets the rest of the time; from then on it is known. */
static void test_second_member(void **state UNUSED)
{
    build(2, (int[]){ ANSWERS, ANSWERS });
    open_all();
    size_t home = home_of(), other = 1 - home;
    close(listening[home]);
    listening[home] = 0;
    member_opens((int)home, STALLS);
    struct asked a;
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK);
    assert_ptr_equal(a.result.member, &site->members[other]);
    assert_in_range(a.ms, 1400, 3000);
    end(&a);
    assert_int_equal(member_look(&site->members[home], IMAP).state, HEALTH_AVOIDED);
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_ptr_equal(a.result.member, &site->members[other]);
    assert_in_range(a.ms, 0, 1000);
    end(&a);
    close_all();
}

static void test_tried(void **state UNUSED)
{
    char tried[16];
    build(2, (int[]){ ANSWERS, ANSWERS });
    open_all();
    size_t home = home_of();
    struct asked a;
    memcpy(tried, &site->members[home].key, 8);
    memcpy(tried + 8, &site->members[1 - home].key, 8);
    ask(&a, 5000, span_bytes(tried, 8));
    loop_run();
    assert_ptr_equal(a.result.member, &site->members[1 - home]);
    end(&a);
    ask(&a, 5000, span_bytes(tried, 16));
    loop_run();
    assert_int_equal(a.result.status, DIAL_UNREACHABLE);
    assert_string_equal(a.result.why, "all_tried");
    end(&a);
    close_all();
}

static void test_never_dialled(void **state UNUSED)
{
    struct network elsewhere;
    assert_true(network_parse(SPAN("10.0.0.0/8"), &elsewhere));
    struct asked a;
    for (int i = 0; i < 5; i++) {
        static const struct {
            enum dial_status status;
            const char *why;
        } want[] = {
            {DIAL_UNREACHABLE,  "outside_networks"},
            { DIAL_UNREACHABLE, "not_loopback"    },
            { DIAL_LOOP,        "own_listener"    },
            { DIAL_LOOP,        "own_listener"    },
            { DIAL_UNREACHABLE, "bad_address"     }
        };
        build(1, (int[]){ ANSWERS });
        if (i == 0)
            site_config.networks = (struct networks){ &elsewhere, 1 };
        if (i == 1) {
            site_config.security = SECURITY_LOOPBACK;
            assert_true(addr_parse(SPAN("198.51.100.7"), 0, &backends[0].literal));
        }
        if (i == 2 || i == 3) {
            listener = (struct listener_config){ 0 };
            assert_true(
                addr_parse(i == 2 ? SPAN("127.0.0.1") : SPAN("0.0.0.0"), backends[0].imap_port, &listener.address));
            config.protocols[POP3] = (struct protocol_config){ .listeners = &listener, .n_listeners = 1 };
        }
        if (i == 4)
            assert_true(addr_parse(SPAN("0.0.0.0"), 0, &backends[0].literal));
        open_all();
        ask(&a, 5000, SPAN_NONE);
        loop_run();
        assert_int_equal(a.result.status, want[i].status);
        assert_string_equal(a.result.why, want[i].why);
        end(&a);
        close_all();
    }
}

/* 127.0.0.9 refuses, so does ::1: the third address answers. A name that does not exist is the member's fault. */
static void test_names(void **state UNUSED)
{
    build(1, (int[]){ ANSWERS });
    backends[0].host = "refuses.example";
    backends[0].literal = (struct addr){ 0 };
    open_all();
    struct asked a;
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK);
    assert_int_equal(a.result.address.family, AF_INET);
    assert_int_equal(a.result.address.bytes[3], 1);
    assert_in_range(a.ms, 0, 1000);
    end(&a);
    close_all();

    build(1, (int[]){ ANSWERS });
    backends[0].host = "unknown.example";
    backends[0].literal = (struct addr){ 0 };
    open_all();
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_UNREACHABLE);
    assert_string_equal(a.result.why, "NXDOMAIN");
    assert_int_equal(member_look(&site->members[0], IMAP).state, HEALTH_AVOIDED);
    end(&a);
    close_all();
}

/* The first address stalls: a quarter of a second later the second one is tried beside it, and wins. */
static void test_staggers(void **state UNUSED)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
    struct asked a;
    build(1, (int[]){ STALLS });
    at.sin_port = htons(backends[0].imap_port);
    int second = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(second, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(second, 4), 0);
    backends[0].host = "stalls.example";
    backends[0].literal = (struct addr){ 0 };
    open_all();
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK);
    assert_int_equal(a.result.address.bytes[3], 2);
    assert_in_range(a.ms, 240, 1200);
    end(&a);
    close(second);
    close_all();
}

static void test_ranks(void **state UNUSED)
{
    build(3, (int[]){ ANSWERS, ANSWERS, REFUSES });
    backends[0].drain = true;
    backends[1].standby = true;
    open_all();
    struct asked a;
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_ptr_equal(a.result.member, &site->members[1]);
    end(&a);
    close_all();

    build(1, (int[]){ ANSWERS });
    backends[0].drain = true;
    open_all();
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_UNREACHABLE);
    assert_string_equal(a.result.why, "no_member");
    end(&a);
    struct lease lives = { 0 };
    assert_true(places_hold(&lives, 0, SPAN("anna@example.com"), site->members[0].key, true));
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK); /* it lives there */
    end(&a);
    places_release(&lives);
    close_all();
}

static void test_two_share(void **state UNUSED)
{
    build(3, (int[]){ REFUSES, ANSWERS, ANSWERS });
    site_config.affinity = AFFINITY_MAILBOX;
    open_all();
    struct asked a, b;
    ask(&a, 5000, SPAN_NONE);
    ask(&b, 5000, SPAN_NONE);
    loop_run();
    assert_int_equal(a.result.status, DIAL_OK);
    assert_ptr_equal(a.result.member, b.result.member);
    end(&a);
    end(&b);
    close_all();
}

static void on_release(struct alarm *alarm UNUSED)
{
    places_release(to_release);
}

/* A session lives on a member that cannot be reached any more: it is told to go, and waited for, for a second. */
static void test_moves(void **state UNUSED)
{
    for (int goes = 0; goes < 2; goes++) {
        struct alarm alarm = { 0 };
        struct lease lives = { 0 };
        struct asked a, b;
        build(2, (int[]){ REFUSES, ANSWERS });
        open_all();
        assert_true(places_hold(&lives, 0, SPAN("anna@example.com"), site->members[0].key, true));
        to_release = &lives;
        ask(&a, 5000, SPAN_NONE);
        ask(&b, 5000, SPAN_NONE);
        if (goes)
            assert_true(alarm_set(&alarm, 300, on_release));
        loop_run();
        assert_int_equal(revoked, 1);
        assert_int_equal(a.result.status, DIAL_OK);
        assert_ptr_equal(a.result.member, &site->members[1]);
        assert_ptr_equal(b.result.member, &site->members[1]);
        assert_in_range(a.ms, goes ? 280 : 980, goes ? 900 : 1900);
        end(&a);
        end(&b);
        places_release(&lives);
        close_all();
    }
}

/* A member that has failed twice is not asked first even by those who live there; one fault alone moves nobody. */
static void test_given_up(void **state UNUSED)
{
    struct lease lives = { 0 };
    struct asked a;
    build(2, (int[]){ ANSWERS, ANSWERS });
    open_all();
    const struct member *m = &site->members[0];
    assert_true(places_hold(&lives, 0, SPAN("anna@example.com"), m->key, false));
    member_fault(m, IMAP, false, "greeting", SPAN("stalled"));
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_ptr_equal(a.result.member, m);
    end(&a);
    member_fault(m, IMAP, true, "greeting", SPAN("stalled"));
    ask(&a, 5000, SPAN_NONE);
    loop_run();
    assert_ptr_equal(a.result.member, &site->members[1]);
    end(&a);
    places_release(&lives);
    close_all();
}

static void test_no_affinity(void **state UNUSED)
{
    int seen[2] = { 0 };
    build(2, (int[]){ ANSWERS, ANSWERS });
    site_config.affinity = AFFINITY_NONE;
    open_all();
    for (int i = 0; i < 30; i++) {
        struct asked a;
        ask(&a, 5000, SPAN_NONE);
        loop_run();
        assert_int_equal(a.result.status, DIAL_OK);
        seen[a.result.member - site->members]++;
        end(&a);
        close(accept(listening[a.result.member - site->members], NULL, NULL));
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    close_all();
}

static void on_cancel(struct alarm *alarm UNUSED)
{
    loop_stop();
}

static void test_cancel(void **state UNUSED)
{
    size_t before = open_descriptors();
    for (int when_ms = 0; when_ms < 3; when_ms++) {
        struct alarm alarm = { 0 };
        struct asked a, b;
        build(2, (int[]){ STALLS, STALLS });
        open_all();
        ask(&a, 5000, SPAN_NONE);
        ask(&b, 5000, SPAN_NONE);
        if (when_ms > 0) {
            assert_true(alarm_set(&alarm, when_ms * 20, on_cancel));
            loop_run();
        }
        end(&a);
        end(&b);
        pending = 0;
        close_all();
    }
    assert_int_equal(open_descriptors(), before);
}

static int set_up(void **state UNUSED)
{
    loop_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connects), cmocka_unit_test(test_members),       cmocka_unit_test(test_second_member),
        cmocka_unit_test(test_tried),    cmocka_unit_test(test_never_dialled), cmocka_unit_test(test_names),
        cmocka_unit_test(test_staggers), cmocka_unit_test(test_ranks),         cmocka_unit_test(test_two_share),
        cmocka_unit_test(test_moves),    cmocka_unit_test(test_given_up),      cmocka_unit_test(test_no_affinity),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
