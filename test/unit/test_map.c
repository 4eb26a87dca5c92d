/* The directory map: its text, the loss rules, the compiled bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "auth/directory/map.h"

static struct site_config sites[] = { { .name = "north" }, { .name = "south" }, { .name = "old" } };
static const struct config config = { .sites = sites, .n_sites = COUNT_OF(sites), .directory.max_loss_percent = 10 };

struct compiled {
    bool good;
    struct buf bytes, errors;
    struct map map;
};

static struct compiled compile(struct span text, struct span before, bool guard)
{
    struct compiled c;
    buf_init(&c.bytes, SIZE_MAX);
    buf_init(&c.errors, 65536);
    c.good = map_compile(&config, "dir.map", text, before, guard, &c.bytes, &c.errors);
    assert_int_equal(c.good, c.errors.n == 0);
    if (c.good)
        assert_true(map_open(&c.map, buf_span(&c.bytes)));
    return c;
}

static void drop(struct compiled *c)
{
    buf_fini(&c->bytes);
    buf_fini(&c->errors);
}

static const char sample[] = "# mailbox               site     options\n"
                             "anna@example.com        north\n"
                             "Bert@Example.com        south # moved in May\n"
                             "carl@example.com\told\tuser=carl   \t\n"
                             "dora@example.com        north    protocols=imap\r\n"
                             "eve@example.com         north    user=%n.%d protocols=pop3,imap\n"
                             "\n"
                             "  fritz#1@example.com   south    # a '#' inside a word is part of it\n"
                             "j\xc3\xb6rg@example.com    south\n"
                             "root                    old\n"
                             "@Branch.example.com.    south    user=%n\n"
                             "*                       north    protocols=imap,pop3\n";

static const struct {
    const char *mailbox, *key, *site, *user;
    bool imap, pop3;
} found[] = {
    {"anna@example.com",            "anna@example.com",        "north", NULL,    true, true },
    { "bert@example.com",           "bert@example.com",        "south", NULL,    true, true },
    { "carl@example.com",           "carl@example.com",        "old",   "carl",  true, true },
    { "dora@example.com",           "dora@example.com",        "north", NULL,    true, false},
    { "eve@example.com",            "eve@example.com",         "north", "%n.%d", true, true },
    { "fritz#1@example.com",        "fritz#1@example.com",     "south", NULL,    true, true },
    { "j\xc3\xb6rg@example.com",    "j\xc3\xb6rg@example.com", "south", NULL,    true, true },
    { "root",                       "root",                    "old",   NULL,    true, true },
    { "who@branch.example.com",     "@branch.example.com",     "south", "%n",    true, true },
    { "who@sub.branch.example.com", "*",                       "north", NULL,    true, true },
    { "roo",                        "*",                       "north", NULL,    true, true },
    { "zoe@example.com",            "*",                       "north", NULL,    true, true },
};

static void finds_the_most_specific(void **state UNUSED)
{
    struct compiled c = compile(SPAN(sample), SPAN_NONE, true);
    assert_int_equal(c.map.stats.entries, 10);
    for (size_t i = 0; i < COUNT_OF(found); i++) {
        struct map_entry e;
        assert_true(map_find(&c.map, span_of(found[i].mailbox), &e));
        assert_true(span_eq(e.key, span_of(found[i].key)));
        assert_true(span_eq(e.site, span_of(found[i].site)));
        assert_true(span_eq(e.switches.user, span_of(found[i].user)));
        assert_int_equal(e.switches.user.at == NULL, found[i].user == NULL);
        assert_int_equal(switches_serve(&e.switches, IMAP), found[i].imap);
        assert_int_equal(switches_serve(&e.switches, POP3), found[i].pop3);
    }
    drop(&c);
}

static void options_of_an_account(void **state UNUSED)
{
    struct compiled c = compile(SPAN("a@x north networks=10.0.0.0/8,2001:db8::1 sessions=4 delegates=Bert@X,c@x\n"
                                     "b@x north\n"
                                     "*   south delegates=backup@x\n"),
                                SPAN_NONE, true);
    struct addr inside = { 0 }, outside = { 0 };
    struct map_entry e;
    assert_true(addr_parse(SPAN("10.1.2.3"), 1, &inside) && addr_parse(SPAN("2001:db8::2"), 1, &outside));
    assert_true(map_find(&c.map, SPAN("a@x"), &e));
    assert_true(switches_allow(&e.switches, &inside) && !switches_allow(&e.switches, &outside));
    assert_int_equal(e.switches.sessions, 4);
    assert_true(switches_grant(&e.switches, SPAN("bert@x")) && switches_grant(&e.switches, SPAN("c@x")));
    assert_false(switches_grant(&e.switches, SPAN("ert@x")) || switches_grant(&e.switches, SPAN("")));
    assert_true(map_find(&c.map, SPAN("b@x"), &e));
    assert_true(switches_allow(&e.switches, &outside) && e.switches.sessions == 0);
    assert_false(switches_grant(&e.switches, SPAN("bert@x")));
    assert_true(map_find(&c.map, SPAN("else@x"), &e));
    assert_true(switches_grant(&e.switches, SPAN("backup@x")));
    drop(&c);
}

static void unknown_without_a_default(void **state UNUSED)
{
    struct compiled c = compile(SPAN("\xef\xbb\xbf"
                                     "anna@x north\n@y south\n"),
                                SPAN_NONE, true);
    struct map_entry e;
    assert_true(map_find(&c.map, SPAN("anna@x"), &e));
    assert_true(map_find(&c.map, SPAN("bert@y"), &e));
    assert_false(map_find(&c.map, SPAN("bert@x"), &e));
    assert_false(map_find(&c.map, SPAN(""), &e));
    drop(&c);
    c = compile(SPAN(""), SPAN_NONE, false);
    assert_int_equal(c.map.stats.entries, 0);
    assert_false(map_find(&c.map, SPAN("anna@x"), &e));
    drop(&c);
}

#define EXPECTED_KEY "expected a mailbox, \"@domain\" or \"*\"\n"
static const struct {
    struct span text;
    const char *error;
} bad[] = {
    {SPAN("anna@x\n"),                                     "dir.map:1: found a mailbox without a site, expected: mailbox site options\n"         },
    { SPAN("# c\nanna@x nroth\n"),                         "dir.map:2: found the site \"nroth\", expected one that the configuration has\n"      },
    { SPAN("anna@x North\n"),                              "dir.map:1: found the site \"North\", expected one that the configuration has\n"      },
    { SPAN("anna@x # north\n"),                            "dir.map:1: found a mailbox without a site, expected: mailbox site options\n"         },
    { SPAN("anna@x north color=red\n"),                    "dir.map:1: found the option \"color=red\", expected user=…, protocols=…, "
                                        "networks=…, sessions=…, delegates=… or opens=…\n"        },
    { SPAN("anna@x north south\n"),                        "dir.map:1: found the option \"south\", expected user=…, protocols=…, networks=…, "
                                    "sessions=…, delegates=… or opens=…\n"                              },
    { SPAN("anna@x north user=\n"),                        "dir.map:1: found \"user=\", expected the name at the back end, in which % stands "
                                    "before u, n, d, t or %\n"                                                },
    { SPAN("anna@x north user=50%\n"),                     "dir.map:1: found \"user=50%\", expected the name at the back end, in which % "
                                       "stands before u, n, d, t or %\n"                                   },
    { SPAN("anna@x north user=a user=b\n"),                "dir.map:1: found user= twice, expected it once\n"                                    },
    { SPAN("anna@x north protocols=\n"),                   "dir.map:1: found \"protocols=\", expected imap, pop3 or imap,pop3\n"                 },
    { SPAN("anna@x north protocols=imap,\n"),
     "dir.map:1: found \"protocols=imap,\", expected imap, pop3 or imap,pop3\n"                                                                  },
    { SPAN("anna@x north protocols=imap,imap\n"),
     "dir.map:1: found \"protocols=imap,imap\", expected imap, pop3 or imap,pop3\n"                                                              },
    { SPAN("anna@x north protocols=smtp\n"),
     "dir.map:1: found \"protocols=smtp\", expected imap, pop3 or imap,pop3\n"                                                                   },
    { SPAN("anna@x north networks=10.0.0.0/33\n"),
     "dir.map:1: found \"networks=10.0.0.0/33\", expected networks or addresses with commas between them, such as "
      "10.0.0.0/8,2001:db8::/32\n"                                                                                                               },
    { SPAN("anna@x north networks=\n"),
     "dir.map:1: found \"networks=\", expected networks or addresses with commas between them, such as "
      "10.0.0.0/8,2001:db8::/32\n"                                                                                                               },
    { SPAN("anna@x north sessions=0\n"),                   "dir.map:1: found \"sessions=0\", expected a whole number from 1 to 65535\n"          },
    { SPAN("anna@x north sessions=65536\n"),
     "dir.map:1: found \"sessions=65536\", expected a whole number from 1 to 65535\n"                                                            },
    { SPAN("anna@x north delegates=bert@x,\n"),
     "dir.map:1: found \"delegates=bert@x,\", expected names of accounts with commas between them\n"                                             },
    { SPAN("anna@x north delegates=bert@x/carl@x\n"),
     "dir.map:1: found \"delegates=bert@x/carl@x\", expected names of accounts with commas between them\n"                                       },
    { SPAN("anna@@x north\n"),                             "dir.map:1: found \"anna@@x\", " EXPECTED_KEY                                         },
    { SPAN("anna@ north\n"),                               "dir.map:1: found \"anna@\", " EXPECTED_KEY                                           },
    { SPAN("@ north\n"),                                   "dir.map:1: found \"@\", " EXPECTED_KEY                                               },
    { SPAN("@a@b north\n"),                                "dir.map:1: found \"@a@b\", " EXPECTED_KEY                                            },
    { SPAN("*@x north\n"),                                 "dir.map:1: found \"*@x\", " EXPECTED_KEY                                             },
    { SPAN("anna@x north\nbert@x north\nAnna@X. south\n"),
     "dir.map:3: found anna@x again, expected it once: it stands in line 1 already\n"                                                            },
    { SPAN("* north\n# two\n* north\n* south\n"),
     "dir.map:3: found * again, expected it once: it stands in line 1 already\n"
      "dir.map:4: found * again, expected it once: it stands in line 1 already\n"                                                                },
    { SPAN("anna@x north\nbert@\xff north\n"),             "dir.map:2: found bytes that are not UTF-8, expected UTF-8 text\n"                    },
    { SPAN("# caf\xe9\n* north\n"),                        "dir.map:1: found bytes that are not UTF-8, expected UTF-8 text\n"                    },
    { SPAN("an\0na@x north\n"),                            "dir.map:1: found the control character 0x00 in column 3, expected text\n"            },
    { SPAN("anna@x north \x1b[1m\n"),                      "dir.map:1: found the control character 0x1b in column 14, expected text\n"           },
    { SPAN("anna@x\rnorth\n"),                             "dir.map:1: found the control character 0x0d in column 7, expected text\n"            },
    { SPAN("* north\nanna@x nor"),
     "dir.map:2: found a last line without its end, expected a newline: the file seems to be still written\n"
      "dir.map:2: found the site \"nor\", expected one that the configuration has\n"                                                             },
    { SPAN("* north"),
     "dir.map:1: found a last line without its end, expected a newline: the file seems to be still written\n"                                    },
    { SPAN("a north\nb x\nc y\n"),                         "dir.map:2: found the site \"x\", expected one that the configuration has\n"
                                   "dir.map:3: found the site \"y\", expected one that the configuration has\n"},
};

static void tells_errors(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct compiled c = compile(bad[i].text, SPAN_NONE, true);
        assert_false(c.good);
        if (!span_eq(buf_span(&c.errors), span_of(bad[i].error)))
            print_error("case %zu says: %.*s", i, SPAN_ARG(buf_span(&c.errors)));
        assert_true(span_eq(buf_span(&c.errors), span_of(bad[i].error)));
        drop(&c);
    }
}

static void long_lines(void **state UNUSED)
{
    struct buf text;
    buf_init(&text, 4 * MAP_LINE_MAX);
    assert_true(buf_printf(&text, "* north %*s\n", MAP_LINE_MAX - 8, "# end"));
    struct compiled c = compile(buf_span(&text), SPAN_NONE, true);
    assert_true(c.good);
    drop(&c);
    assert_true(buf_printf(&text, "@x north %*s\n", MAP_LINE_MAX - 8, "# end"));
    c = compile(buf_span(&text), SPAN_NONE, true);
    assert_true(span_eq(buf_span(&c.errors), SPAN("dir.map:2: found a line of 8193 bytes, expected at most 8192\n")));
    drop(&c);
    buf_clear(&text);
    assert_true(buf_printf(&text, "%0513d@x north\n%01016d@x north\n", 0, 0));
    c = compile(buf_span(&text), SPAN_NONE, true);
    assert_false(c.good);
    drop(&c);
    buf_fini(&text);
}

static void tells_some_and_counts_the_rest(void **state UNUSED)
{
    struct buf text;
    buf_init(&text, 8192);
    for (int i = 0; i < 100; i++)
        assert_true(buf_printf(&text, "u%d nowhere\n", i));
    struct compiled c = compile(buf_span(&text), SPAN_NONE, true);
    size_t lines = 0;
    for (size_t i = 0; i < c.errors.n; i++)
        lines += c.errors.at[i] == '\n';
    assert_int_equal(lines, MAP_ERRORS_MAX + 1);
    struct span end = SPAN("dir.map: and 80 more errors\n");
    assert_true(span_eq(span_after(buf_span(&c.errors), c.errors.n - end.n), end));
    drop(&c);
    buf_fini(&text);
}

/* A map in force of 60 in north, 39 in south, 1 in old. */
static struct compiled in_force(struct buf *text)
{
    buf_init(text, 65536);
    for (int i = 0; i < 100; i++)
        assert_true(buf_printf(text, "u%02d@x %s\n", i, i < 60 ? "north" : i < 99 ? "south" : "old"));
    return compile(buf_span(text), SPAN_NONE, true);
}

