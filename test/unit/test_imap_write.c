/* Arguments that we write come out of our own reader as they were, or are refused. */
#include "test/unit/replay.h"

#include "proxy/wire/imap_command.h"

static void test_forms(void **state UNUSED)
{
    static const struct {
        struct span argument;
        enum imap_literals literals;
        enum imap_written written;
        const char *text;
    } cases[] = {
        {{ "ann", 3 },          IMAP_SYNC_ONLY,        IMAP_WRITTEN,    "\"ann\""            },
        { { "", 0 },            IMAP_SYNC_ONLY,        IMAP_WRITTEN,    "\"\""               },
        { { NULL, 0 },          IMAP_SYNC_ONLY,        IMAP_WRITTEN,    "\"\""               },
        { { "a\"\\*%{3}", 8 },  IMAP_SYNC_ONLY,        IMAP_WRITTEN,    "\"a\\\"\\\\*%{3}\"" },
        { { "a\tb\x7f", 4 },    IMAP_SYNC_ONLY,        IMAP_WRITTEN,    "\"a\tb\x7f\""       },
        { { "caf\xc3\xa9", 5 }, IMAP_SYNC_ONLY,        IMAP_WAIT,       "{5}\r\n"            },
        { { "caf\xc3\xa9", 5 }, IMAP_LITERAL_PLUS,     IMAP_WRITTEN,    "{5+}\r\ncaf\xc3\xa9"},
        { { "a\r\nb", 4 },      IMAP_SYNC_ONLY,        IMAP_WAIT,       "{4}\r\n"            },
        { { "a\r\nb", 4 },      IMAP_LITERALS_TO_4096, IMAP_WRITTEN,    "{4+}\r\na\r\nb"     },
        { { "a\0b", 3 },        IMAP_LITERAL_PLUS,     IMAP_UNWRITABLE, ""                   },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(imap_write_argument(&out, cases[i].argument, cases[i].literals), cases[i].written);
        assert_true(span_eq(buf_span(&out), span_of(cases[i].text)));
        buf_fini(&out);
    }
}

static void test_sizes(void **state UNUSED)
{
    static const struct {
        size_t n;
        enum imap_literals literals;
        enum imap_written written;
        size_t octets;
    } cases[] = {
        {1000,  IMAP_SYNC_ONLY,        IMAP_WRITTEN,    1002},
        { 1001, IMAP_SYNC_ONLY,        IMAP_WAIT,       8   },
        { 4096, IMAP_LITERALS_TO_4096, IMAP_WRITTEN,    4105},
        { 4097, IMAP_LITERALS_TO_4096, IMAP_WAIT,       8   },
        { 4097, IMAP_LITERAL_PLUS,     IMAP_WRITTEN,    4106},
        { 5000, IMAP_LITERAL_PLUS,     IMAP_UNWRITABLE, 0   }, /* does not fit, and nothing is added */
    };
    static char text[5000];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out, 4500);
        assert_int_equal(imap_write_argument(&out, span_bytes(text, cases[i].n), cases[i].literals), cases[i].written);
        assert_int_equal(out.n, cases[i].octets);
        buf_fini(&out);
    }
}

static struct imap_reader reader;
static struct buf line;

/* `LOGIN s s`, the way a back end would see it. */
static void check_read_back(struct span s, enum imap_literals literals)
{
    struct imap_command command = { 0 };
    imap_problem problem;
    size_t go_aheads = 0;
    enum imap_got got;
    buf_clear(&line);
    assert_true(buf_add_text(&line, "a LOGIN"));
    for (int i = 0; i < 2; i++) {
        assert_true(buf_add_byte(&line, ' '));
        size_t before = line.n;
        enum imap_written written = imap_write_argument(&line, s, literals);
        if (written == IMAP_UNWRITABLE) {
            assert_true(span_has(s, '\0') && line.n == before);
            return;
        }
        if (written == IMAP_WAIT) {
            go_aheads++;
            assert_true(buf_add(&line, s));
        }
    }
    assert_true(buf_add_text(&line, "\r\n"));
    struct span in = buf_span(&line);
    while ((got = imap_reader_next(&reader, &in, &command, &problem)) == IMAP_GO_AHEAD)
        go_aheads--;
    assert_int_equal(got, IMAP_COMMAND);
    assert_int_equal(in.n, 0);
    assert_int_equal(go_aheads, 0);
    assert_int_equal(command.n_words, 2);
    assert_true(span_eq(command.words[0], s) && span_eq(command.words[1], s));
}

static void check_string(struct span s)
{
    check_read_back(s, IMAP_SYNC_ONLY);
    check_read_back(s, IMAP_LITERAL_PLUS);
}

static void test_read_back(void **state UNUSED)
{
    imap_reader_init(&reader, 10000);
    buf_init(&line, 10000);
    each_string(SPAN("ab\"\\{3+}\r\n "), check_string);
    imap_reader_fini(&reader);
    buf_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
