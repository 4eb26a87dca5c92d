/* The file of accounts: its lines, what is refused of them, looking up, and hashes. And tables, damaged in every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/verifiers/passwd.h"

static const struct config config = { .accounts.default_domain = "x.test" };

/* All of "secret". */
#define YESCRYPT "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01"
#define BCRYPT "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define SHA512                                                                                                         \
    "$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2kgY5hR2.peKEg2VGUqIJJu1"

/* ---- lines ---- */

/* clang-format off */
static const struct {
    const char *text, *error; /* NULL: it is good */
} texts[] = {
    { "", NULL },
    { "# nobody\n\n  \r\n", NULL },
    { "anna:" YESCRYPT "\n", NULL },
    { "Anna@X.Test:" BCRYPT ":1000:1000:Anna A,,:/home/anna:/bin/sh\r\n", NULL },
    { "anna:{CRYPT}" SHA512 "::::::protocols=imap networks=10.0.0.0/8 opens=bert,carl@y.test\n", NULL },
    { "anna:{blf-crypt}" BCRYPT "\n", NULL },
    { "anna:!" SHA512 "\nbert:*\ncarl:!!\n", NULL },
    { "anna:" YESCRYPT "::::::protocols=imap:more\n", NULL }, /* fields beyond ours are not looked at */
    { "anna:" YESCRYPT, "f:1: found a last line without its end, expected a newline" },
    { "anna\n", "f:1: anna@x.test: found no hash" },
    { "anna:\n", "f:1: anna@x.test: found no hash" },
    { "anna::\n", "f:1: anna@x.test: found no hash" },
    { "anna:secret\n", "f:1: anna@x.test: found a hash of an unknown or weak kind" },
    { "anna:{PLAIN}secret\n", "unknown or weak kind" },
    { "anna:{SSHA}" SHA512 "\n", "unknown or weak kind" },
    { "anna:$1$abcdefgh$irWbblnpmw.5z7wgBnprh0\n", "unknown or weak kind" },
    { "anna:ab01FAX.bQRSU\n", "unknown or weak kind" },
    { "anna:$6$abcdefgh$cut\n", "unknown or weak kind" },
    { "anna:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIr\n", "unknown or weak kind" }, /* one short */
    { "anna:$y$\n", "unknown or weak kind" },
    { "anna:$\n", "unknown or weak kind" },
    { ":" YESCRYPT "\n", "f:1: found \"\", expected the name of an account" },
    { "an na:!\n", "f:1: found \"an na\", expected the name of an account" },
    { "\n#\nanna:!::::::color=red\n", "f:3: found the option \"color=red\", expected user=" },
    { "anna:!::::::sessions=0\n", "f:1: found the option \"sessions=0\", expected a whole number" },
    { "anna:!\nbert:!\nX.test\\ANNA:!\n", "f:3: found anna@x.test again, expected it once: it stands in line 1 already" },
};
/* clang-format on */

static void lines(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct buf compiled, errors;
        buf_init(&compiled, 65536);
        buf_init(&errors, 65536);
        bool good = passwd_compile(&config, "f", span_of(texts[i].text), &compiled, &errors);
        if (good != (texts[i].error == NULL))
            fail_msg("%s: %.*s", texts[i].text, SPAN_ARG(buf_span(&errors)));
        if (good)
            assert_int_equal(errors.n, 0);
        else if (!span_contains_nocase(buf_span(&errors), span_of(texts[i].error)))
            fail_msg("%.*s instead of %s", SPAN_ARG(buf_span(&errors)), texts[i].error);
        assert_false(span_contains_nocase(buf_span(&errors), SPAN("UpFFP8WIrW"))); /* no hash is shown */
        buf_fini(&compiled);
        buf_fini(&errors);
    }
}

static void many_errors_are_counted(void **state UNUSED)
{
    struct buf text, compiled, errors;
    buf_init(&text, 65536);
    buf_init(&compiled, 65536);
    buf_init(&errors, 65536);
    for (int i = 0; i < 100; i++)
        assert_true(buf_printf(&text, "user%d:secret\n", i));
    assert_false(passwd_compile(&config, "f", buf_span(&text), &compiled, &errors));
    assert_true(span_contains_nocase(buf_span(&errors), SPAN("f: and 80 more errors\n")));
    buf_fini(&text);
    buf_fini(&compiled);
    buf_fini(&errors);
}

