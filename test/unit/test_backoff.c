/* How long a place stays empty after crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/supervisor/backoff.h"

static const struct {
    int64_t lived_ms, wait_ms;
} lives[] = {
    {3600000, 0    }, /* a long life: at once */
    { 10000,  0    },
    { 9999,   200  },
    { 0,      400  },
    { 0,      800  },
    { 15000,  0    }, /* at once, but the row goes on */
    { 10,     1600 },
    { 10,     3200 },
    { 10,     6400 },
    { 10,     10000},
    { 10,     10000},
    { 60000,  0    }, /* long enough to forget */
    { 10,     200  },
};

static void test_row_of_lives(void **state UNUSED)
{
    struct backoff b = { 0 };
    for (size_t i = 0; i < COUNT_OF(lives); i++)
        assert_int_equal(backoff_wait_ms(&b, lives[i].lived_ms), lives[i].wait_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_row_of_lives) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
