/* Which files are read for whom, what is said about those that cannot be, and that they come out as they went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/bundle.h"

static char folder[64];
static const char *const files[] = { "homeward.cfg", "chain.pem", "key.pem", "own.pem", "big.pem", "empty.pem" };

static int enter_folder(void **state UNUSED)
{
    snprintf(folder, sizeof folder, "/tmp/homeward-test-XXXXXX");
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int leave_folder(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(files); i++)
        remove(files[i]);
    return rmdir(folder);
}

static void write_file(const char *name, struct span bytes)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.at, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

static struct config *load(const char *text)
{
    struct buf errors, warnings;
    buf_init(&errors, 65536);
    buf_init(&warnings, 65536);
    write_file("homeward.cfg", span_of(text));
    struct config *c = config_load("homeward.cfg", &errors, &warnings);
    assert_int_equal(errors.n, 0);
    assert_non_null(c);
    buf_fini(&errors);
    buf_fini(&warnings);
    return c;
}

#define TLS "tls = { ca_file = \"all.pem\"; certificates = ( { chain = \"chain.pem\"; key = \"key.pem\"; } ); };\n"
#define ON "imap = { listen = ( { } ); }; directory = { path = \"map\"; };\n"
#define CLEAR "imap = { listen = ( { tls = \"none\"; clear_login = true; } ); }; directory = { path = \"map\"; };\n"
#define SITE(name, more) "{ name = \"" name "\"; backends = ( { host = \"10.0.0.1\"; } ); " more " }"
#define PIN "pin_sha256 = \"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\";"
#define TESTER "check_user = \"u\"; check_password_file = \"check.pw\";"
#define BARE "security = \"clear\"; networks = ( \"10.0.0.1\" ); reason = \"r\"; until = \"2099-01-01\"; "

/* --- who needs what --- */

static void test_paths(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned roles;
        const char *names; /* in the folder, each with a space */
    } cases[] = {
        {TLS ON "sites = ( " SITE("a",          "") " );",                            FOR_FRONT,                                                                              "chain.pem key.pem all.pem "                                                                                         },
        { TLS ON "sites = ( " SITE("a",         "") " );",                            ~0u,                                                                                    "chain.pem key.pem all.pem "                                                                                         },
        { TLS ON "sites = ( " SITE("a",         "") " );",                            FOR_MAIN | FOR_AUTH | FOR_BACKENDS,                                                     ""                                                                                                                   },
        { TLS ON "sites = ( " SITE("a",         TESTER) ", " SITE("b",                "") " );",                                                                              FOR_BACKENDS,                                                                                                          "check.pw all.pem " },
        { TLS ON "sites = ( " SITE("a",                                    TESTER PIN) " );",                                            FOR_BACKENDS,                                                                              "check.pw "                                                                                                                                           },
        { CLEAR "sites = ( " SITE("a",                                    TESTER BARE) " );",                                             FOR_BACKENDS,                                                                              "check.pw "},
        { TLS "sites = ( " SITE("a",                                    "") " );",                                               FOR_FRONT,                                                                                         "chain.pem key.pem "                                                                                                                                                       }, /* nobody is served */
        { CLEAR "sites = ( " SITE("a",                                    BARE) " );",                                             FOR_FRONT,                                                                                     ""},
        { TLS ON "sites = ( " SITE("a",                                    PIN) ", " SITE("b",                                            "verify = \"none\";") " );",                                                                             FOR_FRONT,
         "chain.pem key.pem " },
        { TLS ON "sites = ( " SITE("a",                  "ca_file = \"own.pem\";") " );",                                                     FOR_FRONT,                                                                                                               "chain.pem key.pem own.pem "                                                                                                                                                                                   },
        { TLS ON "sites = ( " SITE("a",         "ca_file = \"own.pem\";") ", " SITE("b",                                            "ca_file = \"own.pem\";") ", " SITE(
              "c","") " );",
         FOR_FRONT, "chain.pem key.pem own.pem all.pem " },
        { TLS ON "sites = ( " SITE("a",                            BARE "ca_file = \"own.pem\";") " );",                                                                   FOR_FRONT,                                                                                                                     "chain.pem key.pem "                                                                                                                                                                                                                                        },
        { "tls = { certificates = ( { chain = \"chain.pem\"; key = \"chain.pem\"; } ); };\n" ON
          "sites = ( " SITE("a",PIN) " );",
         FOR_FRONT,"chain.pem "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config *c = load(cases[i].text);
        char names[256] = "";
        size_t n;
        const char **paths = bundle_paths(c, cases[i].roles, &n);
        assert_non_null(paths);
        for (size_t p = 0; p < n; p++) {
            assert_memory_equal(paths[p], folder, strlen(folder));
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", paths[p] + strlen(folder) + 1);
        }
        assert_string_equal(names, cases[i].names);
        free(paths);
        config_free(&c);
    }
}

