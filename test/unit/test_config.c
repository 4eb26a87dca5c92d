/* The configuration: tables of good and bad files with the exact lines that an admin reads, what follows from what,
 * and that a dump is the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/options.h"
#include "config/rules.h"
#include "config/text.h"

enum { TEXT_MAX = 1 << 20 };

/* All tests work in a folder of their own; messages name "homeward.cfg". */
static char folder[64];

static struct said {
    struct buf errors, warnings;
} said;

static char sample[65536]; /* config/homeward.cfg.sample */

static int enter_folder(void **state UNUSED)
{
    FILE *f = fopen("config/homeward.cfg.sample", "r");
    if (f == NULL || fread(sample, 1, sizeof sample - 1, f) == 0 || fclose(f) != 0)
        return -1;
    snprintf(folder, sizeof folder, "/tmp/homeward-test-XXXXXX");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    buf_init(&said.errors, TEXT_MAX);
    buf_init(&said.warnings, TEXT_MAX);
    return mkdir("parts", 0700);
}

static int leave_folder(void **state UNUSED)
{
    buf_fini(&said.errors);
    buf_fini(&said.warnings);
    remove("homeward.cfg");
    remove("parts/a.cfg");
    remove("parts/b.cfg");
    return rmdir("parts") != 0 || rmdir(folder) != 0;
}

static void write_file(const char *name, struct span bytes)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.at, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

static const char *text_of(struct buf *b)
{
    assert_true(buf_add_byte(b, '\0'));
    b->n--;
    return b->at;
}

static struct config *load(const char *text)
{
    buf_clear(&said.errors);
    buf_clear(&said.warnings);
    write_file("homeward.cfg", span_of(text));
    return config_load("homeward.cfg", &said.errors, &said.warnings);
}

static struct config *load_good(const char *text)
{
    struct config *c = load(text);
    assert_string_equal(text_of(&said.errors), "");
    assert_non_null(c);
    return c;
}

/* A dump as a string of its own. */
static char *dump(const struct config *c, unsigned roles)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    assert_true(config_dump(c, roles, &b));
    char *copy = strdup(text_of(&b));
    buf_fini(&b);
    assert_non_null(copy);
    return copy;
}

/* Parts of files. */
#define SITE "sites = ( { name = \"a\"; backends = ( { host = \"a.example\"; } ); } );\n"
#define MAP "directory = { path = \"directory.map\"; };\n"
#define CERTIFICATE "tls = { certificates = ( { chain = \"c\"; key = \"k\"; } ); };\n"
#define SERVED SITE MAP CERTIFICATE /* three lines */
#define ONE_SITE(more) "sites = ( { name = \"a\"; backends = ( { host = \"10.0.0.1\"; } );\n" more "} );\n"
#define AT "homeward.cfg:"

struct bad {
    const char *text, *errors;
};

static void expect_bad(const struct bad *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct config *c = load(cases[i].text);
        assert_string_equal(text_of(&said.errors), cases[i].errors);
        assert_null(c);
    }
}

/* --- one option --- */

