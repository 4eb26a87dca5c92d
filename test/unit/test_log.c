/* Log lines as they leave: what an outsider chose cannot end a line, open a field or move a cursor, and a line that is
 * full is still a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/log.h"

static int ours, theirs;
static char line[LOG_LINE_MAX + 1];

static int channel_begin(void **state UNUSED)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return -1;
    ours = fds[0];
    theirs = fds[1];
    log_open(ours, "test 1");
    return 0;
}

/* The next line from its event on; "" when there is none. */
static const char *heard(void)
{
    ssize_t n = recv(theirs, line, sizeof line - 1, MSG_DONTWAIT);
    if (n <= 0)
        return "";
    line[n] = '\0';
    assert_true(n <= LOG_LINE_MAX);
    assert_non_null(strstr(line, "time"));
    const char *event = strstr(line, "event");
    assert_non_null(event);
    return event;
}

static void texts_from_outside(void **state UNUSED)
{
    static const struct {
        struct span text;
        const char *logfmt, *json;
    } cases[] = {
        {SPAN("anna@example.com"),  "t=anna@example.com",           "\"t\":\"anna@example.com\""          },
        { SPAN("two words"),        "t=\"two words\"",              "\"t\":\"two words\""                 },
        { SPAN("a=b"),              "t=\"a=b\"",                    "\"t\":\"a=b\""                       },
        { SPAN("x\r\nevent=login"), "t=\"x\\x0d\\x0aevent=login\"", "\"t\":\"x\\\\x0d\\\\x0aevent=login\""},
        { SPAN("\" why=\"ok"),      "t=\"\\\" why=\\\"ok\"",        "\"t\":\"\\\" why=\\\"ok\""           },
        { SPAN("back\\slash"),      "t=\"back\\\\slash\"",          "\"t\":\"back\\\\slash\""             },
        { SPAN("\x1b[2J\x07"),      "t=\"\\x1b[2J\\x07\"",          "\"t\":\"\\\\x1b[2J\\\\x07\""         },
        { SPAN("\xe2\x80\xae"
               "gnp"),
         "t=\"\\xe2\\x80\\xaegnp\"",                                "\"t\":\"\\\\xe2\\\\x80\\\\xaegnp\""  },
        { SPAN("\xff\x00\x7f"),     "t=\"\\xff\\x00\\x7f\"",        "\"t\":\"\\\\xff\\\\x00\\\\x7f\""     },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int json = 0; json < 2; json++) {
            char want[256];
            struct log_line l;
            log_set(LOG_INFO, json ? LOG_JSON : LOG_LOGFMT);
            log_begin(&l, LOG_INFO, "e");
            log_text(&l, "t", cases[i].text);
            log_text(&l, "none", SPAN_NONE);
            log_number(&l, "n", -7);
            log_end(&l);
            if (json)
                snprintf(want, sizeof want, "event\":\"e\",%s,\"n\":-7}\n", cases[i].json);
            else
                snprintf(want, sizeof want, "event=e %s n=-7\n", cases[i].logfmt);
            assert_string_equal(heard(), want);
        }
}

static void a_long_text_is_capped(void **state UNUSED)
{
    static char text[1000];
    struct log_line l;
    memset(text, 'x', sizeof text);
    log_set(LOG_INFO, LOG_LOGFMT);
    log_begin(&l, LOG_INFO, "e");
    log_text(&l, "t", span_bytes(text, LOG_TEXT_MAX));
    log_end(&l);
    assert_int_equal(strlen(heard()), strlen("event=e t=\n") + LOG_TEXT_MAX);
    log_begin(&l, LOG_INFO, "e");
    log_text(&l, "t", span_bytes(text, sizeof text));
    log_end(&l);
    const char *got = heard();
    assert_int_equal(strlen(got), strlen("event=e t=\"...\"\n") + LOG_TEXT_MAX);
    assert_non_null(strstr(got, "x...\"\n"));
}

