/* Questions of an admin: words that are packed come out as they were, and each question gets one answer, with lines
 * where its descriptor can take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/log.h"
#include "proxy/net/control.h"
#include "proxy/net/loop.h"

static struct {
    struct ipc *asked, *asker;
    bool answered;
    enum control_status status;
    uint64_t number;
    char text[100];
} said;

static void on_answer(void *owner UNUSED, struct message *m)
{
    assert_int_equal(m->type, MSG_CONTROLLED);
    assert_int_equal(m->id, 7);
    said.answered = true;
    said.status = (enum control_status)m->controlled.status;
    said.number = m->controlled.number;
    memset(said.text, 0, sizeof said.text);
    memcpy(said.text, m->controlled.text.at, m->controlled.text.n);
    loop_stop();
}

static void on_closed(void *owner UNUSED, const char *why)
{
    fail_msg("closed: %s", why);
}

static int connect_both(void **state UNUSED)
{
    static const struct ipc_events events = { on_answer, on_closed };
    int fds[2];
    loop_init();
    if (!ipc_pair(fds))
        return -1;
    said.asked = ipc_new(fds[0], &events, NULL);
    said.asker = ipc_new(fds[1], &events, NULL);
    return said.asked == NULL || said.asker == NULL;
}

static int let_go(void **state UNUSED)
{
    ipc_free(&said.asked);
    ipc_free(&said.asker);
    return 0;
}

/* A question with these words, up to NULL. */
static void ask(struct control *c, int fd, struct buf *packed, const char *const *words)
{
    struct span spans[CONTROL_WORDS_MAX];
    size_t n = 0;
    for (; words[n] != NULL; n++)
        spans[n] = span_of(words[n]);
    buf_init(packed, 65536);
    assert_true(control_pack(spans, n, packed));
    struct message m = { .type = MSG_CONTROL, .id = 7, .control.words = buf_span(packed), .fds = { fd }, .n_fds = 1 };
    assert_true(control_begin(c, &m));
    assert_int_equal(m.fds[0], -1);
}

static void answer(struct control *c, enum control_status status)
{
    said.answered = false;
    assert_true(control_end(c, said.asked, status, 3, "done"));
    loop_run();
    assert_true(said.answered);
    assert_int_equal(said.number, 3);
}

static void reads_words(void **state UNUSED)
{
    struct buf packed;
    int fd = memfd_create("lines", MFD_CLOEXEC);
    char lines[16] = "";
    struct control c;
    ask(&c, dup(fd), &packed, (const char *const[]){ "kick", "user=anna", "userx=b", "site=", NULL });
    assert_true(control_is(&c, "kick") && !control_is(&c, "kic"));
    assert_true(span_eq(control_word(&c, 1), SPAN("user=anna")) && control_word(&c, 4).at == NULL);
    assert_true(span_eq(control_option(&c, "user"), SPAN("anna")));
    assert_true(control_option(&c, "site").at != NULL && control_option(&c, "site").n == 0);
    assert_null(control_option(&c, "kick").at);
    assert_false(control_common(&c));
    json_number(&c.json, NULL, 5);
    json_end_line(&c.json);
    answer(&c, CONTROL_OK);
    assert_int_equal(said.status, CONTROL_OK);
    assert_string_equal(said.text, "done");
    assert_int_equal(pread(fd, lines, sizeof lines - 1, 0), 2);
    assert_string_equal(lines, "5\n");
    buf_fini(&packed);
    close(fd);
}

static void an_answer_that_cannot_be_written_is_none(void **state UNUSED)
{
    struct buf packed;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct control c;
    ask(&c, ends[0], &packed, (const char *const[]){ "who", NULL }); /* not for writing */
    json_number(&c.json, NULL, 5);
    answer(&c, CONTROL_OK);
    assert_int_equal(said.status, CONTROL_NO);
    buf_fini(&packed);
    ask(&c, ends[1], &packed, (const char *const[]){ "trace", NULL });
    assert_int_equal(control_take_fd(&c), ends[1]); /* lines come later: nothing is written now */
    answer(&c, CONTROL_OK);
    assert_int_equal(said.status, CONTROL_OK);
    assert_int_equal(close(ends[1]), 0);
    buf_fini(&packed);
}

static void sets_the_level(void **state UNUSED)
{
    struct buf packed;
    log_set(LOG_INFO, LOG_LOGFMT);
    struct control c;
    ask(&c, -1, &packed, (const char *const[]){ "loglevel", "debug", NULL });
    assert_true(control_common(&c) && log_is_on(LOG_DEBUG));
    answer(&c, CONTROL_OK);
    buf_fini(&packed);
    ask(&c, -1, &packed, (const char *const[]){ "loglevel", "loud", NULL });
    assert_true(control_common(&c) && log_is_on(LOG_DEBUG));
    answer(&c, CONTROL_OK);
    buf_fini(&packed);
}

static void refuses_what_is_no_question(void **state UNUSED)
{
    struct span words[CONTROL_WORDS_MAX + 1];
    struct buf packed;
    struct control c;
    static char large[CONTROL_WORD_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(words); i++)
        words[i] = SPAN("w");
    buf_init(&packed, 65536);
    assert_false(control_pack(words, 0, &packed));
    assert_false(control_pack(words, CONTROL_WORDS_MAX + 1, &packed));
    assert_false(control_pack(&(struct span){ large, sizeof large }, 1, &packed));
    assert_true(control_pack(words, CONTROL_WORDS_MAX, &packed) && control_pack(words, 1, &packed));
    const struct span bad[] = { SPAN_NONE, SPAN("\1"), SPAN("\2\0\0\0x"), SPAN("\xff\xff\xff\xff"), buf_span(&packed) };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct message m = { .type = MSG_CONTROL, .control.words = bad[i] };
        assert_false(control_begin(&c, &m));
    }
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_words),
        cmocka_unit_test(an_answer_that_cannot_be_written_is_none),
        cmocka_unit_test(sets_the_level),
        cmocka_unit_test(refuses_what_is_no_question),
    };
    return cmocka_run_group_tests(tests, connect_both, let_go);
}
