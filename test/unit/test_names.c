/* Canonical names and the names that stores get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/names/domains.h"
#include "auth/names/names.h"
#include "auth/names/precis.h"

static struct domain_config domains[] = {
    {.name = "CORP",               .is = "example.com"  },
    { .name = "old.example",       .is = "Example.com"  },
    { .name = "b\xc3\xbc"
              "cher.example", .is = "books.example"},
};
static const struct config config = {
    .accounts = {.default_domain = "Example.COM", .domains = domains, .n_domains = COUNT_OF(domains)}
};
static const struct config bare_config;

static const struct {
    struct span typed;
    const char *login, *mailbox; /* login NULL: refused; mailbox NULL: no delegate form */
} forms[] = {
    {{ "anna@example.com", 16 },       "anna@example.com", NULL              },
    { { "Anna@Example.COM", 16 },      "anna@example.com", NULL              },
    { { "anna@example.com.", 17 },     "anna@example.com", NULL              },
    { { "anna", 4 },                   "anna@example.com", NULL              },
    { { "CORP\\Anna", 9 },             "anna@example.com", NULL              },
    { { "corp/ANNA", 9 },              "anna@example.com", NULL              },
    { { "example.com\\anna", 16 },     "anna@example.com", NULL              },
    { { "anna@corp", 9 },              "anna@example.com", NULL              },
    { { "anna@OLD.example", 16 },      "anna@example.com", NULL              },
    { { "other\\anna", 10 },           "anna@other",       NULL              },
    { { "CORP/bert/anna", 14 },        "bert@example.com", "anna@example.com"},
    { { "other/bert/anna", 15 },       "bert@other",       "anna@other"      },
    { { "CORP\\bert/anna", 14 },       "bert@example.com", "anna@example.com"},
    { { "bert@corp/anna@x.org", 20 },  "bert@example.com", "anna@x.org"      },
    { { "bert/anna@x.org", 15 },       "bert@example.com", "anna@x.org"      },
    { { "bert@x.org/anna", 15 },       "bert@x.org",       "anna@x.org"      },
    { { "CORP/bert/other\\anna", 20 }, "bert@example.com", "anna@other"      },
    { { "anna@x/anna@x", 13 },         "anna@x",           "anna@x"          },
    { { "anna+box@x.org", 14 },        "anna+box@x.org",   NULL              },
    { { "", 0 },                       NULL,               NULL              },
    { { "@", 1 },                      NULL,               NULL              },
    { { "@x", 2 },                     NULL,               NULL              },
    { { "anna@", 5 },                  NULL,               NULL              },
    { { "anna@.", 6 },                 NULL,               NULL              },
    { { "anna@x..", 8 },               NULL,               NULL              },
    { { "a@b@c", 5 },                  NULL,               NULL              },
    { { "anna.", 5 },                  NULL,               NULL              },
    { { ".anna@x", 7 },                NULL,               NULL              },
    { { "CORP\\anna.", 10 },           NULL,               NULL              },
    { { "CORP\\anna@x", 11 },          NULL,               NULL              },
    { { "CORP\\a\\b", 8 },             NULL,               NULL              },
    { { "\\anna", 5 },                 NULL,               NULL              },
    { { "CORP\\", 5 },                 NULL,               NULL              },
    { { "/anna", 5 },                  NULL,               NULL              },
    { { "anna/", 5 },                  NULL,               NULL              },
    { { "//", 2 },                     NULL,               NULL              },
    { { "a/b/c/d", 7 },                NULL,               NULL              },
    { { "CORP//anna", 10 },            NULL,               NULL              },
    { { "bert@x/CORP/anna", 16 },      NULL,               NULL              },
    { { "anna*master", 11 },           NULL,               NULL              },
    { { "anna%x.org", 10 },            NULL,               NULL              },
    { { "\"anna\"@x", 8 },             NULL,               NULL              },
    { { " anna@x", 7 },                NULL,               NULL              },
    { { "an na@x", 7 },                NULL,               NULL              },
    { { "anna@x y", 8 },               NULL,               NULL              },
    { { "anna@-x", 7 },                NULL,               NULL              },
    { { "anna@[10.0.0.1]", 15 },       NULL,               NULL              },
    { { "an\0na@x", 7 },               NULL,               NULL              },
    { { "anna\0", 5 },                 NULL,               NULL              },
    { { "anna@x\n", 7 },               NULL,               NULL              },
    { { "anna@x\r", 7 },               NULL,               NULL              },
    { { "a\tb@x", 5 },                 NULL,               NULL              },
    { { "a\x7f@x", 4 },                NULL,               NULL              },
    { { "a\xc2\x85@x", 5 },            NULL,               NULL              }, /* U+0085 */
    { { "a\xc2\xa0@x", 5 },            NULL,               NULL              }, /* U+00A0 */
    { { "a\xff@x", 4 },                NULL,               NULL              },
    { { "a@\xc3", 3 },                 NULL,               NULL              },
    { { "a\xc2@x", 4 },                NULL,               NULL              },
    { { "a@\xed\xa0\x80", 5 },         NULL,               NULL              }, /* a surrogate */
};