static void test_bad_options(void **state UNUSED)
{
    static const struct bad cases[] = {
        {"run = { workers = true; };",                                                                    AT "1: run.workers: true found, expected a whole number from 0 to 256\n"             },
        { "run = { workers = 1.5; };",                                                                    AT "1: run.workers: 1.5 found, expected a whole number from 0 to 256\n"              },
        { "run = { workers = -1; };",                                                                     AT "1: run.workers: -1 found, expected a whole number from 0 to 256\n"               },
        { "run = { workers = 257; };",                                                                    AT "1: run.workers: 257 found, expected a whole number from 0 to 256\n"              },
 /* libconfig alone would make 1 of this */
        { "run = { workers = 4294967297; };",
         AT "1: run.workers: 4294967297 found, expected a whole number from 0 to 256\n"                                                                                                        },
        { "run = { workers = 0x100000001; };",
         AT "1: run.workers: 4294967297 found, expected a whole number from 0 to 256\n"                                                                                                        },
        { "run = { workers = \"2\"; };",                                                                  AT "1: run.workers: \"2\" found, expected a whole number from 0 to 256\n"            },
        { "run = 5;",                                                                                     AT "1: run: 5 found, expected a group { ... }\n"                                     },
        { "run = { user = \"a b\"; };",                                                                   AT "1: run.user: \"a b\" found, expected the name of a system user\n"                },
        { "run = { runtime_dir = \"\"; };",
         AT "1: run.runtime_dir: \"\" found, expected a path of at most 99 bytes\n"                                                                                                            },
        { "log = { level = \"loud\\x1b\"; };",
         AT "1: log.level: \"loud\\x1b\" found, expected \"error\", \"warning\", \"info\" or \"debug\"\n"                                                                                      },
        { "log = { to = \"\"; };",
         AT "1: log.to: \"\" found, expected \"stderr\", \"syslog\" or the path of a file\n"                                                                                                   },
        { "tls = { early_greeting = 1; };",                                                               AT "1: tls.early_greeting: 1 found, expected true or false\n"                        },
        { "tls = { min_version = \"1.0\"; };",                                                            AT
          "1: tls.min_version: \"1.0\" found, but only a listener, a protocol or a site may go below \"1.2\", with its "
          "reason and until\n"                                                                                                                   },
        { "tls = { certificates = { chain = \"c\"; }; };",
         AT "1: tls.certificates: a group found, expected a list ( { ... }, { ... } ) of 0 to 256 groups\n"                                                                                    },
        { "tls = { certificates = ( { chain = \"c\"; }, 7 ); };",
         AT "1: tls.certificates[0].key: missing, expected a path\n" AT
             "1: tls.certificates[1]: 7 found, expected a group { ... }\n"                                                                                                                     },
        { "sites = 5;",                                                                                   AT "1: sites: 5 found, expected a list ( { ... }, { ... } ) of 0 to 1024 groups\n"   },
        { "limits = { exempt = \"10.0.0.0/8\"; };",
         AT "1: limits.exempt: \"10.0.0.0/8\" found, expected a list of networks such as ( \"10.0.0.0/8\", "
             "\"2001:db8::/32\" )\n"                                                                                                                                                           },
        { "limits = { exempt = ( \"10.0.0.0/33\", \"::/0\", 5 ); };",
         AT "1: limits.exempt[0]: \"10.0.0.0/33\" found, expected a network such as \"10.0.0.0/8\" or "
             "\"2001:db8::/32\", or an IP address\n" AT "1: limits.exempt[2]: 5 found, expected a network such as "
             "\"10.0.0.0/8\" or \"2001:db8::/32\", or an IP address\n"                                                                                                                         },
        { "dns = { servers = ( \"ns.example\", \"2001:db8::53:5353\", \"[::1]\" ); };",
         AT "1: dns.servers[0]: \"ns.example\" found, expected an IP address, or one with a port as in "
             "\"192.0.2.53:5353\" or \"[2001:db8::53]:5353\"\n" AT "1: dns.servers[2]: \"[::1]\" found, expected an IP "
             "address, or one with a port as in \"192.0.2.53:5353\" or \"[2001:db8::53]:5353\"\n"                                                                                              },
        { "directory = { driver = \"sql\"; };",
         AT "1: directory.driver: \"sql\" found, expected \"file\" or \"ldap\"\n"                                                                                                              },
        { "auth = { verifiers = ( { driver = \"imap\"; } ); };",
         AT "1: auth.verifiers[0].driver: \"imap\" found, expected \"site\", \"file\", \"http\", \"oauth\" or "
             "\"ldap\"\n"                                                                                                                                                                      },
        { "auth = { verifiers = ( ); };",
         AT "1: auth.verifiers: a list of 0 found, expected a list ( { ... }, { ... } ) of 1 to 16 groups\n"                                                                                   },
        { "settings = 5;",                                                                                AT "1: settings: 5 found, expected a group { ... }\n"                                },
        { "accounts = { default_domain = \"a b\"; deny = ( \"a b\", \"@x\", \"x@y@z\", 5, \"a/b\" ); };",
         AT "1: accounts.default_domain: \"a b\" found, expected a domain such as \"example.com\"\n" AT
             "1: accounts.deny[0]: \"a b\" found, expected a name such as \"guest\", \"*-test\" or "
             "\"*@old.example.com\"\n" AT "1: accounts.deny[1]: \"@x\" found, expected a name such as \"guest\", "
             "\"*-test\" or \"*@old.example.com\"\n" AT
             "1: accounts.deny[2]: \"x@y@z\" found, expected a name such as \"guest\", \"*-test\" or "
             "\"*@old.example.com\"\n" AT
             "1: accounts.deny[3]: 5 found, expected a name such as \"guest\", \"*-test\" or \"*@old.example.com\"\n" AT
             "1: accounts.deny[4]: \"a/b\" found, expected a name such as \"guest\", \"*-test\" or "
             "\"*@old.example.com\"\n"                                                                                                                                                         },
        { "accounts = { domains = ( { name = \"CORP\"; is = \"x.org\"; }, { name = \"corp\"; is = \"y.org\"; },\n"
          "{ name = \"old\"; is = \"Corp\"; }, { name = \"-\"; } ); };",                         AT "1: accounts.domains: the name \"corp\" is taken by line 1, expected it once\n" AT
             "2: accounts.domains[3].name: \"-\" found, expected a domain such as \"example.com\" or \"CORP\"\n" AT
             "2: accounts.domains[3].is: missing, expected a domain such as \"example.com\" or \"CORP\"\n" AT
             "2: accounts.domains: \"Corp\" is itself another name of \"x.org\" (line 1), expected that one\n"},
        { "accounts = 5;",                                                                                AT "1: accounts: 5 found, expected a group { ... }\n"                                },
        { "imap = 143;",                                                                                  AT "1: imap: 143 found, expected a group { ... } or \"off\"\n"                       },
        { "imap = \"on\";",                                                                               AT "1: imap: \"on\" found, expected a group { ... } or \"off\"\n"                    },
    };
    expect_bad(cases, COUNT_OF(cases));
}

static void test_bad_site_options(void **state UNUSED)
{
    static const struct bad cases[] = {
        {"sites = ( { name = \"-a\"; backends = ( { host = \"h\"; } ); } );", AT
          "1: sites[0].name: \"-a\" found, expected 1 to 64 letters, digits, \".\", \"-\" and \"_\", a letter or digit "
          "first\n"                                                                                            },
        { "sites = ( { backends = ( { host = \"10.0.0.256\"; } ); } );",      AT
          "1: sites[0].name: missing, expected 1 to 64 letters, digits, \".\", \"-\" and \"_\", a letter or digit "
          "first\n" AT "1: sites[0].backends[0].host: \"10.0.0.256\" found, expected a host name or an IP address\n"},
        { "sites = ( { name = \"a\"; } );",
         AT "1: sites[0].backends: missing, expected a list ( { ... }, { ... } ) of 1 to 64 groups\n"                                                                                       },
        { "sites = ( { name = \"a\"; backends = ( ); } );",
         AT "1: sites[0].backends: a list of 0 found, expected a list "
             "( { ... }, { ... } ) of 1 to 64 groups\n"                                                                                                                                     },
        { ONE_SITE("security = \"ssl\";"),                                    AT "2: sites[0].security: \"ssl\" found, expected \"tls\", \"starttls\", "
                                              "\"loopback\", \"clear\" or \"ipsec\"\n"                                                            },
        { ONE_SITE("imap = \"of\";"),                                         AT "2: sites[0].imap: \"of\" found, expected a group { ... } or \"off\"\n"                                    },
        { ONE_SITE("pop3 = { port = 0; };"),
         AT "2: sites[0].pop3.port: 0 found, expected a whole number from 1 to 65535\n"                                                                                                     },
        { ONE_SITE("user_format = \"me\";"),                                  AT
          "2: sites[0].user_format: \"me\" found, expected a text with %u, %n or %t in it (%u the canonical name, %n "
          "its local part, %d its domain, %t as typed, %% a percent sign)\n"                                                                    },
        { ONE_SITE("pin_sha256 = \"abc\";"),                                  AT "2: sites[0].pin_sha256: \"abc\" found, expected a SHA-256 as 64 "
                                                "hexadecimal digits or 44 letters of base64\n"                                                  },
        { ONE_SITE("bearer = ( \"XOAUTH\" );"),
         AT "2: sites[0].bearer[0]: \"XOAUTH\" found, expected \"XOAUTH2\" or \"OAUTHBEARER\"\n"                                                                                            },
        { ONE_SITE("capabilities = \"IDLE\\r\\n* BYE\";"),                    AT
          "2: sites[0].capabilities: \"IDLE\\x0d\\x0a* BYE\" found, expected capabilities with a space between them, "
          "such as \"IDLE NAMESPACE UIDPLUS\"\n"                                                                                  },
        { ONE_SITE("until = \"2027-02-29\";"),
         AT "2: sites[0].until: \"2027-02-29\" found, expected a day such as \"2027-06-30\"\n"                                                                                              },
        { ONE_SITE("temporary_texts = ( \"ab\" );"),
         AT "2: sites[0].temporary_texts[0]: \"ab\" found, expected a phrase of 3 to 200 bytes on one line\n"                                                                               },
        { ONE_SITE("credentials = \"its own\";"),
         AT "2: sites[0].credentials: \"its own\" found, expected \"client\" or \"master\"\n"                                                                                               },
    };
    expect_bad(cases, COUNT_OF(cases));
}