/* --- reading --- */

static char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void test_read(void **state UNUSED)
{
    struct buf bundle, errors;
    buf_init(&errors, 65536);
    write_file("chain.pem", SPAN("a chain\n"));
    write_file("key.pem", SPAN("a key\0with a NUL\n"));
    struct config *c = load(TLS ON "sites = ( " SITE("a", PIN) " );");
    assert_true(bundle_read(c, FOR_FRONT, &bundle, &errors));
    assert_true(bundle.secret);
    assert_int_equal(errors.n, 0);
    assert_true(span_eq(bundle_find(buf_span(&bundle), path_of("chain.pem")), SPAN("a chain\n")));
    assert_true(span_eq(bundle_find(buf_span(&bundle), path_of("key.pem")), SPAN("a key\0with a NUL\n")));
    assert_null(bundle_find(buf_span(&bundle), path_of("chain.pe")).at);
    assert_null(bundle_find(SPAN_NONE, "x").at);
    for (size_t n = 0; n < bundle.n; n++) { /* cut anywhere: never beyond the end, never a part of a file */
        struct span whole = bundle_find(span_first(buf_span(&bundle), n), path_of("key.pem"));
        assert_null(whole.at);
    }
    buf_fini(&bundle);
    buf_fini(&errors);
    config_free(&c);
}

static void expect_errors(const char *text, const char *lines)
{
    struct buf bundle, errors;
    char want[512];
    buf_init(&errors, 65536);
    struct config *c = load(text);
    assert_false(bundle_read(c, FOR_FRONT, &bundle, &errors));
    assert_true(buf_add_byte(&errors, '\0'));
    char *to = want;
    for (; *lines != '\0'; lines++) /* "@" is the folder */
        to += snprintf(to, (size_t)(want + sizeof want - to), *lines == '@' ? "%s/" : "%.1s",
                       *lines == '@' ? folder : lines);
    assert_string_equal(errors.at, want);
    buf_fini(&bundle);
    buf_fini(&errors);
    config_free(&c);
}

static void test_unreadable(void **state UNUSED)
{
    write_file("chain.pem", SPAN("a chain\n"));
    write_file("empty.pem", SPAN(""));
    write_file("big.pem", SPAN("x"));
    assert_int_equal(truncate("big.pem", BUNDLE_FILE_MAX + 1), 0);
    remove("key.pem");
    expect_errors(TLS ON "sites = ( " SITE("a", PIN) " );",
                  "@key.pem: cannot be read: No such file or directory (named by tls.certificates)\n");
    write_file("key.pem", SPAN("a key\n"));
    expect_errors(TLS ON "sites = ( " SITE("a", "ca_file = \"empty.pem\";") ", " SITE(
                      "b", "ca_file = \"big.pem\";") ", " SITE("c", "ca_file = \".\";") ", " SITE("d", "") " );",
                  "@empty.pem: cannot be read: it is empty (named by ca_file of site \"a\")\n"
                  "@big.pem: cannot be read: more than 4 MiB (named by ca_file of site \"b\")\n"
                  "@.: cannot be read: not a regular file (named by ca_file of site \"c\")\n"
                  "@all.pem: cannot be read: No such file or directory (named by tls.ca_file)\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
