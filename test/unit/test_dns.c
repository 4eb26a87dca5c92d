/* DNS against a small server of our own on the same loop: what it says to each name is a row of a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/deadline.h"
#include "proxy/net/dns.h"
#include "proxy/net/loop.h"
#include "proxy/net/watch.h"

enum {
    RCODE_OK = 0,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_REFUSED = 5,
    SILENT = -1,
    TYPE_A = 1,
    TYPE_AAAA = 28
};

struct said {
    int rcode;
    int n;        /* addresses */
    unsigned ttl; /* of each */
    bool alias;   /* a CNAME with TTL 7 in front */
};

static const struct row {
    const char *name;
    struct said v4, v6;
    enum dns_status want;
    const char *reason;
    size_t n;
    int64_t ttl_ms;
    bool partial;
} rows[] = {
    {"both.example",     { RCODE_OK, 2, 60, false },      { RCODE_OK, 1, 30, false },      DNS_OK,        "ok",           3,  30000,    false},
    { "v4.example",      { RCODE_OK, 1, 60, false },      { RCODE_OK, 0, 0, false },       DNS_OK,        "ok",           1,  60000,    false},
    { "v6.example",      { RCODE_NXDOMAIN, 0, 0, false }, { RCODE_OK, 1, 60, false },      DNS_OK,        "ok",           1,  60000,    false},
    { "half.example",    { RCODE_OK, 1, 60, false },      { RCODE_SERVFAIL, 0, 0, false }, DNS_OK,        "ok",           1,  60000,    true },
    { "alias.example",   { RCODE_OK, 1, 60, true },       { RCODE_OK, 0, 0, false },       DNS_OK,        "ok",           1,  7000,     false},
    { "short.example",   { RCODE_OK, 1, 0, false },       { RCODE_OK, 0, 0, false },       DNS_OK,        "ok",           1,  1000,     false},
    { "long.example",    { RCODE_OK, 1, 9999999, false }, { RCODE_OK, 0, 0, false },       DNS_OK,        "ok",           1,  86400000, false},
    { "empty.example",   { RCODE_OK, 0, 0, false },       { RCODE_OK, 0, 0, false },       DNS_NO_NAME,   "no_address",   0,  0,        false},
    { "gone.example",
     { RCODE_NXDOMAIN, 0, 0, false },
     { RCODE_NXDOMAIN, 0, 0, false },
     DNS_NO_NAME,                                                                                         "NXDOMAIN",
     0,                                                                                                                       0,
     false                                                                                                                                   },
    { "fail.example",
     { RCODE_SERVFAIL, 0, 0, false },
     { RCODE_SERVFAIL, 0, 0, false },
     DNS_TRY_LATER,                                                                                       "servers_fail",
     0,                                                                                                                       0,
     false                                                                                                                                   },
    { "refused.example",
     { RCODE_REFUSED, 0, 0, false },
     { RCODE_NXDOMAIN, 0, 0, false },
     DNS_TRY_LATER,                                                                                       "servers_fail",
     0,                                                                                                                       0,
     false                                                                                                                                   },
    { "many.example",    { RCODE_OK, 20, 60, false },     { RCODE_OK, 15, 60, false },     DNS_OK,        "ok",           32, 60000,    false},
    { "silent.example",  { SILENT, 0, 0, false },         { SILENT, 0, 0, false },         DNS_TRY_LATER, "timeout",      0,  0,        false},
};

static int server = -1;
static unsigned questions; /* that the server has seen */

/* "\4both\7example\0" as text. */
static size_t name_of(const uint8_t *at, size_t n, char *name)
{
    size_t i = 0, out = 0;
    while (i < n && at[i] != 0) {
        size_t label = at[i++];
        for (; label > 0 && i < n; label--)
            name[out++] = (char)at[i++];
        name[out++] = '.';
    }
    name[out > 0 ? out - 1 : 0] = '\0';
    return i + 1;
}

static size_t put_record(uint8_t *to, unsigned type, unsigned ttl, const void *data, size_t n)
{
    const uint8_t head[] = { 0xc0,
                             12,
                             0,
                             (uint8_t)type,
                             0,
                             1,
                             (uint8_t)(ttl >> 24),
                             (uint8_t)(ttl >> 16),
                             (uint8_t)(ttl >> 8),
                             (uint8_t)ttl,
                             0,
                             (uint8_t)n };
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, data, n);
    return sizeof head + n;
}

static size_t put_answers(uint8_t *to, const struct said *said, int type)
{
    uint8_t bytes[16] = { 10, 0, 0 };
    size_t n = 0;
    if (said->alias)
        n += put_record(to, 5, 7, "\xc0\x0c", 2); /* an alias of itself will do: the owner of what follows */
    for (int i = 0; i < said->n; i++) {
        bytes[type == TYPE_A ? 3 : 15] = (uint8_t)(i + 1);
        n += put_record(to + n, (unsigned)type, said->ttl, bytes, type == TYPE_A ? 4 : 16);
    }
    return n;
}

