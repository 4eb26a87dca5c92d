/* What a process may write into the log, the thread that moves it, and long sentences of main. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/supervisor/logger.h"
#include "proxy/supervisor/tell.h"

static const struct {
    const char *sent, *written;
} lines[] = {
    {"a line\n",            "a line\n"   },
    { "a line",             "a line\n"   },
    { "",                   "\n"         },
    { "\n\n\n",             "\n"         },
    { "one\ntwo\n",         "one?two\n"  },
    { "\033[2Jgone\r\n",    "?[2Jgone?\n"},
    { "\x7f\xc3\xa4\xff\n", "????\n"     },
};

static void test_lines_are_tamed(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char line[64] = { 0 };
        memcpy(line, lines[i].sent, strlen(lines[i].sent));
        size_t n = logger_tame(line, strlen(lines[i].sent));
        assert_true(span_eq(span_bytes(line, n), span_of(lines[i].written)));
    }
}

/* Everything that main says is there, in order, whatever its length. */
static void test_long_sentences_keep_their_end(void **state UNUSED)
{
    int ends[2];
    char text[1024], got[8192];
    size_t n = 0;
    for (int word = 0; n < 600; word++)
        n += (size_t)snprintf(text + n, sizeof text - n, "word%d ", word);
    snprintf(text + n, sizeof text - n, "END\n\nsecond\n");
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], "main");
    tell_log(span_of(text), LOG_ERROR, "reload", "refused");
    ssize_t read_bytes = read(ends[0], got, sizeof got - 1);
    assert_true(read_bytes > 0);
    got[read_bytes] = '\0';
    char *at = got;
    for (int word = 0; word < 60; word++) {
        char want[16];
        snprintf(want, sizeof want, "word%d", word);
        at = strstr(at, want);
        assert_non_null(at);
    }
    assert_non_null(strstr(at, "END\""));
    assert_non_null(strstr(at, "event=reload result=refused text=second\n"));
    close(ends[0]);
    close(ends[1]);
    log_open(STDERR_FILENO, "");
}

static struct written {
    int place, stderr_before;
    off_t n;
} at;

static void place_begin(void)
{
    at = (struct written){ .place = memfd_create("stderr", MFD_CLOEXEC), .stderr_before = dup(STDERR_FILENO) };
    assert_true(at.place >= 0 && dup2(at.place, STDERR_FILENO) >= 0);
    assert_true(logger_start((const int[]){ -1, -1 }));
}

static void send_line(int number)
{
    char line[LOG_LINE_MAX];
    int n = snprintf(line, sizeof line, "line=%d rest=%0*d\n", number, 1 + number % 900, 0);
    assert_int_equal(send(logger_fd(), line, (size_t)n, 0), n);
    at.n += n;
}

static bool all_is_there(void)
{
    struct stat now;
    for (int tries = 0; tries < 10000; tries++, usleep(1000))
        if (fstat(at.place, &now) == 0 && now.st_size >= at.n)
            return true;
    return false;
}

static void place_end(void)
{
    logger_stop();
    dup2(at.stderr_before, STDERR_FILENO);
    close(at.stderr_before);
}

static void expect_lines(int n)
{
    char line[LOG_LINE_MAX], head[64];
    FILE *written = fdopen(at.place, "r");
    rewind(written);
    for (int i = 0; i < n; i++) {
        int head_n = snprintf(head, sizeof head, "line=%d rest=", i);
        assert_non_null(fgets(line, sizeof line, written));
        assert_memory_equal(line, head, (size_t)head_n);
        assert_int_equal(strlen(line), head_n + 1 + i % 900 + 1);
    }
    fclose(written);
}

/* Also after a packet without a byte, which a process that was taken over may send. */
static void test_every_line_arrives_whole_and_in_order(void **state UNUSED)
{
    enum { LINES = 3000 };
    place_begin();
    assert_int_equal(send(logger_fd(), "", 0, 0), 0);
    for (int i = 0; i < LINES; i++)
        send_line(i);
    bool there = all_is_there();
    send_line(LINES); /* main's last word */
    place_end();
    assert_true(there);
    expect_lines(LINES + 1);
}

static void test_complaints(void **state UNUSED)
{
    struct buf to;
    buf_init(&to, 100);
    assert_false(complain(&to, "%s is %d", "this", 1));
    assert_false(complain(&to, "two"));
    assert_true(span_eq(buf_span(&to), SPAN("this is 1\ntwo\n")));
    assert_false(complain(&to, "%200s", "too long"));
    assert_int_equal(to.n, 14);
    buf_fini(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_tamed),
        cmocka_unit_test(test_long_sentences_keep_their_end),
        cmocka_unit_test(test_every_line_arrives_whole_and_in_order),
        cmocka_unit_test(test_complaints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
