/* Sealed bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "proxy/supervisor/blobs.h"

static void test_bytes_come_back(void **state UNUSED)
{
    struct span bytes;
    int fd = blob_make("test", SPAN("some bytes"));
    assert_true(fd >= 0);
    assert_true(blob_map(fd, &bytes));
    assert_true(span_eq(bytes, SPAN("some bytes")));
    blob_unmap(&bytes);
    assert_null(bytes.at);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
}

static void test_nothing_is_a_blob_too(void **state UNUSED)
{
    struct span bytes;
    int fd = blob_make("test", SPAN_NONE);
    assert_true(blob_map(fd, &bytes));
    assert_int_equal(bytes.n, 0);
    blob_unmap(&bytes);
    close(fd);
}

static void test_nobody_changes_it(void **state UNUSED)
{
    int fd = blob_make("test", SPAN("some bytes"));
    assert_true(pwrite(fd, "X", 1, 0) < 0);
    assert_int_not_equal(ftruncate(fd, 0), 0);
    assert_int_not_equal(ftruncate(fd, 100), 0);
    assert_int_not_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_ptr_equal(mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    close(fd);
}

static void test_what_is_not_sealed_is_refused(void **state UNUSED)
{
    struct span bytes;
    int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), file = open("/proc/self/exe", O_RDONLY);
    int table = blob_make_table("test", 4096);
    assert_false(blob_map(unsealed, &bytes));
    assert_false(blob_map(file, &bytes));
    assert_false(blob_map(table, &bytes));
    assert_false(blob_map(-1, &bytes));
    close(unsealed);
    close(file);
    close(table);
}

static void test_table_keeps_its_size(void **state UNUSED)
{
    int fd = blob_make_table("test", 4096);
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    assert_int_equal(at[4095], 0);
    at[0] = 1;
    assert_int_not_equal(ftruncate(fd, 0), 0);
    munmap(at, 4096);
    close(fd);
}

static void test_same(void **state UNUSED)
{
    int a = blob_make("a", SPAN("one")), b = blob_make("b", SPAN("one")), c = blob_make("c", SPAN("two"));
    int none = blob_make("d", SPAN_NONE), nothing = blob_make("e", SPAN_NONE);
    assert_true(blob_same(a, b));
    assert_false(blob_same(a, c));
    assert_false(blob_same(a, none));
    assert_true(blob_same(none, nothing));
    assert_false(blob_same(a, -1));
    for (int fds[] = { a, b, c, none, nothing }, i = 0; i < 5; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_back),      cmocka_unit_test(test_nothing_is_a_blob_too),
        cmocka_unit_test(test_nobody_changes_it),    cmocka_unit_test(test_what_is_not_sealed_is_refused),
        cmocka_unit_test(test_table_keeps_its_size), cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
