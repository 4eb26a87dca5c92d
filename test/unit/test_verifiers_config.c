/* Verifiers in a configuration: what is refused, with its line, and what a preset stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

static char path[64];

static struct config *load(const char *text, struct buf *errors, struct buf *warnings)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    buf_init(errors, 65536);
    buf_init(warnings, 65536);
    return config_load(path, errors, warnings);
}

#define SITE(more) "sites = ( { name = \"a\"; backends = ( { host = \"h\"; } ); " more " } );\n"
#define CHAIN(text) SITE("") "auth = { verifiers = ( " text " ); };\n"

/* clang-format off */
static const struct {
    const char *text, *error; /* what one of the errors must hold; the last bit of a line */
    int line;
} bad[] = {
    { CHAIN("{ driver = \"file\"; }"), "auth.verifiers[0].path: missing, expected with driver = \"file\"", 2 },
    { CHAIN("{ driver = \"file\"; path = \"a\"; }, { driver = \"file\"; path = \"b\"; }"),
      "auth.verifiers[1]: driver = \"file\" found again, expected one file of all", 2 },
    { CHAIN("{ driver = \"site\"; path = \"a\"; }"),
      "auth.verifiers[0].path: found with driver = \"site\", expected it without", 2 },
    { CHAIN("{ },\n{ driver = \"file\"; path = \"a\"; }"),
      "auth.verifiers[0]: driver = \"site\" found before others, expected it last: it judges whoever it is asked for", 2 },
    { CHAIN("{ driver = \"http\"; }"), "auth.verifiers[0].urls: missing, expected whom to ask", 2 },
    { CHAIN("{ driver = \"http\"; urls = ( \"ldap://h\" ); }"),
      "auth.verifiers[0].urls: \"ldap://h\" found, expected \"http://\" or \"https://\"", 2 },
    { CHAIN("{ driver = \"http\"; urls = ( \"http://user:secret@h/\" ); }"), "a URL that begins with", 2 },
    { CHAIN("{ driver = \"http\"; urls = ( \"https://\" ); }"), "a URL that begins with", 2 },
    { CHAIN("{ driver = \"http\"; urls = ( \"https://h\" ); secret_header = \"X-Key\"; }"),
      "auth.verifiers[0].secret_file: missing, expected the secret of secret_header", 2 },
    { CHAIN("{ driver = \"http\"; urls = ( \"https://h\" ); secret_header = \"X Key\"; secret_file = \"f\"; }"),
      "the name of an HTTP header", 2 },
    { CHAIN("{ driver = \"oauth\"; urls = ( \"https://h\" );\nsecret_file = \"f\"; }"),
      "auth.verifiers[0].secret_file: found alone, expected with it client_id", 3 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); }"),
      "auth.verifiers[0].base: missing, expected with driver = \"ldap\"", 2 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); base = \"o=x\"; }"),
      "auth.verifiers[0].filter: missing, expected with driver = \"ldap\"", 2 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); base = \"o=x\";\nfilter = \"(mail=*)\"; }"),
      "auth.verifiers[0].filter: \"(mail=*)\" found, expected a filter in parentheses with %u or %n in it, such as "
      "\"(mail=%u)\"", 3 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); base = \"o=x\"; filter = \"(mail=%u\"; }"), "found, expected a filter", 2 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); base = \"o=x\"; filter = \"(mail=%x)(a=%u)\"; }"), "found, expected a filter", 2 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldap://h\" ); base = \"o=x\"; filter = \"(mail=%u)\"; }"),
      "auth.verifiers[0].urls: \"ldap://h\" would send passwords in clear text, expected \"ldaps://\" or starttls = true", 2 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldap://localhost@h\" ); base = \"o=x\"; filter = \"(mail=%u)\"; }"), "a URL that begins with", 2 },
    { CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); base = \"o=x\"; preset = \"ad\"; sites = ( { value = \"x\"; site = \"b\"; } ); }"),
      "auth.verifiers[0].sites: the site \"b\" found, expected one that the configuration has", 2 },
    { SITE("credentials = \"master\"; master_user = \"m\"; master_password_file = \"f\";"),
      "site \"a\": credentials = \"master\" with driver = \"site\" alone, expected a verifier that judges the client: the site "
      "would let everybody in", 1 },
    { SITE("credentials = \"master\";") "auth = { verifiers = ( { driver = \"file\"; path = \"p\"; } ); };\n",
      "site \"a\": credentials = \"master\", expected master_user with it", 1 },
    { SITE("credentials = \"master\"; master_user = \"m\";") "auth = { verifiers = ( { driver = \"file\"; path = \"p\"; } ); };\n",
      "site \"a\": credentials = \"master\", expected master_password_file with it", 1 },
    { SITE("credentials = \"master\"; master_user = \"m\"; master_password_file = \"f\";\nmechanism = \"login\";")
      "auth = { verifiers = ( { driver = \"file\"; path = \"p\"; } ); };\n",
      "site \"a\": mechanism = \"login\" cannot say whose mailbox the master opens", 2 },
    { SITE("master_user = \"m\";"), "site \"a\": master_user found without credentials = \"master\", expected both or none", 1 },
    { CHAIN("{ driver = \"oauth\"; urls = ( \"https://h\" ); }"),
      "site \"a\": a token yields no password, but credentials = \"client\" needs one; expected credentials = \"master\", or "
      "bearer = ( \"XOAUTH2\" ) where its stores take tokens", 1 },
    { "auth = {\nguesses_per_account = 1; };\n", "auth.guesses_per_account: 1 found, expected 0 (any number) or at least 2", 2 },
    { "auth = { guesses_per_address = 1; };\n", "auth.guesses_per_address: 1 found, expected 0", 1 },
    { "auth = { free_failures = 101; };\n", "auth.free_failures: 101 found", 1 },
    { "auth = { known_address_days = -1; };\n", "auth.known_address_days: -1 found", 1 },
    { "auth = { cache_s = 86401; };\n", "auth.cache_s: 86401 found", 1 },
};

