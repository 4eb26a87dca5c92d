/* The check: all that is wrong is said at once, and the map is compared with the one in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <limits.h>

#include "proxy/supervisor/check.h"

static char dir[] = "/tmp/homeward-test-XXXXXX";
static char config_file[64], map_file[64], key_file[64];

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char good_config[] = "run = { user = \"root\"; };\n"
                                  "sites = ( { name = \"north\"; backends = ( { host = \"192.0.2.1\"; } ); security = "
                                  "\"tls\"; pin_sha256 = "
                                  "\"0000000000000000000000000000000000000000000000000000000000000000\"; } );\n"
                                  "directory = { path = \"directory.map\"; };\n";

static int set_up(void **state UNUSED)
{
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(config_file, sizeof config_file, "%s/homeward.cfg", dir);
    snprintf(map_file, sizeof map_file, "%s/directory.map", dir);
    snprintf(key_file, sizeof key_file, "%s/a.key", dir);
    return 0;
}

static int tear_down(void **state UNUSED)
{
    unlink(config_file);
    unlink(map_file);
    unlink(key_file);
    return rmdir(dir);
}

static bool check(unsigned parts, struct span in_force, struct span before, struct check_result *result)
{
    struct check_order order = { .parts = parts, .file = config_file, .in_force = in_force, .map_before = before };
    return check_run(&order, result);
}

static bool says(const struct check_result *result, const char *text)
{
    return span_contains_nocase(buf_span(&result->errors), span_of(text));
}

static void test_good(void **state UNUSED)
{
    struct check_result result;
    write_file(config_file, good_config);
    write_file(map_file, "* north\n");
    if (!check(CHECK_ALL, SPAN_NONE, SPAN_NONE, &result))
        fail_msg("%.*s", SPAN_ARG(buf_span(&result.errors)));
    assert_true(result.config.n > 0 && result.map.n > 0 && result.seen.n > 0);
    check_fini(&result);
}

static void test_all_that_is_wrong_at_once(void **state UNUSED)
{
    struct check_result result;
    write_file(config_file, good_config);
    FILE *f = fopen(config_file, "a");
    assert_non_null(f);
    fputs("tls = { certificates = ( { chain = \"no.crt\"; key = \"a.key\"; } ); };\n"
          "imap = { listen = ( { address = \"127.0.0.1\"; } ); };\n",
          f);
    fclose(f);
    write_file(key_file, "not a key\n");
    write_file(map_file, "anna@example.com south\nanna@example.com\n");
    assert_false(check(CHECK_ALL, SPAN_NONE, SPAN_NONE, &result));
    assert_true(says(&result, "no.crt: cannot be read: No such file or directory"));
    assert_true(says(&result, "directory.map:1: "));
    assert_true(says(&result, "directory.map:2: "));
    check_fini(&result);
    assert_false(check(CHECK_FILES | CHECK_MAP, SPAN("not what config_dump writes"), SPAN_NONE, &result));
    assert_true(result.errors.n > 0);
    check_fini(&result);
}

/* The map alone, by the configuration in force, whatever the file says meanwhile. */
static void test_map_against_the_one_in_force(void **state UNUSED)
{
    struct check_result first, second;
    write_file(config_file, good_config);
    write_file(map_file, "a@example.com north\nb@example.com north\nc@example.com north\n");
    assert_true(check(CHECK_ALL, SPAN_NONE, SPAN_NONE, &first));
    write_file(config_file, "nonsense");
    write_file(map_file, "a@example.com north\n");
    assert_false(check(CHECK_MAP, buf_span(&first.config), buf_span(&first.map), &second));
    assert_true(says(&second, "max_loss_percent"));
    check_fini(&second);
    write_file(map_file, "a@example.com north\nb@example.com north\nc@example.com north\nd@example.com north\n");
    assert_true(check(CHECK_MAP, buf_span(&first.config), buf_span(&first.map), &second));
    assert_int_equal(second.config.n, 0);
    assert_int_equal(second.front_bundle.n, 0);
    assert_true(second.map.n > first.map.n);
    check_fini(&second);
    unlink(map_file);
    assert_false(check(CHECK_MAP, buf_span(&first.config), buf_span(&first.map), &second));
    assert_true(says(&second, "directory.map: cannot be read: No such file or directory"));
    check_fini(&second);
    check_fini(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_all_that_is_wrong_at_once),
        cmocka_unit_test(test_map_against_the_one_in_force),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