#if defined HOMEWARD_HAS_UNISTRING && defined HOMEWARD_HAS_IDN2
#define U(text)                                                                                                        \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }
static const struct {
    struct span typed;
    const char *want; /* NULL: refused */
} international[] = {
    {U("J\xc3\x96RG@X.org"),                               "j\xc3\xb6rg@x.org"                             },
    { U("jo\xcc\x88rg@x.org"),                             "j\xc3\xb6rg@x.org"                             }, /* o and a diaeresis */
    { U("\xef\xbc\xa1nna@x.org"),                          "anna@x.org"                                    }, /* fullwidth A */
    { U("anna\xef\xbc\xa0x.org"),                          "anna@x.org"                                    }, /* fullwidth @ */
    { U("\xef\xbc\xa3ORP\xef\xbc\xbc"
        "anna"),
     "anna@example.com"                                                                                    }, /* fullwidth C, backslash */
    { U("corp\xef\xbc\x8f"
        "anna"),
     "anna@example.com"                                                                                    }, /* fullwidth slash */
    { U("anna@\xef\xbd\x98.org"),                          "anna@x.org"                                    },
    { U("anna@x\xe3\x80\x82org"),                          "anna@x.org"                                    }, /* ideographic full stop */
    { U("anna\xef\xbc\x8a"
        "master"),
     NULL                                                                                                  }, /* fullwidth star */
    { U("\xef\xb9\xabnna@x.org"),                          NULL                                            }, /* small @ */
    { U("a\xe2\x80\xaenna@x.org"),                         NULL                                            }, /* right-to-left override */
    { U("a\xc2\xadnna@x.org"),                             NULL                                            }, /* soft hyphen */
    { U("anna\xe2\x80\x8b@x.org"),                         NULL                                            }, /* zero width space */
    { U("\xe2\x84\xaa"
        "elvin@x.org"),
     "kelvin@x.org"                                                                                        }, /* the Kelvin sign's lower case */
    { U("\xef\xac\x81n@x.org"),                            NULL                                            }, /* a ligature */
    { U("stra\xc3\x9f"
        "e@x.org"),
     "stra\xc3\x9f"
      "e@x.org"                                                                                            },
    { U("\xce\xa3\xce\x9f\xce\xa6\xce\x9f\xce\xa3@x.org"), "\xcf\x83\xce\xbf\xcf\x86\xce\xbf\xcf\x82@x.org"},
    { U("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d@x.org"),         "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d@x.org"        }, /* Hebrew */
    { U("a\xd7\xa9@x.org"),                                NULL                                            }, /* both directions */
    { U("l\xc2\xb7l@x.org"),                               "l\xc2\xb7l@x.org"                              },
    { U("a\xc2\xb7"
        "b@x.org"),
     NULL                                                                                                  },
    { U("anna@B\xc3\x9c"
        "CHER.example"),
     "anna@books.example"                                                                                  },
    { U("anna@xn--bcher-kva.example"),                     "anna@books.example"                            },
    { U("anna@sch\xc3\xb6n.example"),                      "anna@xn--schn-7qa.example"                     },
    { U("anna@XN--SCHN-7QA.example"),                      "anna@xn--schn-7qa.example"                     },
    { U("anna@xn--anna-.example"),                         NULL                                            }, /* says nothing but ASCII */
    { U("anna@xn--\xc3\xbc.example"),                      NULL                                            },
};
#endif