/* Is it one object of one level: "key":"text" or "key":number, all of them closed? */
static bool is_object(const char *s)
{
    if (*s++ != '{')
        return false;
    for (;;) {
        if (*s++ != '"')
            return false;
        s = strchr(s, '"');
        if (s == NULL || s[1] != ':')
            return false;
        s += 2;
        if (*s == '"') {
            for (s++; *s != '"'; s++) {
                if (*s == '\\')
                    s++;
                if (*s < 0x20)
                    return false;
            }
            s++;
        } else {
            s += strspn(s, "-0123456789");
        }
        if (*s == '}')
            return strcmp(s, "}\n") == 0;
        if (*s++ != ',')
            return false;
    }
}

/* However much comes, every field is there as a whole or not at all, and the last ones fit again when they are short.
 */
static void a_full_line_is_still_a_line(void **state UNUSED)
{
    char text[LOG_TEXT_MAX];
    for (size_t n = 1; n <= LOG_TEXT_MAX; n++)
        for (int json = 0; json < 2; json++) {
            struct log_line l;
            memset(text, n % 3 == 0 ? '\x1b' : n % 3 == 1 ? 'a' : '"', sizeof text);
            log_set(LOG_INFO, json ? LOG_JSON : LOG_LOGFMT);
            log_begin(&l, LOG_INFO, "e");
            for (int field = 0; field < 300; field++) {
                log_text(&l, "text", span_bytes(text, n));
                log_number(&l, "number", 1234567);
                log_word(&l, "word", "longer_than_a_few");
            }
            log_end(&l);
            heard();
            if (json)
                assert_true(is_object(line));
            assert_int_equal(line[strlen(line) - 1], '\n');
            assert_null(strstr(line, "= "));
            assert_null(strstr(line, "=\n"));
        }
}

static void sentences(void **state UNUSED)
{
    static char text[5000];
    memset(text, '\n', sizeof text - 1);
    log_set(LOG_WARNING, LOG_LOGFMT);
    log_say(LOG_INFO, "e", "not said");
    log_say(LOG_WARNING, "e", "%s is %d", "it", 5);
    assert_string_equal(heard(), "event=e text=\"it is 5\"\n");
    log_set(LOG_WARNING, LOG_JSON);
    log_say(LOG_WARNING, "e", "%s", text);
    heard();
    assert_true(is_object(line));
    assert_non_null(strstr(line, "...\"}\n"));
    assert_string_equal(heard(), "");
}

static void a_level_that_is_off_costs_nothing(void **state UNUSED)
{
    struct log_line l;
    log_set(LOG_ERROR, LOG_LOGFMT);
    log_begin(&l, LOG_WARNING, "e");
    log_text(&l, "t", SPAN("x"));
    log_word(&l, "w", "x");
    log_number(&l, "n", 1);
    log_end(&l);
    assert_int_equal(l.n, 0);
    assert_string_equal(heard(), "");
    assert_true(log_is_on(LOG_ERROR));
    assert_false(log_is_on(LOG_WARNING));
}

static void what_finds_no_room_is_counted_and_told(void **state UNUSED)
{
    log_set(LOG_INFO, LOG_LOGFMT);
    uint64_t before = log_dropped();
    for (int i = 0; i < 10000 && log_dropped() < before + 5; i++)
        log_say(LOG_INFO, "flood", "%d", i);
    assert_int_equal(log_dropped(), before + 5);
    while (strncmp(heard(), "event=flood", 11) == 0)
        ;
    log_say(LOG_INFO, "again", "here");
    assert_string_equal(heard(), "event=again text=\"here\"\n");
    assert_string_equal(heard(), "event=log_dropped lines=5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_from_outside),
        cmocka_unit_test(a_long_text_is_capped),
        cmocka_unit_test(a_full_line_is_still_a_line),
        cmocka_unit_test(sentences),
        cmocka_unit_test(a_level_that_is_off_costs_nothing),
        cmocka_unit_test(what_finds_no_room_is_counted_and_told),
    };
    return cmocka_run_group_tests(tests, channel_begin, NULL);
}