static void test_unknown(void **state UNUSED)
{
    static const struct bad cases[] = {
        {"limit = { };",                                                          AT "1: limit: unknown option, did you mean limits?\n"                },
        { "limits = { login_timeout = 5; };",
         AT "1: limits.login_timeout: unknown option, did you mean login_timeout_s?\n"                                                                 },
        { "limits = { idle_timeout_s = 5; };",
         AT "1: limits.idle_timeout_s: unknown option, did you mean imap.idle_timeout_s?\n"                                                            },
        { "weight = 5;",                                                          AT "1: weight: unknown option, did you mean sites.backends.weight?\n"},
        { "smtp = { };",                                                          AT "1: smtp: unknown option\n"                                       },
        { SITE "x = 1;\nlimits = { errors = 0;\nx = 2; };\n",
         AT "2: x: unknown option\n" AT "3: limits.errors: 0 found, expected a whole number from 1 to 1000\n" AT
             "4: limits.x: unknown option\n"                                                                                                           },
        { "a_name_that_is_longer_than_every_one_that_there_is_in_the_table = 1;",
         AT "1: a_name_that_is_longer_than_every_one_that_there_is_in_the_table: unknown option\n"                                                     },
    };
    expect_bad(cases, COUNT_OF(cases));
}

/* --- text --- */

static void test_syntax(void **state UNUSED)
{
    static const struct bad cases[] = {
        {"run = {\n  workers = 1\n  user = ;\n};", AT "3: syntax error at or before \"user = ;\"\n"               },
        { "run = { };\nrun = { };\n",              AT "2: duplicate setting name at or before \"run = { };\"\n"   },
        { "dns = { servers = [ \"::1\", 2 ]; };",
         AT "1: mismatched element type in array at or before \"dns = { servers = [ \"::1\", 2 ]; };\"\n"         },
        { "run = {",                               AT "1: syntax error at or before \"run = {\"\n"                },
        { "run = { user = \"x;\n};\n",             AT "2: a string in quotes does not end in this file\n"         },
        { "/* run = { };\n\n",                     AT "2: a comment /* does not end in this file\n"               },
        { "run.workers = 1;",                      AT "1: syntax error at or before \"run.workers = 1;\"\n"       },
        { "@include \"parts\"\n",                  AT "1: parts cannot be read: not a regular file\n"             },
        { "\n@include \"none.cfg\" # really\n",    AT "2: none.cfg cannot be read: No such file or directory\n"   },
        { "@include none.cfg\n",                   AT "1: expected a file in quotes behind @include\n"            },
        { "@include \"none.cfg\n",                 AT "1: expected a file in quotes behind @include\n"            },
        { "@include \"\"\n",                       AT "1: expected a file in quotes behind @include\n"            },
        { "@include \"a.cfg\" run = { };\n",       AT "1: expected nothing on this line behind @include \"...\"\n"},
        { "@include \"homeward.cfg\"\n",           AT "1: too many files include each other\n"                    },
    };
    expect_bad(cases, COUNT_OF(cases));
}

static void test_unreadable(void **state UNUSED)
{
    static const struct {
        const char *file, *error;
    } cases[] = {
        {"none.cfg",   "none.cfg: cannot be read: No such file or directory\n"},
        { "parts",     "parts: cannot be read: not a regular file\n"          },
        { "/dev/zero", "/dev/zero: cannot be read: not a regular file\n"      },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_clear(&said.errors);
        assert_null(config_load(cases[i].file, &said.errors, &said.warnings));
        assert_string_equal(text_of(&said.errors), cases[i].error);
    }
    buf_clear(&said.errors);
    write_file("homeward.cfg", SPAN("run = { };\0limits = { };"));
    assert_null(config_load("homeward.cfg", &said.errors, &said.warnings));
    assert_string_equal(text_of(&said.errors), AT " holds a NUL byte, so it is not a text\n");
}

static void test_include(void **state UNUSED)
{
    char want[128];
    write_file("parts/a.cfg", SPAN("/* @include \"nowhere\"\n*/ @include_not = 1"));
    struct config *c = load("@include \"parts/a.cfg\"\n");
    assert_null(c);
    assert_string_equal(text_of(&said.errors), "parts/a.cfg:2: syntax error at or before \"*/ @include_not = 1\"\n");

    /* relative to the file that names it, both files and files to include; no line end at the end */
    write_file("parts/a.cfg", SPAN("directory = { path = \"directory.map\"; };\r\n  @include \"b.cfg\" // and so on"));
    write_file("parts/b.cfg", SPAN("limits = {\nerrors = 3; }"));
    c = load_good("log = { to = \"../log\"; };\n@include \"parts/a.cfg\"\ntls = { ca_file = \"/ca\"; };\n");
    snprintf(want, sizeof want, "%s/parts/directory.map", folder);
    assert_string_equal(c->directory.path, want);
    snprintf(want, sizeof want, "%s/../log", folder);
    assert_string_equal(c->log.file, want);
    assert_string_equal(c->tls.ca_file, "/ca");
    assert_int_equal(c->limits.errors, 3);
    config_free(&c);
    assert_null(c);

    write_file("parts/b.cfg", SPAN("limits = {\nerrors = 0; }"));
    assert_null(load("@include \"parts/a.cfg\"\nx = 1;\n"));
    assert_string_equal(text_of(&said.errors),
                        "parts/b.cfg:2: limits.errors: 0 found, expected a whole number from 1 to 1000\n" AT
                        "2: x: unknown option\n");
    write_file("parts/b.cfg", SPAN("limits = { /*\n }"));
    assert_null(load("@include \"parts/a.cfg\"\n*/ x = 1;\n"));
    assert_string_equal(text_of(&said.errors), "parts/b.cfg:2: a comment /* does not end in this file\n");
}