#define ACCEPT "; if it is meant so, write this line into the file: # entries: "
static const struct {
    int first, last; /* these of the map in force remain */
    bool keep_old;   /* … and the last one */
    const char *more, *error;
} losses[] = {
    {0,  99, false, "",                ""                                                                    },
    { 0, 89, true,  "",                ""                                                                    }, /* 9 gone */
    { 0, 88, true,  "",                ""                                                                    }, /* 10 gone: not more than 10 percent */
    { 0, 87, true,  "new@x south\n",   /* 11 gone, whatever has come */
      "dir.map:90: found 11 of the 100 entries in force gone, expected at most 10 percent "
      "(directory.max_loss_percent)" ACCEPT "90\n"                       },
    { 0, 87, true,  "# entries: 89\n", ""                                                                    },
    { 0, 87, true,  "#entries:\t89\n", ""                                                                    },
    { 0, 87, true,  "# entries: 90\n",
     "dir.map:90: found 11 of the 100 entries in force gone, expected at most 10 percent "
      "(directory.max_loss_percent); if it is meant so, write this line into the file instead of \"# entries: 90\": "
      "# entries: 89\n"                                                                                      },
    { 0, 98, false, "",
     "dir.map:99: found no entry for the site \"old\", expected some: the map in force has 1" ACCEPT "99\n"  },
    { 0, 98, false, "# entries: 99\n", ""                                                                    },
    { 0, 59, false, "",
     "dir.map:60: found no entry for the site \"south\", expected some: the map in force has 39" ACCEPT "60\n"
      "dir.map:60: found no entry for the site \"old\", expected some: the map in force has 1" ACCEPT "60\n"
      "dir.map:60: found 40 of the 100 entries in force gone, expected at most 10 percent "
      "(directory.max_loss_percent)" ACCEPT "60\n"                                                           },
    { 1, 0,  false, "# nobody\n",      "dir.map:1: found no entry at all, expected at least one" ACCEPT "0\n"},
    { 1, 0,  false, "",                "dir.map:1: found no entry at all, expected at least one" ACCEPT "0\n"},
    { 1, 0,  false, "# entries: 0\n",  ""                                                                    },
};

