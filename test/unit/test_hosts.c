/* Lines of /etc/hosts: what counts as a name, what as an address, and what a text that is none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/hosts.h"

static const char text[] = "127.0.0.1 localhost\n"
                           "# 192.0.2.9 commented\n"
                           "192.0.2.1\tstore store.example # 192.0.2.2 behind\r\n"
                           "  2001:db8::1   STORE  \n"
                           "192.0.2.3 store\n"
                           "not-an-address broken\n"
                           "192.0.2.4\n"
                           "::ffff:192.0.2.5 mapped\n"
                           "192.0.2.6 dev.localhost\n"
                           "192.0.2.7 last";

static const struct {
    const char *name;
    int family;
    const char *want; /* addresses, one space between them */
} rows[] = {
    {"store",           AF_INET,  "192.0.2.1 192.0.2.3"},
    { "Store",          AF_INET6, "2001:db8::1"        },
    { "store.example",  AF_INET,  "192.0.2.1"          },
    { "store.example",  AF_INET6, ""                   },
    { "sto",            AF_INET,  ""                   },
    { "commented",      AF_INET,  ""                   },
    { "behind",         AF_INET,  ""                   },
    { "192.0.2.4",      AF_INET,  ""                   },
    { "broken",         AF_INET,  ""                   },
    { "mapped",         AF_INET,  "192.0.2.5"          },
    { "last",           AF_INET,  "192.0.2.7"          },
    { "",               AF_INET,  ""                   },
    { "localhost",      AF_INET,  "127.0.0.1"          },
    { "localhost",      AF_INET6, ""                   }, /* the file has spoken of it */
    { "a.localhost",    AF_INET,  "127.0.0.1"          },
    { "a.LocalHost",    AF_INET6, "::1"                },
    { "dev.localhost",  AF_INET,  "192.0.2.6"          },
    { "notlocalhost",   AF_INET,  ""                   },
    { "localhost.test", AF_INET,  ""                   },
};

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct addr found[8];
        char said[256] = "", one[ADDR_TEXT_MAX];
        size_t said_n = 0;
        size_t n = hosts_find(SPAN(text), span_of(rows[i].name), rows[i].family, found, COUNT_OF(found));
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(found[k].port, 0);
            said_n += (size_t)snprintf(said + said_n, sizeof said - said_n, "%s%s", k > 0 ? " " : "",
                                       addr_host_text(&found[k], one));
            assert_in_range(said_n, 1, sizeof said - 1);
        }
        if (strcmp(said, rows[i].want) != 0)
            fail_msg("%s: found \"%s\", expected \"%s\"", rows[i].name, said, rows[i].want);
    }
}

static void test_no_more_than_there_is_room_for(void **state UNUSED)
{
    struct addr found[1];
    assert_int_equal(hosts_find(SPAN(text), SPAN("store"), AF_INET, found, 1), 1);
    assert_int_equal(hosts_find(SPAN(text), SPAN("localhost"), AF_INET, found, 0), 0);
    assert_int_equal(hosts_find(SPAN_NONE, SPAN("localhost"), AF_INET6, found, 1), 1);
}

/* Any bytes, cut anywhere: found or not, but never read beyond the end (ASan looks). */
static void test_cut_anywhere(void **state UNUSED)
{
    for (size_t n = 0; n < sizeof text; n++) {
        struct addr found[2];
        char *cut = malloc(n + 1);
        memcpy(cut, text, n);
        (void)hosts_find(span_bytes(cut, n), SPAN("store.localhost"), AF_INET, found, 2);
        free(cut);
    }
}

static void test_read_from_its_start_each_time(void **state UNUSED)
{
    struct buf held;
    FILE *file = tmpfile();
    buf_init(&held, HOSTS_BYTES_MAX);
    assert_true(fputs("192.0.2.1 a\n", file) >= 0 && fflush(file) == 0);
    assert_null(hosts_read(&held, fileno(file)));
    assert_true(span_eq(buf_span(&held), SPAN("192.0.2.1 a\n")));
    assert_null(hosts_read(&held, fileno(file)));
    assert_int_equal(held.n, 12);
    buf_fini(&held);
    fclose(file);
}

static void test_what_is_no_file_changes_nothing(void **state UNUSED)
{
    struct buf held;
    int pair[2];
    buf_init(&held, HOSTS_BYTES_MAX);
    assert_true(buf_add_text(&held, "192.0.2.1 a\n"));
    assert_int_equal(pipe(pair), 0);
    assert_non_null(hosts_read(&held, pair[0]));
    assert_non_null(hosts_read(&held, -1));
    assert_int_equal(held.n, 12);
    buf_fini(&held);
    close(pair[0]);
    close(pair[1]);
}

static void test_too_much_changes_nothing(void **state UNUSED)
{
    struct buf held;
    FILE *file = tmpfile();
    buf_init(&held, HOSTS_BYTES_MAX);
    assert_int_equal(ftruncate(fileno(file), HOSTS_BYTES_MAX + 1), 0);
    assert_non_null(hosts_read(&held, fileno(file)));
    assert_int_equal(held.n, 0);
    buf_fini(&held);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_more_than_there_is_room_for),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_read_from_its_start_each_time),
        cmocka_unit_test(test_what_is_no_file_changes_nothing),
        cmocka_unit_test(test_too_much_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