/* --- rules across options --- */

static void test_bad_listeners(void **state UNUSED)
{
    static const struct bad cases[] = {
        {SERVED "imap = { };",
         AT "4: imap.listen: missing, expected a list ( { ... }, { ... } ) of 1 to 64 groups\n"                                                                                                                             },
        { SERVED "imap = { listen = ( { address = \"localhost\"; } ); };",
         AT "4: imap.listen[0].address: \"localhost\" found, expected an IP address or \"*\"\n"                                                                                                                             },
        { SITE MAP "imap = { listen = ( { } ); };",
         AT "3: imap listener *:993: uses TLS, expected tls.certificates\n"                                                                                                                                                 },
        { SITE CERTIFICATE "imap = { listen = ( { } ); };",
         "homeward.cfg: directory.path: missing, expected the path of the directory map\n"                                                                                                                                  },
        { MAP CERTIFICATE "imap = { listen = ( { } ); };",
         AT "3: imap: no site serves it, expected at least one in sites\n"                                                                                                                                                  },
        { MAP CERTIFICATE ONE_SITE("pop3 = \"off\";") "pop3 = { listen = ( { } ); };",
         AT "5: pop3: no site serves it, expected at least one in sites\n"                                                                                                                                                  },
        { SERVED "imap = { listen = ( { tls = \"none\"; } ); };",
         AT "4: imap listener *:143: tls = \"none\" without clear_login = true, so that nobody could sign in\n"                                                                                                             },
        { SERVED
          "imap = { listen = ( { },\n{ address = \"10.0.0.1\"; } ); };\npop3 = { listen = ( {\nport = 993; } ); };", AT "5: imap listener 10.0.0.1:993: the port is taken by the imap listener *:993 of line 4\n" AT
             "7: pop3 listener *:993: the port is taken by the imap listener *:993 of line 4\n"},
        { SERVED "imap = { listen = ( { address = \"::1\"; }, { address = \"::\"; } ); };",
         AT "4: imap listener [::]:993: the port is taken by the imap listener [::1]:993 of line 4\n"                                                                                                                       },
        { SERVED "imap = { listen = ( { tls_min_version = \"1.0\"; } ); };",
         AT "4: imap listener *:993 takes TLS older than 1.2: this needs reason = \"...\" and until = \"YYYY-MM-DD\", "
             "both are missing\n"                                                                                                                                                                                           },
        { SERVED "imap = { listen = ( { } ); tls_ciphers = \"ALL\"; reason = \"old Windows\"; };",
         AT "4: imap listener *:993 takes ciphers of its own: this needs reason = \"...\" and until = \"YYYY-MM-DD\", "
             "until is missing\n"                                                                                                                                                                                           },
        { SERVED "imap = { listen = ( { tls_ciphers = \"ALL\"; reason = \"x\"; until = \"2020-01-01\"; } ); };",
         AT "4: WEAK-OVERDUE: imap listener *:993 takes ciphers of its own: until = \"2020-01-01\" has passed, "
             "expected a "
             "secure setting or a new day\n"                                                                                                                                                                                },
        { SERVED "imap = { listen = ( { tls_ciphers = \"A B\"; } ); };",
         AT "4: imap.listen[0].tls_ciphers: \"A B\" found, expected a list of ciphers as OpenSSL writes it, such as "
             "\"ECDHE+AESGCM:AES128-SHA\"\n"                                                                                                                                                                                },
        { "limits = { login_timeout_s = 10; };",
         AT "1: limits.site_login_timeout_s: 30 found, expected no more than login_timeout_s, which is 10\n"                                                                                                                },
        { "limits = { site_login_timeout_s = 2; };",
         AT "1: limits.connect_timeout_ms: 3000 found, expected no more than site_login_timeout_s, which is 2 s\n"                                                                                                          },
    };
    expect_bad(cases, COUNT_OF(cases));
}

static void test_bad_sites(void **state UNUSED)
{
    static const struct bad cases[] = {
        {"sites = ( { name = \"a\"; backends = ( { host = \"h\"; } ); },\n{ name = \"A\"; backends = ( { host = "
          "\"h\"; } ); "
          "} );",                                                                                         AT "2: site \"A\": the name is taken by the site of line 1\n"},
        { ONE_SITE("imap = \"off\"; pop3 = \"off\";"),
         AT "1: site \"a\": imap and pop3 are both \"off\", expected one of them\n"                                                                                             },
        { ONE_SITE("security = \"loopback\";"),                                                                    AT
          "1: site \"a\": security = \"loopback\" with host = \"10.0.0.1\", expected an address in 127.0.0.0/8, ::1 or "
          "localhost\n"                                                                                                          },
        { ONE_SITE("security = \"clear\";"),
         AT "2: site \"a\": security = \"clear\", expected networks = ( \"...\" ) with it\n" AT
             "2: site \"a\" is reached in clear text: this needs reason = \"...\" and until = \"YYYY-MM-DD\", both are "
             "missing\n"                                                                                                                                                        },
        { ONE_SITE("security = \"clear\"; networks = ( \"0.0.0.0/0\" ); until = \"2099-01-01\";"),                 AT
          "2: site \"a\": security = \"clear\" with a network of all addresses, expected only its own\n" AT
          "2: site \"a\" is reached in clear text: this needs reason = \"...\" and until = \"YYYY-MM-DD\", reason is "
          "missing\n"                                                         },
        { ONE_SITE("security = \"clear\"; networks = ( \"10.0.0.1\" ); until = \"2099-01-01\";\nreason = \"\";"),
         AT "3: site \"a\" is reached in clear text: the reason is empty, expected why\n"                                                                                       },
        { ONE_SITE("security = \"clear\"; networks = ( \"10.0.0.1\" ); reason = \"x\";\nuntil = \"2020-06-30\";"), AT
          "3: WEAK-OVERDUE: site \"a\" is reached in clear text: until = \"2020-06-30\" has passed, expected a secure "
          "setting or a new day\n"                            },
        { ONE_SITE("networks = ( \"10.0.1.0/24\" );"),
         AT "1: site \"a\": host = \"10.0.0.1\" is outside the site's networks\n"                                                                                               },
        { ONE_SITE("tls_min_version = \"1.0\";"),                                                                  AT "2: site \"a\" is reached by TLS older than 1.2: this needs "
                                                     "reason = \"...\" and until = \"YYYY-MM-DD\", both "
                                                     "are missing\n"                                                           },
        { ONE_SITE("tls_ciphers = \"ALL:@SECLEVEL=0\"; until = \"yes\";"),                                         AT
          "2: sites[0].until: \"yes\" found, expected a day such as \"2027-06-30\"\n" AT
          "2: site \"a\" is reached with ciphers of its own: this needs reason = \"...\" and until = \"YYYY-MM-DD\", "
          "reason is missing\n"                                                                       },
        { ONE_SITE("verify = \"none\";\npin_sha256 = \"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\";"),
         AT "2: site \"a\": verify = \"none\" and pin_sha256 contradict each other, expected one of them\n"                                                                     },
        { ONE_SITE("enforce_until = true;"),                                                                       AT "2: site \"a\": enforce_until without until\n"            },
        { "sites = ( { name = \"a\"; backends = ( { host = \"h\"; standby = true; } ); } );",
         AT "1: site \"a\": all its back ends are standby, expected one that is not\n"                                                                                          },
        { "sites = ( { name = \"a\"; backends = ( { host = \"h\"; }, { host = \"h\"; imap_port = 1143; },\n{ host = "
          "\"H\"; "
          "imap_port = 993; } ); } );",                                                                   AT "2: site \"a\": the back end \"H\" is there twice\n"      },
    };
    expect_bad(cases, COUNT_OF(cases));
}