static void refuses_great_losses(void **state UNUSED)
{
    struct buf full, text;
    struct compiled before = in_force(&full);
    buf_init(&text, 65536);
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        buf_clear(&text);
        for (int n = losses[i].first; n <= losses[i].last; n++)
            assert_true(buf_printf(&text, "u%02d@x %s\n", n, n < 60 ? "north" : n < 99 ? "south" : "old"));
        assert_true(buf_add_text(&text, losses[i].keep_old ? "u99@x old\n" : ""));
        assert_true(buf_add_text(&text, losses[i].more));
        struct compiled c = compile(buf_span(&text), buf_span(&before.bytes), true);
        if (!span_eq(buf_span(&c.errors), span_of(losses[i].error)))
            print_error("case %zu says: %.*s", i, SPAN_ARG(buf_span(&c.errors)));
        assert_true(span_eq(buf_span(&c.errors), span_of(losses[i].error)));
        drop(&c);
        c = compile(buf_span(&text), buf_span(&before.bytes), false);
        assert_true(c.good);
        drop(&c);
    }
    drop(&before);
    buf_fini(&full);
    buf_fini(&text);
}

/* A site that left the configuration is no loss; a map in force that is damaged compares with nothing. */
static void compares_with_what_is_there(void **state UNUSED)
{
    struct compiled before = compile(SPAN("a north\nb old\n"), SPAN_NONE, true);
    const struct config less = { .sites = sites, .n_sites = 2, .directory.max_loss_percent = 50 };
    struct buf to, errors;
    buf_init(&to, 4096);
    buf_init(&errors, 4096);
    assert_true(map_compile(&less, "m", SPAN("a north\n"), buf_span(&before.bytes), true, &to, &errors));
    assert_true(map_compile(&config, "m", SPAN("x north\n"), SPAN("damaged"), true, &to, &errors));
    buf_fini(&to);
    buf_init(&to, 40);
    assert_false(map_compile(&config, "m", SPAN("x north\n"), SPAN_NONE, true, &to, &errors));
    assert_true(errors.n > 0);
    buf_fini(&to);
    buf_fini(&errors);
    drop(&before);
}