struct names {
    struct name_rules rules;
    struct buf login, mailbox, again;
};

static int set_up(void **state)
{
    static struct names n;
    const char *wrong;
    assert_true(name_rules_init(&n.rules, &config, &wrong));
    buf_init(&n.login, NAME_BYTES_MAX);
    buf_init(&n.mailbox, NAME_BYTES_MAX);
    buf_init(&n.again, NAME_BYTES_MAX);
    *state = &n;
    return 0;
}

static int tear_down(void **state)
{
    struct names *n = *state;
    name_rules_fini(&n->rules);
    buf_fini(&n->login);
    buf_fini(&n->mailbox);
    buf_fini(&n->again);
    return 0;
}

/* Whatever is canonical is its own canonical form. */
static void is_stable(struct names *n, const struct buf *canonical)
{
    assert_true(name_canonical(&n->rules, buf_span(canonical), &n->again));
    assert_true(span_eq(buf_span(canonical), buf_span(&n->again)));
}

static void reads_every_form(void **state)
{
    struct names *n = *state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        bool good = name_read(&n->rules, forms[i].typed, &n->login, &n->mailbox);
        if (good != (forms[i].login != NULL))
            fail_msg("%.*s", SPAN_ARG(forms[i].typed));
        if (!good)
            continue;
        assert_true(span_eq(buf_span(&n->login), span_of(forms[i].login)));
        assert_true(span_eq(buf_span(&n->mailbox), span_of(forms[i].mailbox)));
        is_stable(n, &n->login);
        if (n->mailbox.n > 0)
            is_stable(n, &n->mailbox);
        assert_int_equal(name_canonical(&n->rules, forms[i].typed, &n->again), n->mailbox.n == 0);
    }
}

static void reads_every_script(void **state)
{
#if defined HOMEWARD_HAS_UNISTRING && defined HOMEWARD_HAS_IDN2
    struct names *n = *state;
    for (size_t i = 0; i < COUNT_OF(international); i++) {
        bool good = name_canonical(&n->rules, international[i].typed, &n->login);
        if (good != (international[i].want != NULL))
            fail_msg("row %zu: %.*s", i, SPAN_ARG(international[i].typed));
        if (!good)
            continue;
        if (!span_eq(buf_span(&n->login), span_of(international[i].want)))
            fail_msg("row %zu: %.*s", i, SPAN_ARG(buf_span(&n->login)));
        is_stable(n, &n->login);
    }
#else
    (void)state;
    skip();
#endif
}