static void test_loops(void **state UNUSED)
{
    static const struct bad cases[] = {
        {MAP CERTIFICATE "imap = { listen = ( { } ); };\n"
                          "sites = ( { name = \"a\"; backends = ( { host = \"127.0.0.1\"; } ); } );", AT "4: site \"a\": its back end 127.0.0.1:993 is a listener of this front end itself\n"},
        { MAP CERTIFICATE "pop3 = { listen = ( { address = \"10.0.0.1\"; } ); };\n" ONE_SITE(""),
         AT "4: site \"a\": its back end 10.0.0.1:995 is a listener of this front end itself\n"                                                                                                       },
    };
    expect_bad(cases, COUNT_OF(cases));
}

/* --- good ones --- */

static void test_warnings(void **state UNUSED)
{
    static const struct {
        const char *text, *warnings;
    } cases[] = {
        {"",                                                                                                                    ""                                                                                            },
        { SERVED "imap = { listen = ( { } ); };",                                                                               ""                                                                                            },
        { ONE_SITE("security = \"clear\"; networks = ( \"10.0.0.0/24\" ); reason = \"1999\"; until = \"2099-12-31\";"),
         AT "2: WEAK: site \"a\" is reached in clear text until 2099-12-31: 1999\n"                                                                                                                                           },
        { ONE_SITE("tls_min_version = \"1.1\"; reason = \"1999\"; until = \"2099-12-31\";"),
         AT "2: WEAK: site \"a\" is reached by TLS older than 1.2 until 2099-12-31: 1999\n"                                                                                                                                   },
        { ONE_SITE("verify = \"none\";"),
         AT "2: WEAK: site \"a\" is reached by TLS with whoever answers: verify = \"none\"\n"                                                                                                                                 },
        { "sites = ( { name = \"a\"; backends = ( { host = \"::1\"; drain = true; } ); security = "
          "\"loopback\";\nca_file = "
          "\"x\"; } );",                                                                                               AT "1: site \"a\": all its back ends are drained, nobody new can sign in there\n" AT
             "2: site \"a\": ca_file has no effect, security = \"loopback\" knows no TLS\n"                                                                                                  },
        { SERVED "imap = { idle_timeout_s = 5; listen = ( { tls = \"none\";\nclear_login = true; } ); };",
         AT "4: imap.idle_timeout_s: 5 is shorter than the 1800 of RFC 9051, clients will lose their sessions\n" AT
             "5: WEAK: imap listener *:143 takes passwords in clear text\n"                                                                                                                                                   },
        { SERVED "imap = { listen = ( { address = \"127.0.0.1\"; tls = \"none\"; clear_login = true; } ); };",                  ""                                                                                            },
        { SERVED
          "pop3 = { listen = ( { } ); proxy_protocol_from = ( \"::/0\" ); trusted_proxies = ( \"0.0.0.0/0\" ); };",    AT "4: WEAK: pop3 listener *:995 believes the PROXY header of everybody, so any address can be claimed\n" AT
             "4: WEAK: pop3 listener *:995 believes everybody's word about the client's address\n"},
        { "settings = { };",                                                                                                    ""                                                                                            },
        { SERVED "imap = { listen = ( { address = \"127.0.0.1\"; tls = \"none\"; clear_login = true; } ); };\n"
                 "settings = { servers = ( { host = \"a.test\"; }, { protocol = \"pop3\"; host = \"a.test\"; } ); };", AT "5: settings.servers: users are told of imap with implicit TLS, which no listener has\n"   },
        { "imap = \"off\"; pop3 = \"off\";",                                                                                    ""                                                                                            },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config *c = load_good(cases[i].text);
        assert_string_equal(text_of(&said.warnings), cases[i].warnings);
        config_free(&c);
    }
}