static const char *const good[] = {
    CHAIN("{ driver = \"file\"; path = \"p\"; }, { driver = \"site\"; }"),
    CHAIN("{ driver = \"http\"; urls = ( \"http://127.0.0.1:9000/auth\", \"http://[::1]/\" ); }"),
    CHAIN("{ driver = \"ldap\"; urls = ( \"ldap://localhost:3890\" ); base = \"o=x\"; filter = \"(mail=%u)\"; }"),
    CHAIN("{ driver = \"ldap\"; urls = ( \"ldap://h\" ); starttls = true; base = \"o=x\"; preset = \"openldap\"; }"),
    SITE("bearer = ( \"XOAUTH2\" );") "auth = { verifiers = ( { driver = \"oauth\"; urls = ( \"https://h\" ); } ); };\n",
    SITE("credentials = \"master\"; master_user = \"m\"; master_password_file = \"f\";")
    "auth = { verifiers = ( { driver = \"oauth\"; urls = ( \"https://h\" ); } ); };\n",
    SITE("credentials = \"master\"; master_user = \"m\"; master_password_file = \"f\"; mechanism = \"login\"; "
         "master_form = \"user*master\";")
    "auth = { verifiers = ( { driver = \"file\"; path = \"p\"; }, { driver = \"site\"; } ); };\n",
    SITE("") "auth = { guesses_per_account = 0; guesses_per_address = 0; delay_points_max = 0; failure_step_ms = 60000; };\n",
    SITE("") "auth = { verifiers = ( { driver = \"file\"; path = \"p\"; } ); cache_s = 300; guesses_per_account = 2; };\n",
};

static const struct {
    const char *text, *warning;
} doubtful[] = {
    { CHAIN("{ driver = \"http\"; urls = ( \"http://auth.example/\" ); }"),
      "WEAK: auth.verifiers[0] sends passwords in clear text to http://auth.example/" },
    { "auth = { delay_points_max = 20; };\n",
      "auth.delay_points_max: 20 found, with which a refusal may wait 63 s; after limits.login_timeout_s, 60 s, the" },
    { "auth = { cache_s = 60; };\n", "auth.cache_s: 60 found with driver = \"site\" alone, which is asked for each login" },
};
/* clang-format on */

static void refused(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf errors, warnings;
        char place[96];
        struct config *c = load(bad[i].text, &errors, &warnings);
        snprintf(place, sizeof place, "%s:%d: ", path, bad[i].line);
        if (c != NULL || !buf_add_byte(&errors, '\0') || strstr(errors.at, bad[i].error) == NULL ||
            strstr(errors.at, place) == NULL)
            fail_msg("row %zu: %s", i, errors.n > 0 ? errors.at : "nothing was refused");
        buf_fini(&errors);
        buf_fini(&warnings);
    }
}

static void taken(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct buf errors, warnings;
        struct config *c = load(good[i], &errors, &warnings);
        if (c == NULL)
            fail_msg("row %zu: %.*s", i, SPAN_ARG(buf_span(&errors)));
        assert_int_equal(warnings.n, 0);
        config_free(&c);
        buf_fini(&errors);
        buf_fini(&warnings);
    }
}

static void doubted(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(doubtful); i++) {
        struct buf errors, warnings;
        struct config *c = load(doubtful[i].text, &errors, &warnings);
        assert_non_null(c);
        assert_true(buf_add_byte(&warnings, '\0'));
        if (strstr(warnings.at, doubtful[i].warning) == NULL)
            fail_msg("row %zu: %s", i, warnings.at);
        config_free(&c);
        buf_fini(&errors);
        buf_fini(&warnings);
    }
}

/* A preset fills in what is left out, and nothing else; a dump says all of it. */
static void presets(void **state UNUSED)
{
    struct buf errors, warnings, dumped;
    struct config *c = load(CHAIN("{ driver = \"ldap\"; urls = ( \"ldaps://h\" ); base = \"o=x\"; preset = \"ad\"; "
                                  "name_attribute = \"mail\"; sites = ( { value = \"*/cn=M1\"; site = \"a\"; } ); }"),
                            &errors, &warnings);
    assert_non_null(c);
    const struct verifier_config *v = &c->auth.verifiers[0];
    assert_string_equal(v->name_attribute, "mail");
    assert_string_equal(v->site_attribute, "msExchHomeServerName");
    assert_non_null(strstr(v->filter, "(userPrincipalName=%u)"));
    assert_int_equal(v->timeout_ms, 5000);
    buf_init(&dumped, 65536);
    assert_true(config_dump(c, ~0U, &dumped));
    struct config *again = config_parse(buf_span(&dumped));
    assert_non_null(again);
    assert_string_equal(again->auth.verifiers[0].filter, v->filter);
    assert_string_equal(again->auth.verifiers[0].sites[0].value, "*/cn=M1");
    assert_int_equal(again->auth.verifiers[0].preset, PRESET_AD);
    config_free(&again);
    config_free(&c);
    buf_fini(&dumped);
    buf_fini(&errors);
    buf_fini(&warnings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(taken),
        cmocka_unit_test(doubted),
        cmocka_unit_test(presets),
    };
    snprintf(path, sizeof path, "/tmp/verifiers-%d.cfg", getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
