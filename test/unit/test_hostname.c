/* Cached names, with a clock, alarms and a DNS of our own: each case is a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/ways/hostname.h"
#include "proxy/net/deadline.h"
#include "proxy/net/dns.h"
#include "proxy/net/loop.h"

/* The world outside. */
enum { ALARMS_MAX = 8 };
static int64_t now_ms;
static struct alarm *alarms[ALARMS_MAX];

int64_t loop_now_ms(void)
{
    return now_ms;
}

void alarm_clear(struct alarm *a)
{
    if (a->place > 0)
        alarms[a->place - 1] = NULL;
    a->place = 0;
}

bool alarm_set(struct alarm *a, int64_t after_ms, void (*ring)(struct alarm *))
{
    alarm_clear(a);
    for (size_t i = 0; a->place == 0; i++) {
        assert_true(i < ALARMS_MAX);
        if (alarms[i] == NULL) {
            alarms[i] = a;
            a->place = i + 1;
        }
    }
    a->at_ms = now_ms + after_ms;
    a->ring = ring;
    return true;
}

static void pass_time(int64_t to_ms)
{
    for (;;) {
        struct alarm *first = NULL;
        for (size_t i = 0; i < ALARMS_MAX; i++) {
            if (alarms[i] != NULL && alarms[i]->at_ms <= to_ms && (first == NULL || alarms[i]->at_ms < first->at_ms))
                first = alarms[i];
        }
        if (first == NULL)
            break;
        now_ms = first->at_ms;
        alarm_clear(first);
        first->ring(first);
    }
    now_ms = to_ms;
}

struct dns_wait {
    dns_done_fn *done;
    void *owner;
};
static struct dns_wait question;
static bool asked, no_memory;

struct dns_wait *dns_ask(const char *name UNUSED, dns_done_fn *done, void *owner)
{
    if (no_memory)
        return NULL;
    assert_false(asked);
    asked = true;
    question = (struct dns_wait){ done, owner };
    return &question;
}

void dns_cancel(struct dns_wait **wait)
{
    if (*wait != NULL)
        asked = false;
    *wait = NULL;
}

/* What happens. */
enum what {
    END,
    AT,      /* time passes until n ms */
    NEED,    /* somebody needs the name: served at once */
    WAITS,   /* … has to wait */
    GOOD,    /* DNS answers with n addresses (IPv4), TTL 60 s */
    PARTIAL, /* the same, but IPv6 did not answer */
    BOTH,    /* n IPv4 addresses and one of IPv6 */
    NO_NAME,
    LATER,
    SERVED,   /* who waited has been called */
    UNSERVED, /* … not yet */
    CANCEL,
    ADDRS, /* n addresses are in force */
    ASKED, /* a question is under way */
    QUIET, /* none is */
};

struct step {
    enum what what;
    int64_t n;
};

static const struct {
    const char *name;
    struct step steps[32];
} cases[] = {
    {"asked once, kept for its TTL, forgotten when nobody uses it",
     { { WAITS, 0 },
        { ASKED, 0 },
        { GOOD, 2 },
        { SERVED, 0 },
        { ADDRS, 2 },
        { QUIET, 0 },
        { AT, 59999 },
        { QUIET, 0 },
        { AT, 60000 },
        { QUIET, 0 },
        { WAITS, 0 },
        { ASKED, 0 },
        { UNSERVED, 0 },
        { GOOD, 1 },
        { SERVED, 0 },
        { ADDRS, 1 } }                                                                                                                                                  },
    { "kept warm while it is used",
     { { WAITS, 0 },
        { GOOD, 2 },
        { NEED, 0 },
        { AT, 53999 },
        { QUIET, 0 },
        { AT, 54000 },
        { ASKED, 0 },
        { NEED, 0 },
        { GOOD, 3 },
        { ADDRS, 3 },
        { AT, 200000 },
        { QUIET, 0 } }                                                                                                                                                  },
    { "the last good answer stays when DNS fails",
     { { WAITS, 0 },  { GOOD, 2 },   { AT, 70000 }, { WAITS, 0 },   { LATER, 0 }, { SERVED, 0 }, { ADDRS, 2 },
        { NEED, 0 },   { AT, 71000 }, { ASKED, 0 },  { NO_NAME, 0 }, { ADDRS, 2 }, { NEED, 0 },   { QUIET, 0 },
        { AT, 72500 }, { QUIET, 0 },  { AT, 73000 }, { ASKED, 0 },   { GOOD, 1 },  { ADDRS, 1 } }                                                                       },
    { "who waits for a silent DNS gets the former answer soon",
     { { WAITS, 0 },
        { GOOD, 2 },
        { AT, 70000 },
        { WAITS, 0 },
        { AT, 70499 },
        { UNSERVED, 0 },
        { AT, 70500 },
        { SERVED, 0 },
        { ASKED, 0 },
        { WAITS, 0 },
        { LATER, 0 },
        { SERVED, 0 },
        { ADDRS, 2 } }                                                                                                                                                  },
    { "never an answer: everybody waits for the question under way, then for the next try",
     { { WAITS, 0 }, { AT, 5000 }, { UNSERVED, 0 }, { NO_NAME, 0 }, { SERVED, 0 }, { ADDRS, 0 },
        { NEED, 0 },  { AT, 6000 }, { ASKED, 0 },    { LATER, 0 },   { NEED, 0 },   { AT, 8000 },
        { ASKED, 0 }, { LATER, 0 }, { AT, 11999 },   { QUIET, 0 },   { AT, 12000 }, { QUIET, 0 } /* nobody needed it */,
        { WAITS, 0 }, { ASKED, 0 } }                                                                                                                                    },
    { "one family that does not answer keeps its addresses",
     { { WAITS, 0 },
        { BOTH, 2 },
        { ADDRS, 3 },
        { AT, 60000 },
        { WAITS, 0 },
        { PARTIAL, 1 },
        { ADDRS, 2 },
        { NEED, 0 },
        { AT, 69000 },
        { ASKED, 0 },
        { GOOD, 1 },
        { ADDRS, 1 } }                                                                                                                                                  },
    { "who left is not called",                                                             { { WAITS, 0 }, { CANCEL, 0 }, { CANCEL, 0 }, { GOOD, 1 }, { UNSERVED, 0 } }},
};