static void test_defaults(void **state UNUSED)
{
    struct config *c = load_good("");
    assert_int_equal(c->run.workers, sysconf(_SC_NPROCESSORS_ONLN));
    assert_string_equal(c->run.user, "homeward");
    assert_string_equal(c->run.runtime_dir, "/run/homeward");
    assert_int_equal(c->run.drain_timeout_s, 60);
    assert_int_equal(c->run.drain_spread_s, 30);
    assert_int_equal(c->run.generations_max, 3);
    assert_int_equal(c->log.to, LOG_TO_STDERR);
    assert_int_equal(c->log.level, LOG_INFO);
    assert_int_equal(c->tls.min_version, TLS_VERSION_1_2);
    assert_true(c->tls.early_greeting);
    assert_string_equal(c->tls.ca_file, "/etc/ssl/certs/ca-certificates.crt");
    assert_int_equal(c->tls.ticket_key_s, 43200);
    assert_false(c->protocols[IMAP].on || c->protocols[POP3].on);
    assert_int_equal(c->protocols[IMAP].idle_timeout_s, 1860);
    assert_int_equal(c->protocols[POP3].idle_timeout_s, 660);
    assert_string_equal(c->directory.path, "");
    assert_int_equal(c->directory.max_loss_percent, 10);
    assert_int_equal(c->auth.n_verifiers, 1);
    assert_int_equal(c->auth.failure_step_ms, 3000);
    assert_string_equal(c->accounts.default_domain, "");
    assert_int_equal(c->accounts.n_domains, 0);
    assert_int_equal(c->accounts.deny.n, 3);
    assert_string_equal(c->accounts.deny.at[0], "anonymous");
    assert_string_equal(c->accounts.deny.at[2], "administrator");
    assert_int_equal(c->limits.sessions_per_user[IMAP], 50);
    assert_int_equal(c->limits.sessions_per_user[POP3], 8);
    assert_int_equal(c->limits.sessions_per_address, 500);
    assert_int_equal(c->limits.connections_per_address, 100);
    assert_int_equal(c->limits.login_timeout_s, 60);
    assert_int_equal(c->limits.sasl_bytes, 65536);
    assert_int_equal(c->limits.errors, 10);
    assert_int_equal(c->limits.failed_logins, 10);
    assert_int_equal(c->limits.connect_timeout_ms, 3000);
    assert_int_equal(c->limits.greeting_timeout_ms, 5000);
    assert_int_equal(c->limits.site_login_timeout_s, 30);
    assert_int_equal(c->limits.site_silent_timeout_s, 900);
    assert_int_equal(c->limits.held_bytes, 262144);
    config_free(&c);
}

static void test_site(void **state UNUSED)
{
    struct config *c = load_good("sites = ( { name = \"a\"; backends = ( { host = \"a.example\"; weight = 7L; },\n"
                                 "{ host = \"2001:db8::1\"; standby = true; pop3_port = 1110; } );\n"
                                 "security = \"starttls\"; bearer = [ \"XOAUTH2\", \"OAUTHBEARER\" ];\n"
                                 "temporary_texts = ( \"Server Unavailable. 15\", \"caf\\xe9\" );\n"
                                 "user_format = \"CORP\\\\%n\"; pop3 = \"off\"; networks = [ \"2001:db8::/32\" ]; },\n"
                                 "{ name = \"b\"; backends = ( { host = \"b\"; } ); imap = { port = 1993; };\n"
                                 "until = \"2027-06-30\"; } );");
    const struct site_config *a = &c->sites[0], *b = &c->sites[1];
    assert_int_equal(c->n_sites, 2);
    assert_int_equal(config_site(c, SPAN("b")), 1);
    assert_int_equal(config_site(c, SPAN("c")), -1);
    assert_int_equal(a->backends[0].weight, 7);
    assert_int_equal(a->backends[0].literal.family, AF_UNSPEC);
    assert_int_equal(a->backends[1].literal.family, AF_INET6);
    assert_true(a->backends[1].standby && !a->backends[0].standby);
    assert_int_equal(a->backends[1].pop3_port, 1110);
    assert_int_equal(a->backends[1].imap_port, 0);
    assert_int_equal(a->port[IMAP], 143);
    assert_int_equal(a->port[POP3], 0);
    assert_true(a->serves[IMAP] && !a->serves[POP3] && a->verify);
    assert_int_equal(a->bearer.n, 2);
    assert_string_equal(a->bearer.at[1], "OAUTHBEARER");
    assert_string_equal(a->temporary_texts.at[1], "caf\xe9");
    assert_string_equal(a->user_format, "CORP\\%n");
    assert_true(networks_have(&a->networks, &a->backends[1].literal));
    assert_string_equal(a->pop3_capabilities, "UIDL TOP PIPELINING");
    assert_string_equal(a->file, "homeward.cfg");
    assert_int_equal(b->line, 6);
    assert_int_equal(b->port[IMAP], 1993);
    assert_int_equal(b->port[POP3], 995);
    assert_int_equal(b->exception.until_s, 1814400000); /* 2027-07-01T00:00:00Z */
    config_free(&c);
}

static void test_listeners(void **state UNUSED)
{
    struct config *c = load_good(
        SITE MAP
        "tls = { min_version = \"1.3\"; certificates = ( { chain = \"c\"; key = \"k\"; } ); };\n"
        "imap = { listen = ( { tls = \"starttls\"; }, { address = \"10.0.0.1\";\nport = 1993; clear_login = false;"
        "networks = ( \"10.0.0.0/8\", \"::1\" ); tls_min_version = \"1.2\"; } );\n"
        "clear_login = true; networks = ( \"192.0.2.0/24\" ); };\n"
        "pop3 = { listen = ( { } ); };");
    const struct protocol_config *imap = &c->protocols[IMAP], *pop3 = &c->protocols[POP3];
    const struct listener_config *l = imap->listeners;
    assert_int_equal(imap->n_listeners, 3);
    assert_true(l[0].any && l[1].any && !l[2].any);
    assert_int_equal(l[0].address.family, AF_INET);
    assert_int_equal(l[1].address.family, AF_INET6);
    assert_int_equal(l[1].address.port, 143);
    assert_int_equal(l[2].address.port, 1993);
    assert_int_equal(l[1].tls, TLS_MODE_STARTTLS);
    assert_true(l[0].clear_login && l[1].clear_login && !l[2].clear_login);
    assert_int_equal(l[0].networks.n, 1);
    assert_int_equal(l[2].networks.n, 2);
    assert_int_equal(l[2].networks.at[1].bits, 128);
    assert_int_equal(l[0].tls_min_version, TLS_VERSION_1_3);
    assert_int_equal(l[2].tls_min_version, TLS_VERSION_1_2);
    assert_int_equal(l[2].line, 4);
    assert_int_equal(pop3->listeners[0].protocol, POP3);
    assert_int_equal(pop3->listeners[0].address.port, 995);
    assert_int_equal(pop3->n_listeners, 2);
    config_free(&c);
}

