/* One Homeward per runtime directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/supervisor/lock.h"

static char base[] = "/tmp/homeward-test-XXXXXX";
static char dir[64], file[64];

static int set_up(void **state UNUSED)
{
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(dir, sizeof dir, "%s/run", base);
    snprintf(file, sizeof file, "%s/run/lock", base);
    return 0;
}

static int tear_down(void **state UNUSED)
{
    unlink(file);
    rmdir(dir);
    rmdir(base);
    return 0;
}

static void test_second_is_refused(void **state UNUSED)
{
    struct lock first, second;
    struct buf why;
    char pid[32];
    buf_init(&why, 1024);
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_int_equal(lock_take(&first, dir, &why), LOCK_TAKEN);
    assert_int_equal(why.n, 0);
    assert_int_equal(lock_take(&second, dir, &why), LOCK_BUSY);
    assert_true(span_contains_nocase(buf_span(&why), span_of(dir)));
    assert_true(span_contains_nocase(buf_span(&why), span_of(pid)));
    lock_release(&second);
    lock_release(&first);
    lock_release(&first);
    assert_int_not_equal(access(file, F_OK), 0); /* nothing is left behind */
    assert_int_equal(lock_take(&second, dir, &why), LOCK_TAKEN);
    lock_release(&second);
    buf_fini(&why);
}

/* What a main that was killed leaves is no obstacle. */
static void test_file_without_holder(void **state UNUSED)
{
    struct lock lock;
    struct buf why;
    buf_init(&why, 1024);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs("99999\n", f);
    fclose(f);
    assert_int_equal(lock_take(&lock, dir, &why), LOCK_TAKEN);
    lock_release(&lock);
}

static void test_no_directory(void **state UNUSED)
{
    struct lock lock;
    struct buf why;
    buf_init(&why, 1024);
    assert_int_equal(lock_take(&lock, "/homeward-test/is/not/here", &why), LOCK_HOPELESS);
    assert_true(span_contains_nocase(buf_span(&why), SPAN("No such file or directory")));
    assert_int_equal(lock.fd, -1);
    lock_release(&lock);
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_is_refused),
        cmocka_unit_test(test_file_without_holder),
        cmocka_unit_test(test_no_directory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