static bool served;

static void on_name(struct hostname_wait *w UNUSED)
{
    served = true;
}

static void answer(enum what what, size_t n)
{
    struct dns_answer a = { .status = DNS_OK, .reason = "ok", .n = n, .ttl_ms = 60000, .partial = what == PARTIAL };
    for (size_t i = 0; i < n; i++)
        a.addrs[i].family = AF_INET;
    if (what == BOTH)
        a.addrs[a.n++].family = AF_INET6;
    if (what == NO_NAME || what == LATER)
        a = (struct dns_answer){ .status = what == LATER ? DNS_TRY_LATER : DNS_NO_NAME,
                                 .reason = what == LATER ? "timeout" : "NXDOMAIN" };
    assert_true(asked);
    asked = false;
    question.done(question.owner, &a);
}

static void take(struct hostname *h, struct hostname_wait *w, const struct step *s)
{
    const char *why;
    size_t n;
    switch (s->what) {
    case AT:
        pass_time(s->n);
        break;
    case NEED:
    case WAITS:
        served = false;
        assert_int_equal(hostname_ask(h, w, on_name), s->what == NEED);
        assert_false(served);
        break;
    case SERVED:
    case UNSERVED:
        assert_int_equal(served, s->what == SERVED);
        break;
    case CANCEL:
        hostname_cancel(w);
        break;
    case ADDRS:
        assert_non_null(hostname_addrs(h, &n, &why));
        assert_int_equal(n, s->n);
        break;
    case ASKED:
    case QUIET:
        assert_int_equal(asked, s->what == ASKED);
        break;
    case END:
        break;
    default:
        answer(s->what, (size_t)s->n);
    }
}

static void test_scripts(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hostname_wait w = { 0 };
        struct hostname *h = hostname_of("imap.example");
        now_ms = 0;
        asked = false;
        print_message("%s\n", cases[i].name);
        for (const struct step *s = cases[i].steps; s->what != END; s++)
            take(h, &w, s);
        hostnames_close();
        for (size_t alarm = 0; alarm < ALARMS_MAX; alarm++)
            assert_null(alarms[alarm]);
    }
}

static void test_one_of_each(void **state UNUSED)
{
    struct hostname *h = hostname_of("imap.example");
    assert_ptr_equal(h, hostname_of("IMAP.Example"));
    assert_ptr_not_equal(h, hostname_of("imap2.example"));
    hostnames_close();
}

static void test_no_memory(void **state UNUSED)
{
    struct hostname_wait w = { 0 };
    struct hostname *h = hostname_of("imap.example");
    const char *why;
    size_t n;
    no_memory = true;
    assert_true(hostname_ask(h, &w, on_name));
    hostname_addrs(h, &n, &why);
    assert_int_equal(n, 0);
    assert_string_equal(why, "no_memory");
    no_memory = false;
    hostnames_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_scripts), cmocka_unit_test(test_one_of_each),
                                        cmocka_unit_test(test_no_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