/* What opens can be searched, whatever was done to it. */
static void search_all(const struct map *map)
{
    struct map_entry e;
    for (size_t i = 0; i < COUNT_OF(found); i++)
        if (map_find(map, span_of(found[i].mailbox), &e))
            assert_true(e.key.n > 0 && e.site.n > 0);
}

/* In memory of its exact size, so that a sanitizer sees every byte too far. */
static bool opens(const char *at, size_t n)
{
    struct map map;
    char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, at, n);
    bool good = map_open(&map, span_bytes(copy, n));
    if (good)
        search_all(&map);
    free(copy);
    return good;
}

static void damaged_files(void **state UNUSED)
{
    struct compiled c = compile(SPAN(sample), SPAN_NONE, true);
    size_t survived = 0;
    for (size_t n = 0; n < c.bytes.n; n++)
        assert_false(opens(c.bytes.at, n));
    for (size_t i = 0; i < c.bytes.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            c.bytes.at[i] ^= (char)(1 << bit);
            survived += opens(c.bytes.at, c.bytes.n);
            c.bytes.at[i] ^= (char)(1 << bit);
        }
        char was = c.bytes.at[i];
        c.bytes.at[i] = (char)0xff;
        opens(c.bytes.at, c.bytes.n);
        c.bytes.at[i] = was;
    }
    assert_true(survived > 0); /* letters inside names may change */
    assert_true(opens(c.bytes.at, c.bytes.n));
    assert_true(buf_add_byte(&c.bytes, 'x'));
    assert_false(opens(c.bytes.at, c.bytes.n));
    drop(&c);
}

