/* OpenSSL's memory: big buffers from the pool while there are blocks, everything else from the heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/crypto.h>

#include "proxy/base/check.h"
#include "proxy/net/tls_pool.h"

enum { BLOCKS = 4, BIG = 17000 };

/* Blocks lie beside each other, and nothing of the heap between them. */
static size_t gap(const char *a, const char *b)
{
    return (size_t)(a < b ? b - a : a - b);
}

static size_t resident_pages(char *block)
{
    unsigned char pages[6];
    size_t n = 0;
    assert_int_equal(mincore(block, sizeof pages * 4096, pages), 0);
    for (size_t i = 0; i < sizeof pages; i++)
        n += pages[i] & 1;
    return n;
}

static void test_the_freshest_block_is_used_again(void **state UNUSED)
{
    char *a = OPENSSL_malloc(BIG), *b = OPENSSL_malloc(BIG);
    assert_non_null(a);
    assert_int_equal(gap(a, b), 24 * 1024);
    OPENSSL_free(a);
    OPENSSL_free(b);
    assert_ptr_equal(OPENSSL_malloc(BIG), b);
    assert_ptr_equal(OPENSSL_malloc(BIG), a);
    OPENSSL_free(a);
    OPENSSL_free(b);
}

static void test_when_there_are_none_left_the_heap_serves(void **state UNUSED)
{
    char *all[BLOCKS + 2];
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i] = OPENSSL_malloc(BIG);
        assert_non_null(all[i]);
        memset(all[i], (int)i, BIG);
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t k = 0; k < BIG; k++)
            assert_int_equal(all[i][k], i);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        OPENSSL_free(all[i]);
}

static void test_growing_and_shrinking(void **state UNUSED)
{
    char *p = OPENSSL_realloc(NULL, BIG), *block = OPENSSL_malloc(BIG); /* how a BUF_MEM begins */
    assert_int_equal(gap(p, block), 24 * 1024);
    OPENSSL_free(block);
    block = p;
    memset(p, 7, BIG);
    p = OPENSSL_realloc(p, 20000); /* there is room in the block */
    assert_ptr_equal(p, block);
    p = OPENSSL_realloc(p, 100000); /* and now there is none */
    assert_ptr_not_equal(p, block);
    assert_ptr_equal(OPENSSL_malloc(BIG), block);
    for (size_t k = 0; k < BIG; k++)
        assert_int_equal(p[k], 7);
    OPENSSL_free(block);
    p = OPENSSL_realloc(p, 10);
    assert_int_equal(p[9], 7);
    OPENSSL_free(p);
    OPENSSL_free(NULL);
    assert_null(OPENSSL_malloc(0));
}

static void test_what_is_trimmed_costs_nothing_and_can_be_used_again(void **state UNUSED)
{
    char *a = OPENSSL_malloc(BIG), *b = OPENSSL_malloc(BIG);
    memset(a, 1, BIG);
    memset(b, 1, BIG);
    OPENSSL_free(a);
    tls_pool_trim();
    assert_int_equal(resident_pages(a), 0);
    assert_true(resident_pages(b) > 0);
    OPENSSL_free(b);
    tls_pool_trim();
    assert_int_equal(resident_pages(b), 0);
    char *again = OPENSSL_malloc(BIG);
    assert_ptr_equal(again, b);
    memset(again, 1, BIG);
    OPENSSL_free(again);
    tls_pool_trim(); /* taken off the cold ones, it was warm */
    assert_int_equal(resident_pages(b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_freshest_block_is_used_again),
        cmocka_unit_test(test_when_there_are_none_left_the_heap_serves),
        cmocka_unit_test(test_growing_and_shrinking),
        cmocka_unit_test(test_what_is_trimmed_costs_nothing_and_can_be_used_again),
    };
    tls_pool_open(BLOCKS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