/* Bits of names, among them all that changes its length, its script or its meaning on the way. */
static const char *const bits[] = {
    "a",
    "B",
    "Z",
    "7",
    ".",
    "-",
    "_",
    "+",
    "@",
    "/",
    "\\",
    "corp",
    "x.org",
    "xn--",
    "*",
    "%",
    "\xc3\x9f",
    "\xc4\xb0",
    "\xc4\xb1",
    "\xc5\xbf",
    "\xce\xa3",
    "\xcf\x82",
    "\xcc\x88",
    "\xcd\x85",
    "\xe1\xbe\x80",
    "\xe1\xba\x9e",
    "\xef\xbc\xa1",
    "\xef\xbd\xb6",
    "\xef\xbe\x9e",
    "\xef\xbc\xa0",
    "\xef\xbc\x8f",
    "\xef\xbc\xbc",
    "\xe3\x80\x82",
    "\xef\xbd\xa1",
    "\xe2\x84\xaa",
    "\xe2\x84\xab",
    "\xd7\xa9",
    "\xd9\xa1",
    "\xdb\xb1",
    "\xe0\xa5\x8d",
    "\xe2\x80\x8d",
    "\xe2\x80\x8c",
    "\xe3\x83\xbb",
    "\xe3\x82\xab",
    "\xc2\xb7",
    "l",
    "\xef\xac\x81",
    "\xea\xb0\x80",
    "\xe1\x84\x80",
    "\xe1\x85\xa1",
    "\xf0\x9f\x94\x91",
    "\xf0\x90\x90\x80",
    "\xc7\x85",
    "\xe1\x8e\xa0",
    "\xea\xad\xb0",
    "\x80",
    " ",
    "i\xcc\x87",
    "\xcd\x84",
    "\xcc\xb8",
};

/* A property over many names: what comes out goes in again and comes out the same; it holds nothing that could be taken
 * for a separator by whoever reads it next. */
static void canonical_names_are_stable(void **state)
{
    struct names *n = *state;
    size_t accepted = 0;
    uint64_t seed = 20270630;
    for (size_t i = 0; i < 300000; i++) {
        char text[128];
        struct buf typed = { .at = text, .room = sizeof text, .max = sizeof text };
        for (size_t k = 1 + (seed >> 33) % 8; k > 0; k--) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            if (!buf_add_text(&typed, bits[(seed >> 33) % COUNT_OF(bits)]))
                break;
        }
        if (!name_read(&n->rules, buf_span(&typed), &n->login, &n->mailbox))
            continue;
        accepted++;
        is_stable(n, &n->login);
        if (n->mailbox.n > 0)
            is_stable(n, &n->mailbox);
        ptrdiff_t at = span_find(buf_span(&n->login), '@');
        assert_true(at > 0 && at == span_find_last(buf_span(&n->login), '@'));
        assert_false(span_has(buf_span(&n->login), '/') || span_has(buf_span(&n->login), '\\'));
    }
    assert_true(accepted > 3000);
}

static void without_rules(void **state)
{
    struct names *n = *state;
    struct name_rules rules;
    const char *wrong;
    assert_true(name_rules_init(&rules, &bare_config, &wrong));
    assert_true(name_canonical(&rules, SPAN("Anna"), &n->login));
    assert_true(span_eq(buf_span(&n->login), SPAN("anna")));
    assert_true(name_canonical(&rules, SPAN("CORP\\Anna"), &n->login));
    assert_true(span_eq(buf_span(&n->login), SPAN("anna@corp")));
    assert_true(name_read(&rules, SPAN("bert@x/Anna"), &n->login, &n->mailbox));
    assert_true(span_eq(buf_span(&n->mailbox), SPAN("anna@x")));
    name_rules_fini(&rules);
}

static void wrong_rules(void **state UNUSED)
{
    static struct domain_config bad[] = {
        {.name = "CORP", .is = "ex ample.com"}
    };
    const struct config with_bad = {
        .accounts = {.domains = bad, .n_domains = 1}
    };
    const struct config with_default = { .accounts = { .default_domain = "-x" } };
    struct name_rules rules;
    const char *wrong;
    assert_false(name_rules_init(&rules, &with_bad, &wrong));
    assert_string_equal(wrong, "ex ample.com");
    name_rules_fini(&rules);
    assert_false(name_rules_init(&rules, &with_default, &wrong));
    assert_string_equal(wrong, "-x");
    name_rules_fini(&rules);
}