/* Of CPU: the machine may be busy. */
static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

enum { MILLION = 1000000, LOOKUPS = 200000 };

/* Numbers from all over the million, in an order that repeats after it. */
static int shuffled(int i)
{
    return (int)((long long)i * 612043 % MILLION);
}

static void a_million_lines(void **state UNUSED)
{
    struct timespec start;
    struct buf text;
    struct map map;
    struct map_entry e;
    char name[64];
    buf_init(&text, SIZE_MAX);
    for (int i = 0; i < MILLION; i++)
        assert_true(buf_printf(&text, "user%06d@example.com        %s\n", shuffled(i), i % 3 ? "north" : "south"));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    struct compiled c = compile(buf_span(&text), SPAN_NONE, true);
    double compile_s = seconds_since(&start);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    assert_true(map_open(&map, buf_span(&c.bytes)));
    double open_s = seconds_since(&start);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (int i = 0; i < LOOKUPS; i++) {
        int n = snprintf(name, sizeof name, "user%06d@example.com", shuffled(i + 77));
        assert_true(map_find(&map, span_bytes(name, (size_t)n), &e));
    }
    double find_s = seconds_since(&start);
    print_message("a million lines: compiled in %.2f s to %zu bytes, opened in %.3f s, found in %.2f µs each\n",
                  compile_s, c.bytes.n, open_s, find_s / LOOKUPS * 1e6);
    assert_int_equal(map.stats.entries, MILLION);
    assert_true(compile_s < 20 && open_s < 20 && find_s < 20);
    drop(&c);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_most_specific),
        cmocka_unit_test(options_of_an_account),
        cmocka_unit_test(unknown_without_a_default),
        cmocka_unit_test(tells_errors),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(tells_some_and_counts_the_rest),
        cmocka_unit_test(refuses_great_losses),
        cmocka_unit_test(compares_with_what_is_there),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(a_million_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
