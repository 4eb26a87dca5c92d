/* Exceptions near their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/supervisor/weak.h"

enum { DAY_S = 86400, NOW_S = 1800000000 };

static const struct {
    int64_t until_s;
    const char *told;
} cases[] = {
    {0,                          ""                                                             },
    { NOW_S + WEAK_NOTICE_S + 1, ""                                                             },
    { NOW_S + WEAK_NOTICE_S,     "WEAK: site old: until = \"DAY\" is 30 days away: too old\n"   },
    { NOW_S + 1,                 "WEAK: site old: until = \"DAY\" is 0 days away: too old\n"    },
    { NOW_S,                     "WEAK-OVERDUE: site old: until = \"DAY\" has passed: too old\n"},
    { NOW_S - 1000 * DAY_S,      "WEAK-OVERDUE: site old: until = \"DAY\" has passed: too old\n"},
};

static void test_sites(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct site_config sites[2] = {
            {.name = "new"                                       },
            { .name = "old", .exception = { "too old", "DAY", cases[i].until_s } },
        };
        struct config config = { .sites = sites, .n_sites = 2 };
        struct buf text;
        buf_init(&text, 1024);
        assert_true(weak_tell(&config, NOW_S, &text));
        assert_true(span_eq(buf_span(&text), span_of(cases[i].told)));
        buf_fini(&text);
    }
}

/* "*" is two listeners, and one sentence. */
static void test_listeners(void **state UNUSED)
{
    struct listener_config listeners[2] = {
        {.any = true,  .exception = { "old phones", "DAY", NOW_S + 2 * DAY_S }},
        { .any = true, .exception = { "old phones", "DAY", NOW_S + 2 * DAY_S }},
    };
    struct config config = {
        .protocols[IMAP] = {.on = true, .listeners = listeners, .n_listeners = 2}
    };
    struct buf text;
    assert_true(addr_parse(SPAN("0.0.0.0"), 993, &listeners[0].address) &&
                addr_parse(SPAN("::"), 993, &listeners[1].address));
    buf_init(&text, 1024);
    assert_true(weak_tell(&config, NOW_S, &text));
    assert_true(
        span_eq(buf_span(&text), SPAN("WEAK: listener 0.0.0.0:993: until = \"DAY\" is 2 days away: old phones\n")));
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sites), cmocka_unit_test(test_listeners) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
