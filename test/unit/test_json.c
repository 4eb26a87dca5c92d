/* JSON: what comes out is valid whatever goes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/base/json.h"

static const struct {
    struct span text;
    const char *want;
} texts[] = {
    {{ "anna", 4 },          "\"anna\""                    },
    { { "", 0 },             "\"\""                        },
    { { "a\"b\\c", 5 },      "\"a\\\"b\\\\c\""             },
    { { "a\nb\0c\x7f", 6 },  "\"a\\u000ab\\u0000c\\u007f\""},
    { { "j\xc3\xb6rg", 5 },  "\"j\xc3\xb6rg\""             },
    { { "j\xf6rg \xc3", 6 }, "\"j\\ufffdrg \\ufffd\""      },
};

static void strings(void **state UNUSED)
{
    struct buf out;
    struct json j;
    buf_init(&out, 1024);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buf_clear(&out);
        json_init(&j, &out);
        json_text(&j, NULL, texts[i].text);
        assert_false(j.failed);
        assert_int_equal(out.n, strlen(texts[i].want));
        assert_memory_equal(out.at, texts[i].want, out.n);
    }
    buf_fini(&out);
}

static void nesting(void **state UNUSED)
{
    static const char want[] =
        "{\"a\": 1, \"l\": [\"x\", {\"f\": true}, []], \"from\": \"10.0.0.7:993\"}\n{\"b\": -2}\n";
    struct buf out;
    struct json j;
    struct addr a;
    buf_init(&out, 1024);
    json_init(&j, &out);
    assert_true(addr_parse(SPAN("10.0.0.7"), 993, &a));
    json_open(&j, NULL);
    json_number(&j, "a", 1);
    json_word(&j, "gone", NULL);
    json_list(&j, "l");
    json_word(&j, NULL, "x");
    json_open(&j, NULL);
    json_flag(&j, "f", true);
    json_close(&j);
    json_list(&j, NULL);
    json_list_close(&j);
    json_list_close(&j);
    json_addr(&j, "from", &a);
    json_addr(&j, "nowhere", &(struct addr){ 0 });
    json_close(&j);
    json_end_line(&j);
    json_open(&j, NULL);
    json_number(&j, "b", -2);
    json_close(&j);
    json_end_line(&j);
    assert_false(j.failed);
    assert_int_equal(out.n, sizeof want - 1);
    assert_memory_equal(out.at, want, out.n);
    buf_fini(&out);
}

static void says_when_it_is_full(void **state UNUSED)
{
    struct buf out;
    struct json j;
    buf_init(&out, 8);
    json_init(&j, &out);
    json_word(&j, NULL, "far too long");
    json_number(&j, NULL, 1);
    assert_true(j.failed);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(strings), cmocka_unit_test(nesting),
                                        cmocka_unit_test(says_when_it_is_full) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
