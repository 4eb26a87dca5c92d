/* Sites behind IPsec: what is refused and in which words, what is shown as WEAK, and what follows from what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "config/config.h"

static char path[64];
static struct buf errors, warnings;

static int enter(void **state UNUSED)
{
    snprintf(path, sizeof path, "/tmp/homeward-test-XXXXXX");
    int fd = mkstemp(path);
    buf_init(&errors, 1 << 16);
    buf_init(&warnings, 1 << 16);
    return fd < 0 || close(fd);
}

static int leave(void **state UNUSED)
{
    buf_fini(&errors);
    buf_fini(&warnings);
    return unlink(path);
}

static struct config *load(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    buf_clear(&errors);
    buf_clear(&warnings);
    return config_load(path, &errors, &warnings);
}

#define SITE(host, more) "sites = ( { name = \"a\"; backends = ( { host = \"" host "\"; } );\n" more "} );\n"
#define IPSEC(more) "security = \"ipsec\"; ipsec = { reqid = 7; " more "};"
#define TWO(a, b)                                                                                                      \
    "sites = ( { name = \"a\"; backends = ( { host = \"" a "\"; }, { host = \"" b "\"; } ); " IPSEC("") " } );\n"

static const struct {
    const char *text, *says;
} bad[] = {
    {SITE("10.0.0.2",         "security = \"ipsec\";"),
     "site \"a\": security = \"ipsec\", expected ipsec = { reqid = ...; }"                                                                      },
    { SITE("10.0.0.2",        "security = \"ipsec\"; ipsec = { reqid = 0; };"),  "a whole number from 1 to 4294967295"                          },
    { SITE("10.0.0.2",        "ipsec = { reqid = 7; };"),                        "ipsec protects nothing here, expected security = \"ipsec\""   },
    { SITE("10.0.0.2",        "security = \"ipsec\"; ipsec = { reqid = -1; };"), "sites[0].ipsec.reqid: -1 found"                               },
    { SITE("10.0.0.2",        IPSEC("algorithms = ( \"aes\" ); ")),              "sites[0].ipsec.algorithms[0]: \"aes\" found"                  },
    { SITE("10.0.0.2",        IPSEC("") " spare = 2;"),                          "spare with security = \"ipsec\""                              },
    { SITE("10.0.0.2",        IPSEC("level = \"use\"; ")),                       "sites[0].ipsec.level"                                         },
    { SITE("10.0.0.2",        IPSEC("tls = \"always\"; ")),                      "\"if_offered\" or \"never\""                                  },
    { SITE("old.example",     IPSEC("")),                                        "host = \"old.example\", expected an IP address"               },
    { SITE("::ffff:10.0.0.2", IPSEC("")),                                        "expected the IPv4 address as it is, not mapped into IPv6"     },
    { SITE("::1",             IPSEC("")),                                        "expected the address of another machine"                      },
    { TWO("10.0.0.2",         "fd00::2"),                                        "host = \"fd00::2\", expected back ends of one address family" },
    { TWO("fd00::2",          "10.0.0.2"),                                       "host = \"10.0.0.2\", expected back ends of one address family"},
    { SITE("10.0.0.2",        IPSEC("") " client_info = \"proxy2\";"),           "client_info = \"proxy2\" with security = \"ipsec\""           },
};

static bool says(const struct buf *b, const char *words)
{
    return span_contains_nocase(buf_span(b), span_of(words));
}

static void test_bad(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_null(load(bad[i].text));
        if (!says(&errors, bad[i].says))
            fail_msg("case %zu: %.*s", i, SPAN_ARG(buf_span(&errors)));
    }
}

static const struct {
    const char *text, *warns; /* NULL: nothing */
} good[] = {
    {SITE("10.0.0.2",                                             IPSEC("")),                                                 NULL },
    { TWO("fd00::2",                                                          "fd00::3"),                                                                                                       NULL },
    { SITE("10.0.0.2",                                                       IPSEC("algorithms = ( \"aes-gcm\", \"aes-cbc-sha1\" ); ")),          NULL },
    { SITE("10.0.0.2",IPSEC("algorithms = ( \"3des-sha1\" ); ")),
     "WEAK: site \"a\" may be reached with \"3des-sha1\"" },
    { SITE("10.0.0.2",                                            IPSEC("") " ca_file = \"ca.crt\";"),                                                                                                                  "ca_file has no effect, security = \"ipsec\" trusts ESP" },
    { "sites = ( { name = \"a\"; backends = ( { host = \"10.0.0.2\"; } ); " IPSEC(
          "") " },\n"
              "{ name = \"b\"; backends = ( { host = \"10.0.0.3\"; } ); " IPSEC("") " } );\n",
     "WEAK: site \"b\" has the reqid of site \"a\""                                                                                                    },
    { "sites = ( { name = \"a\"; backends = ( { host = \"10.0.0.2\"; } ); " IPSEC(
          "") " },\n"
              "{ name = \"b\"; backends = ( { host = \"10.0.0.2\"; imap_port = 1143; } ); " IPSEC("") " } );\n",
     NULL},
};

static void test_good(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct config *c = load(good[i].text);
        if (c == NULL || (good[i].warns != NULL ? !says(&warnings, good[i].warns) : warnings.n > 0))
            fail_msg("case %zu: %.*s%.*s", i, SPAN_ARG(buf_span(&errors)), SPAN_ARG(buf_span(&warnings)));
        assert_true(config_has_ipsec(c));
        config_free(&c);
    }
}

/* Ports of clear text, nothing assumed of the store, and a dump that is the same configuration. */
static void test_what_follows(void **state UNUSED)
{
    struct buf dumped;
    struct config *c = load(SITE("10.0.0.2", "security = \"ipsec\"; ipsec = { reqid = 4294967295; mode = \"tunnel\";"
                                             "algorithms = ( \"3des-sha1\" ); tls = \"never\"; };"));
    assert_non_null(c);
    buf_init(&dumped, 1 << 16);
    assert_true(config_dump(c, ~0U, &dumped));
    config_free(&c);
    c = config_parse(buf_span(&dumped));
    assert_non_null(c);
    assert_int_equal(c->sites[0].security, SECURITY_IPSEC);
    assert_int_equal(c->sites[0].ipsec.reqid, 4294967295);
    assert_int_equal(c->sites[0].ipsec.mode, IPSEC_TUNNEL);
    assert_int_equal(c->sites[0].ipsec.tls, IPSEC_TLS_NEVER);
    assert_int_equal(ipsec_algorithms(&c->sites[0].ipsec), 1U << IPSEC_3DES_SHA1);
    assert_int_equal(c->sites[0].port[IMAP], 143);
    assert_int_equal(c->sites[0].port[POP3], 110);
    assert_string_equal(c->sites[0].pop3_capabilities, "");
    config_free(&c);
    buf_fini(&dumped);
}

static void test_written_capabilities(void **state UNUSED)
{
    struct config *c = load(SITE("10.0.0.2", IPSEC("") " pop3_capabilities = \"UIDL\";"));
    assert_non_null(c);
    assert_string_equal(c->sites[0].pop3_capabilities, "UIDL");
    config_free(&c);
    c = load(SITE("10.0.0.2", "pop3_capabilities = \"\";"));
    assert_non_null(c);
    assert_string_equal(c->sites[0].pop3_capabilities, "");
    assert_false(config_has_ipsec(c));
    config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_written_capabilities),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