static void test_date(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t end_s;
    } cases[] = {
        {"1970-01-01",   86400     },
        { "2024-02-29",  1709251200},
        { "2027-02-29",  0         },
        { "2027-13-01",  0         },
        { "2027-00-01",  0         },
        { "2027-01-00",  0         },
        { "2027-1-1",    0         },
        { "2027/01/01",  0         },
        { "1969-12-31",  0         },
        { "2027-01-01 ", 0         },
        { "",            0         },
        { "+027-01-01",  0         },
        { "2027-12-31",  1830297600}
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t end_s = 0;
        assert_int_equal(date_end(span_of(cases[i].text), &end_s), cases[i].end_s != 0);
        assert_int_equal(end_s, cases[i].end_s);
    }
}

/* The sample is good as it is, and when its protocols are taken out of their comments. */
static void test_sample(void **state UNUSED)
{
    struct config *c = load_good(sample);
    assert_int_equal(said.warnings.n, 0);
    assert_false(c->protocols[IMAP].on || c->protocols[POP3].on);
    config_free(&c);
    for (char *line = sample; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n')
            line[0] = ' ';
        if (strncmp(line, "#    ", 5) == 0)
            line[0] = ' ';
    }
    c = load_good(sample);
    assert_int_equal(said.warnings.n, 0);
    assert_int_equal(c->protocols[IMAP].n_listeners, 4);
    assert_int_equal(c->protocols[POP3].n_listeners, 4);
    config_free(&c);
}

/* --- the dump --- */

static const char rich[] =
    "run = { workers = 3; }; log = { to = \"log\"; format = \"json\"; };\n"
    "tls = { certificates = ( { chain = \"a \\\"b\\\\\"; key = \"\\x01\\xff\\n@include \\\"/tmp\\\"\"; } ); };\n"
    "imap = { capability = \"+QUOTA -IDLE\"; listen = ( { }, { address = \"::1\"; port = 1143; tls = \"starttls\"; } "
    ");\n"
    "networks = ( \"10.0.0.0/8\", \"2001:db8::/32\" ); tls_min_version = \"1.0\"; reason = \"r\\xc3\\xa9\"; until = "
    "\"2099-01-01\"; };\n"
    "sites = ( { name = \"b\"; backends = ( { host = \"h\"; weight = 9; }, { host = \"10.0.0.1\"; drain = true; } );\n"
    "temporary_texts = ( \"\\x80 \\\"\", \"\\\\\\\\\" \"two\" ); bearer = ( \"XOAUTH2\" ); },\n"
    "{ name = \"a\"; backends = ( { host = \"localhost\"; } ); security = \"loopback\"; pop3 = \"off\"; } );\n" MAP
    "accounts = { default_domain = \"x.org\"; domains = ( { name = \"X\"; is = \"x.org\"; } ); deny = ( ); };\n"
    "limits = { exempt = ( \"127.0.0.1\" ); }; dns = { servers = ( \"[::1]:5353\" ); };\n";

static void expect_same(const struct config *c, unsigned roles)
{
    char *once = dump(c, roles);
    struct config *again = config_parse(span_of(once));
    assert_non_null(again);
    char *twice = dump(again, roles);
    assert_string_equal(once, twice);
    config_free(&again);
    free(twice);
    free(once);
}

static void test_dump(void **state UNUSED)
{
    struct config *c = load_good(rich);
    static const unsigned masks[] = { ~0u, FOR_MAIN, FOR_FRONT, FOR_AUTH, FOR_BACKENDS, FOR_FRONT | FOR_AUTH };
    for (size_t i = 0; i < COUNT_OF(masks); i++)
        expect_same(c, masks[i]);
    char *text = dump(c, ~0u);
    struct config *again = config_parse(span_of(text));
    assert_non_null(again);
    assert_string_equal(again->tls.certificates[0].key, c->tls.certificates[0].key);
    assert_string_equal(again->sites[0].temporary_texts.at[0], "\x80 \"");
    assert_string_equal(again->sites[0].temporary_texts.at[1], "\\\\two");
    assert_int_equal(again->protocols[IMAP].n_listeners, 3);
    assert_true(again->protocols[IMAP].listeners[1].any);
    assert_int_equal(again->protocols[IMAP].listeners[2].exception.until_s,
                     c->protocols[IMAP].listeners[2].exception.until_s);
    assert_int_equal(again->sites[0].backends[1].literal.family, AF_INET);
    assert_string_equal(again->sites[0].file, "");
    assert_string_equal(again->accounts.domains[0].is, "x.org");
    assert_int_equal(again->accounts.deny.n, 0); /* and not the default */
    config_free(&again);
    config_free(&c);

    c = load_good(text); /* and what -T prints is a configuration that an admin could use */
    char *same = dump(c, ~0u);
    assert_string_equal(same, text);
    free(same);
    free(text);
    config_free(&c);
}

static void test_dump_bytes(void **state UNUSED)
{
    char all[256];
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    all[255] = '\0';
    struct config *c = load_good(rich);
    c->tls.ca_file = all;
    expect_same(c, ~0u);
    char *text = dump(c, ~0u);
    struct config *again = config_parse(span_of(text));
    assert_string_equal(again->tls.ca_file, all);
    config_free(&again);
    config_free(&c);
    free(text);
}

static void test_parse_refuses(void **state UNUSED)
{
    static const char *const cases[] = { "run = {", "x = 1;", "run = { workers = \"a\"; };",
                                         "sites = ( { name = \"\"; } );" };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_null(config_parse(span_of(cases[i])));
    assert_null(config_parse(SPAN("run = { };\0")));
}

/* --- who must be born again --- */

#define ROLES_SITE(more, inner)                                                                                        \
    "sites = ( { name = \"a\"; backends = ( { host = \"10.0.0.1\"; " inner "} ); " more "} );\n"