static void on_question(void *owner UNUSED, unsigned events UNUSED)
{
    uint8_t packet[2048];
    char name[512];
    struct sockaddr_storage from;
    socklen_t from_n = sizeof from;
    ssize_t got = recvfrom(server, packet, 512, 0, (struct sockaddr *)&from, &from_n);
    if (got < 12)
        return;
    questions++;
    size_t n = 12 + name_of(packet + 12, (size_t)got - 12, name) + 4;
    int type = packet[n - 3];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct said *said = type == TYPE_A ? &rows[i].v4 : &rows[i].v6;
        if (strcmp(rows[i].name, name) != 0 || said->rcode == SILENT)
            continue;
        packet[2] = 0x81;
        packet[3] = (uint8_t)(0x80 | said->rcode);
        memset(packet + 4, 0, 8);
        packet[5] = 1;
        packet[7] = (uint8_t)(said->n + said->alias);
        n += put_answers(packet + n, said, type);
        sendto(server, packet, n, 0, (struct sockaddr *)&from, from_n);
    }
}

static bool asking;
static struct dns_answer answer;
static unsigned answers;

static void on_answered(void *owner, const struct dns_answer *a)
{
    assert_false(asking);
    assert_ptr_equal(owner, &answer);
    answer = *a;
    answers++;
    loop_stop();
}

static struct dns_wait *ask(const char *name)
{
    asking = true;
    struct dns_wait *w = dns_ask(name, on_answered, &answer);
    asking = false;
    assert_non_null(w);
    return w;
}

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        if (row->v4.rcode == SILENT)
            continue;
        ask(row->name);
        loop_run();
        if (answer.status != row->want || strcmp(answer.reason, row->reason) != 0 || answer.n != row->n)
            print_error("%s: status %d, %s, %zu addresses\n", row->name, answer.status, answer.reason, answer.n);
        assert_int_equal(answer.status, row->want);
        assert_string_equal(answer.reason, row->reason);
        assert_int_equal(answer.n, row->n);
        assert_int_equal(answer.partial, row->partial);
        if (row->want == DNS_OK)
            assert_int_equal(answer.ttl_ms, row->ttl_ms);
    }
}

static void test_families_take_turns(void **state UNUSED)
{
    ask("both.example");
    loop_run();
    assert_int_equal(answer.addrs[0].family, AF_INET6);
    assert_int_equal(answer.addrs[1].family, AF_INET);
    assert_int_equal(answer.addrs[2].family, AF_INET);
    assert_int_equal(answer.addrs[0].port, 0);
}

static void test_hosts_file(void **state UNUSED)
{
    unsigned before = questions;
    ask("localhost");
    loop_run();
    assert_int_equal(answer.status, DNS_OK);
    assert_true(addr_is_loopback(&answer.addrs[0]));
    assert_int_equal(questions, before);
}

static void test_bad_names(void **state UNUSED)
{
    static char too_long[400];
    memset(too_long, 'a', sizeof too_long - 1);
    const char *const names[] = { "", too_long, "a..example", "." };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ask(names[i]);
        loop_run();
        assert_int_not_equal(answer.status, DNS_OK);
    }
}

static void test_timeout(void **state UNUSED)
{
    ask("silent.example");
    loop_run();
    assert_int_equal(answer.status, DNS_TRY_LATER);
    assert_string_equal(answer.reason, "timeout");
}

static void on_alarm(struct alarm *a UNUSED)
{
    loop_stop();
}

static void test_cancel(void **state UNUSED)
{
    struct alarm alarm = { 0 };
    unsigned before = answers;
    struct dns_wait *first = ask("silent.example"), *second = ask("both.example"), *third = ask("localhost");
    dns_cancel(&first);
    dns_cancel(&second);
    dns_cancel(&third);
    dns_cancel(&third);
    assert_null(first);
    assert_true(alarm_set(&alarm, 100, on_alarm));
    loop_run();
    assert_int_equal(answers, before);
}

static void open_server(char text[ADDR_TEXT_MAX])
{
    struct sockaddr_storage at;
    struct addr a;
    socklen_t n;
    assert_true(addr_parse(SPAN("127.0.0.1"), 0, &a));
    n = addr_to_sockaddr(&a, &at);
    server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&at, &n), 0);
    assert_true(addr_from_sockaddr((struct sockaddr *)&at, &a));
    addr_text(&a, text);
}

static int open_all(void **state)
{
    char text[ADDR_TEXT_MAX];
    const char *const good[] = { text }, *const bad[] = { "dns.example" };
    const char *reason = NULL;
    loop_init();
    open_server(text);
    *state = watch_new(server, WATCH_READ, on_question, NULL);
    assert_false(dns_open(bad, 1, &reason));
    assert_non_null(reason);
    assert_true(dns_open(good, 1, &reason));
    return 0;
}

static int close_all(void **state)
{
    struct watch *watch = *state;
    assert_non_null(dns_ask("silent.example", on_answered, NULL)); /* never answered: the end comes first */
    dns_close();
    watch_free(&watch);
    close(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_families_take_turns),
        cmocka_unit_test(test_hosts_file), cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_timeout),    cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