/* ---- looking up ---- */

static void compile(const char *text, struct buf *compiled)
{
    struct buf errors;
    buf_init(compiled, 1 << 20);
    buf_init(&errors, 65536);
    assert_true(passwd_compile(&config, "f", span_of(text), compiled, &errors));
    buf_fini(&errors);
}

static void accounts_are_found(void **state UNUSED)
{
    struct buf compiled;
    struct table table;
    struct passwd_entry e;
    compile("carl:!" SHA512 "\nanna:{CRYPT}" YESCRYPT "::::::protocols=imap\nbert@y.test:" BCRYPT "\n", &compiled);
    assert_true(table_open(&table, PASSWD_MAGIC, buf_span(&compiled)));
    assert_true(passwd_find(&table, SPAN("anna@x.test"), &e));
    assert_true(span_eq(e.hash, SPAN(YESCRYPT)) && span_eq(e.options, SPAN("protocols=imap")));
    assert_true(passwd_find(&table, SPAN("bert@y.test"), &e));
    assert_true(span_eq(e.hash, SPAN(BCRYPT)) && e.options.n == 0);
    assert_true(passwd_find(&table, SPAN("carl@x.test"), &e));
    assert_int_equal(e.hash.n, 0);
    static const char *const unknown[] = {
        "anna", "anna@x.tes", "anna@x.test ", "ann", "", "a", "zoe@z", "bert@x.test"
    };
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_false(passwd_find(&table, span_of(unknown[i]), &e));
    assert_true(span_eq(passwd_any_hash(&table), SPAN(YESCRYPT)));
    buf_fini(&compiled);
    compile("carl:!\n", &compiled);
    assert_true(table_open(&table, PASSWD_MAGIC, buf_span(&compiled)));
    assert_int_equal(passwd_any_hash(&table).n, 0);
    buf_fini(&compiled);
}

/* Whatever byte is wrong: refused, or looked up without a step outside (as ASan would see). */
static void damaged_tables_do_no_harm(void **state UNUSED)
{
    struct buf compiled;
    struct table table;
    struct passwd_entry e;
    compile("anna:" YESCRYPT "\nbert:!\ncarl:" BCRYPT "\n", &compiled);
    for (size_t n = 0; n < compiled.n; n++) {
        char *cut = malloc(n + 1);
        assert_non_null(cut);
        memcpy(cut, compiled.at, n);
        assert_false(table_open(&table, PASSWD_MAGIC, span_bytes(cut, n)));
        free(cut);
    }
    for (size_t i = 0; i < 255 * compiled.n; i++) {
        char *copy = malloc(compiled.n);
        assert_non_null(copy);
        memcpy(copy, compiled.at, compiled.n);
        copy[i / 255] = (char)((unsigned char)copy[i / 255] + 1 + i % 255);
        if (table_open(&table, PASSWD_MAGIC, span_bytes(copy, compiled.n))) {
            passwd_find(&table, SPAN("bert@x.test"), &e);
            passwd_any_hash(&table);
        }
        free(copy);
    }
    buf_fini(&compiled);
}

/* ---- hashes ---- */

static void hashes(void **state UNUSED)
{
    static const char *const good[] = { YESCRYPT, BCRYPT, SHA512 };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(passwd_hash_is_usable(good[i]));
        assert_true(passwd_matches(SPAN("secret"), good[i]));
        assert_false(passwd_matches(SPAN("Secret"), good[i]));
        assert_false(passwd_matches(SPAN("secret "), good[i]));
        assert_false(passwd_matches(SPAN("secret\0"), good[i])); /* crypt(3) would not see the difference */
        assert_false(passwd_matches(SPAN(""), good[i]));
    }
    assert_false(passwd_matches(SPAN("secret"), "*0"));
    assert_false(passwd_matches(SPAN("secret"), "*1"));
    assert_false(passwd_matches(SPAN("secret"), ""));
    assert_false(passwd_matches(SPAN(""), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(many_errors_are_counted),
        cmocka_unit_test(accounts_are_found),
        cmocka_unit_test(damaged_tables_do_no_harm),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
