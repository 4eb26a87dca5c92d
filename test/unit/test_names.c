/* Canonical names and the names that stores get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/names.h"

static const struct {
    struct span typed;
    const char *want; /* NULL: refused */
} names[] = {
    {{ "anna@example.com", 16 },    "anna@example.com"},
    { { "Anna@Example.COM", 16 },   "anna@example.com"},
    { { "anna@example.com.", 17 },  "anna@example.com"},
    { { "anna@example.com..", 18 }, NULL              },
    { { "anna", 4 },                "anna"            },
    { { "ANNA.", 5 },               "anna."           },
    { { " anna@x", 7 },             " anna@x"         },
    { { "j\xc3\x9frg@x", 7 },       "j\xc3\x9frg@x"   },
    { { "J\xc3\x96RG@X", 7 },       "j\xc3\x96rg@x"   }, /* only ASCII is folded */
    { { "", 0 },                    NULL              },
    { { "@", 1 },                   NULL              },
    { { "@x", 2 },                  NULL              },
    { { "anna@", 5 },               NULL              },
    { { "anna@.", 6 },              NULL              },
    { { "a@b@c", 5 },               NULL              },
    { { "an\0na@x", 7 },            NULL              },
    { { "anna@x\n", 7 },            NULL              },
    { { "anna@x\r", 7 },            NULL              },
    { { "a\tb@x", 5 },              NULL              },
    { { "a\x7f@x", 4 },             NULL              },
    { { "a\xc2\x85@x", 5 },         NULL              }, /* U+0085 */
    { { "a\xc2\xa0@x", 5 },         "a\xc2\xa0@x"     },
    { { "a\xff@x", 4 },             NULL              },
    { { "a@\xc3", 3 },              NULL              },
    { { "a\xc2@x", 4 },             NULL              },
    { { "a@\xed\xa0\x80", 5 },      NULL              }, /* a surrogate */
};

static void canonical_names(void **state UNUSED)
{
    struct buf to, again;
    buf_init(&to, NAME_BYTES_MAX);
    buf_init(&again, NAME_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bool good = name_canonical(names[i].typed, &to);
        assert_int_equal(good, names[i].want != NULL);
        if (!good)
            continue;
        assert_true(span_eq(buf_span(&to), span_of(names[i].want)));
        assert_true(name_canonical(buf_span(&to), &again));
        assert_true(span_eq(buf_span(&to), buf_span(&again)));
    }
    buf_fini(&to);
    buf_fini(&again);
}

static void long_names(void **state UNUSED)
{
    char text[NAME_BYTES_MAX + 1];
    struct buf to;
    buf_init(&to, NAME_BYTES_MAX);
    memset(text, 'A', sizeof text);
    assert_true(name_canonical(span_bytes(text, NAME_BYTES_MAX), &to));
    assert_int_equal(to.n, NAME_BYTES_MAX);
    assert_false(name_canonical(span_bytes(text, NAME_BYTES_MAX + 1), &to));
    text[1] = '@';
    assert_true(name_canonical(span_bytes(text, NAME_BYTES_MAX), &to));
    assert_int_equal(name_domain(buf_span(&to)).n, NAME_BYTES_MAX - 2);
    buf_fini(&to);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_names),
        cmocka_unit_test(long_names),
        cmocka_unit_test(parts),
        cmocka_unit_test(store_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