static void long_names(void **state)
{
    struct names *n = *state;
    char text[NAME_BYTES_MAX + 1];
    memset(text, 'A', sizeof text);
    assert_false(name_canonical(&n->rules, span_bytes(text, NAME_BYTES_MAX), &n->login)); /* no room for the domain */
    assert_true(name_canonical(&n->rules, span_bytes(text, NAME_BYTES_MAX - 12), &n->login));
    assert_int_equal(n->login.n, NAME_BYTES_MAX);
    text[1] = '@';
    assert_true(name_canonical(&n->rules, span_bytes(text, 2 + 63), &n->login));
    assert_false(name_canonical(&n->rules, span_bytes(text, 2 + 64), &n->login));
}

static void parts(void **state UNUSED)
{
    assert_true(span_eq(name_local(SPAN("anna@x.org")), SPAN("anna")));
    assert_true(span_eq(name_domain(SPAN("anna@x.org")), SPAN("x.org")));
    assert_true(span_eq(name_local(SPAN("anna")), SPAN("anna")));
    assert_null(name_domain(SPAN("anna")).at);
}

static const struct {
    const char *format, *canonical, *typed;
    const char *want; /* NULL: it fails */
} formats[] = {
    {"%u",        "anna@x.org",  "Anna@X.org", "anna@x.org" },
    { "%n",       "anna@x.org",  "Anna@X.org", "anna"       },
    { "%d",       "anna@x.org",  "Anna@X.org", "x.org"      },
    { "%t",       "anna@x.org",  "Anna@X.org", "Anna@X.org" },
    { "100%%",    "anna@x.org",  "",           "100%"       },
    { "CORP\\%n", "anna@x.org",  "",           "CORP\\anna" },
    { "%d/%n!",   "anna@x.org",  "",           "x.org/anna!"},
    { "carl",     "anna@x.org",  "",           "carl"       },
    { "%n",       "anna",        "anna",       "anna"       },
    { "%d",       "anna",        "anna",       NULL         },
    { "%n@%d",    "anna",        "anna",       NULL         },
    { "",         "anna",        "anna",       NULL         },
    { "%t",       "anna",        "",           NULL         },
    { "%",        "anna",        "anna",       NULL         },
    { "%x",       "anna",        "anna",       NULL         },
    { "%%%",      "anna",        "anna",       NULL         },
    { "%U",       "anna",        "anna",       NULL         },
    { "a\tb",     "anna",        "anna",       NULL         },
    { "%u%u%u",   "a23456789@c", "a",          NULL         }, /* over the bound below */
};

static void store_names(void **state UNUSED)
{
    struct buf to;
    buf_init(&to, 32);
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        bool good =
            name_expand(span_of(formats[i].format), span_of(formats[i].canonical), span_of(formats[i].typed), &to);
        assert_int_equal(good, formats[i].want != NULL);
        assert_true(!good || span_eq(buf_span(&to), span_of(formats[i].want)));
    }
    buf_fini(&to);
}

/* What `homeward -V` says; "" for what was left out of this build, where names beyond ASCII are refused. */
static void libraries_have_versions(void **state UNUSED)
{
    struct buf to;
    buf_init(&to, 100);
    assert_int_equal(precis_library_version()[0] != '\0', precis_username(SPAN("j\xc3\xb6rg"), &to));
    buf_clear(&to);
    assert_int_equal(domain_library_version()[0] != '\0', domain_canonical(SPAN("b\xc3\xbc"
                                                                                "cher.example"),
                                                                           &to));
    buf_fini(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_every_script, set_up, tear_down),
        cmocka_unit_test_setup_teardown(canonical_names_are_stable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_rules, set_up, tear_down),
        cmocka_unit_test(wrong_rules),
        cmocka_unit_test_setup_teardown(long_names, set_up, tear_down),
        cmocka_unit_test(parts),
        cmocka_unit_test(store_names),
        cmocka_unit_test(libraries_have_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
