/* When a file that changed is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/pack.h"
#include "proxy/supervisor/files.h"

static const struct stamp none = { 0 }, old = { 1, 10, 100, 5 }, touched = { 1, 10, 100, 6 }, grown = { 1, 10, 101, 5 },
                          swapped = { 1, 11, 100, 5 };

/* What a scan sees, every two seconds, and whether that is the moment to read. */
static const struct {
    const char *name;
    struct {
        const struct stamp *now;
        bool due;
    } scans[8];
} stories[] = {
    {"nothing happens",       { { &old, false }, { &old, false } }                                              },
    { "touched",              { { &touched, false }, { &touched, true }, { &touched, false } }                  },
    { "grown",                { { &grown, false }, { &grown, true }, { &grown, false } }                        },
    { "swapped by rename",    { { &swapped, false }, { &swapped, true }, { &swapped, false } }                  },
    { "being written",        { { &grown, false }, { &touched, false }, { &grown, false }, { &grown, true } }   },
    { "there and back again", { { &grown, false }, { &old, false }, { &old, false } }                           },
    { "gone",                 { { &none, false }, { &none, true }, { &none, false } }                           },
    { "gone for a moment",    { { &none, false }, { &swapped, false }, { &swapped, true }, { &swapped, false } }},
};

static void test_stories(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(stories); i++) {
        struct watched w = { .checked = old, .seen = old };
        for (size_t k = 0; k < COUNT_OF(stories[i].scans) && stories[i].scans[k].now != NULL; k++) {
            bool due = watched_step(&w, stories[i].scans[k].now);
            if (due != stories[i].scans[k].due)
                fail_msg("%s: scan %zu", stories[i].name, k);
            if (due)
                w.checked = w.seen; /* files_taken */
        }
    }
}

/* Whoever has no time for it is told again. */
static void test_told_until_it_is_taken(void **state UNUSED)
{
    struct watched w = { .checked = old, .seen = old };
    assert_false(watched_step(&w, &grown));
    assert_true(watched_step(&w, &grown));
    assert_true(watched_step(&w, &grown));
}

static void test_stamp_follows_symlinks(void **state UNUSED)
{
    struct buf packed;
    char dir[] = "/tmp/homeward-test-XXXXXX", file[64], link[64];
    struct unpack from;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/file", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs("12345", f);
    fclose(f);
    assert_int_equal(symlink(file, link), 0);
    buf_init(&packed, 65536);
    assert_true(files_pack(&packed, FILES_CERTIFICATES, link));
    from = (struct unpack){ .rest = buf_span(&packed) };
    assert_int_equal(unpack_number(&from, 1), FILES_CERTIFICATES);
    assert_true(span_eq(unpack_string(&from, 100), span_of(link)));
    unpack_number(&from, 8);
    assert_int_not_equal(unpack_number(&from, 8), 0);
    assert_int_equal(unpack_number(&from, 8), 5);
    assert_int_not_equal(unpack_number(&from, 8), 0);
    assert_false(from.bad);
    assert_int_equal(from.rest.n, 0);
    buf_fini(&packed);
    unlink(link);
    unlink(file);
    rmdir(dir);
}

/* Whatever bytes come, at whatever place they are cut. */
static void test_watching_nonsense(void **state UNUSED)
{
    struct buf packed;
    buf_init(&packed, 65536);
    assert_true(files_pack(&packed, FILES_MAP, "/nowhere") && files_pack(&packed, FILES_CERTIFICATES, "/nor/there"));
    for (size_t n = 0; n <= packed.n; n++)
        files_watch(span_first(buf_span(&packed), n));
    files_watch(SPAN("\xff\xff\xff\xff\xff\xff\xff\xff"));
    files_stop();
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_told_until_it_is_taken),
        cmocka_unit_test(test_stamp_follows_symlinks),
        cmocka_unit_test(test_watching_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