static void test_roles(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned roles; /* that see a change from `before` */
    } cases[] = {
        {ROLES_SITE("",                                                   ""),                                                0                                             },
        { ROLES_SITE("",                                                  "weight = 2; "),                                    FOR_BACKENDS                                  },
        { ROLES_SITE("",                                                  "standby = false; drain = true; "),                 FOR_BACKENDS                                  },
        { ROLES_SITE("",                                                  "imap_port = 2; "),                                 FOR_BACKENDS                                  },
        { ROLES_SITE("imap = { port = 2; }; ",                            ""),                                                FOR_BACKENDS                                  },
        { ROLES_SITE("networks = ( \"10.0.0.0/8\" ); ",                   ""),                                                FOR_BACKENDS                                  },
        { ROLES_SITE("affinity = \"none\"; ",                             ""),                                                FOR_BACKENDS                                  },
        { ROLES_SITE("reason = \"x\"; ",                                  ""),                                                FOR_MAIN                                      },
        { ROLES_SITE("user_format = \"%n\"; ",                            ""),                                                FOR_AUTH                                      },
        { ROLES_SITE("verify_name = \"x\"; ",                             ""),                                                FOR_FRONT | FOR_BACKENDS                      },
        { ROLES_SITE("check_user = \"x\"; check_password_file = \"y\"; ", ""),                                                FOR_BACKENDS                                  },
        { ROLES_SITE("capabilities = \"IDLE\"; ",                         ""),                                                FOR_FRONT                                     },
        { ROLES_SITE("security = \"starttls\"; ",                         ""),                                                FOR_FRONT | FOR_BACKENDS                      },
        { ROLES_SITE("pop3 = \"off\"; ",                                  ""),                                                FOR_FRONT | FOR_AUTH | FOR_BACKENDS           },
        { ROLES_SITE("",                                                  "") "dns = { servers = ( \"::1\" ); };",            FOR_BACKENDS                                  },
        { ROLES_SITE("",                                                  "") "limits = { connect_timeout_ms = 100; };",      FOR_BACKENDS                                  },
        { ROLES_SITE("",                                                  "") "limits = { site_login_timeout_s = 20; };",     FOR_FRONT | FOR_BACKENDS                      },
        { ROLES_SITE("",                                                  "") "limits = { sessions_per_address = 5; };",      FOR_AUTH                                      },
        { ROLES_SITE("",                                                  "") "limits = { imap_sessions_per_user = 5; };",    FOR_AUTH                                      },
        { ROLES_SITE("",                                                  "") "limits = { sessions = 5; };",                  FOR_FRONT                                     },
        { ROLES_SITE("",                                                  "") "limits = { exempt = ( \"::1\" ); };",          FOR_FRONT | FOR_AUTH                          },
        { ROLES_SITE("",                                                  "") "directory = { path = \"x\"; };",               FOR_AUTH                                      },
        { ROLES_SITE("",                                                  "") "auth = { failure_step_ms = 5; };",             FOR_FRONT                                     },
        { ROLES_SITE("",                                                  "") "log = { level = \"debug\"; };",                FOR_MAIN | FOR_FRONT | FOR_AUTH | FOR_BACKENDS},
        { ROLES_SITE("",                                                  "") "log = { to = \"syslog\"; };",                  FOR_MAIN                                      },
        { ROLES_SITE("",                                                  "") "run = { workers = 77; drain_spread_s = 1; };", FOR_MAIN                                      },
        { ROLES_SITE("",                                                  "") "tls = { early_greeting = false; };",           FOR_FRONT                                     },
        { ROLES_SITE("",                                                  "") CERTIFICATE,                                    FOR_FRONT                                     },
    };
    static const unsigned roles[] = { FOR_MAIN, FOR_FRONT, FOR_AUTH, FOR_BACKENDS };
    struct config *before = load_good(ROLES_SITE("", ""));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config *after = load_good(cases[i].text);
        unsigned changed = 0;
        for (size_t r = 0; r < COUNT_OF(roles); r++) {
            char *x = dump(before, roles[r]), *y = dump(after, roles[r]);
            changed |= strcmp(x, y) != 0 ? roles[r] : 0;
            free(x);
            free(y);
        }
        if (changed != cases[i].roles)
            fail_msg("%s concerns %x, not %x", cases[i].text, changed, cases[i].roles);
        config_free(&after);
    }
    config_free(&before);
}

static void test_order_of_sites(void **state UNUSED)
{
    struct config *x = load_good("sites = ( { name = \"a\"; backends = ( { host = \"h\"; } ); },\n"
                                 "{ name = \"b\"; backends = ( { host = \"i\"; } ); } );");
    struct config *y = load_good("\nsites = ( { name = \"b\"; backends = ( { host = \"i\"; } ); },\n"
                                 "{ name = \"a\"; backends = ( { host = \"h\"; } ); } );");
    char *a = dump(x, FOR_BACKENDS), *b = dump(y, FOR_BACKENDS), *c = dump(x, ~0u), *d = dump(y, ~0u);
    assert_string_equal(a, b);
    assert_string_not_equal(c, d);
    free(a);
    free(b);
    free(c);
    free(d);
    config_free(&x);
    config_free(&y);
}

/* --- the table itself --- */

/* Names are unlike, helps are there, defaults obey their own rows (config_load of nothing has loaded them). */
static void check_section(const struct section *section)
{
    for (size_t i = 0; i < section->n; i++) {
        const struct option *o = &section->rows[i];
        assert_ptr_equal(section_find(section, o->name), o);
        assert_true(o->help != NULL || o->section->help != NULL);
        assert_true(option_roles(o) != 0);
        if (o->kind == KIND_INT && o->normal != NULL)
            assert_in_range(atoll(o->normal), o->least, o->most);
        if (o->kind == KIND_CHOICE && o->normal != NULL)
            assert_non_null(option_choice(o, span_of(o->normal)));
        if (o->kind == KIND_STRING && o->normal != NULL)
            assert_true(o->rule->holds(span_of(o->normal)));
        if (o->section != NULL)
            check_section(o->section);
    }
}

static void test_table(void **state UNUSED)
{
    check_section(&config_section);
}

static void test_manual(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    assert_true(config_manual(&b));
    assert_non_null(strstr(text_of(&b), ".SS run\nThe processes.\n.TP\n.B run.workers\n(a whole number from 0 to 256; "
                                        "default: 0)\n.br\nHow many"));
    assert_non_null(strstr(b.at, ".B sites.backends.weight\n"));
    assert_non_null(strstr(b.at, ".B accounts.deny\n"));

    buf_fini(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options),   cmocka_unit_test(test_bad_site_options),
        cmocka_unit_test(test_unknown),       cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_unreadable),    cmocka_unit_test(test_include),
        cmocka_unit_test(test_bad_listeners), cmocka_unit_test(test_bad_sites),
        cmocka_unit_test(test_loops),         cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_site),
        cmocka_unit_test(test_listeners),     cmocka_unit_test(test_date),
        cmocka_unit_test(test_sample),        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_bytes),    cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_roles),         cmocka_unit_test(test_order_of_sites),
        cmocka_unit_test(test_table),         cmocka_unit_test(test_manual),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
