/* What goes into logs and answers to an admin from outside: a line stays one line of printable bytes, JSON stays JSON,
 * and a text that is UTF-8 comes out of it as it was. */
#include <jansson.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/base/json.h"
#include "proxy/base/log.h"
#include "test/fuzz/fuzz.h"

static int pair[2];

void fuzz_start(void)
{
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    log_open(pair[0], "fuzz");
}

static json_t *parse(struct span text)
{
    json_t *value = json_loadb(text.at, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    FUZZ_REQUIRE(value != NULL);
    return value;
}

static void write_json(struct span text)
{
    struct buf to;
    struct json j;
    buf_init(&to, SIZE_MAX / 4);
    json_init(&j, &to);
    json_open(&j, NULL);
    json_text(&j, "text", text);
    json_close(&j);
    json_end_line(&j);
    FUZZ_REQUIRE(!j.failed);
    json_t *value = parse(buf_span(&to));
    const json_t *string = json_object_get(value, "text");
    FUZZ_REQUIRE(!span_is_utf8(text) ||
                 span_eq(span_bytes(json_string_value(string), json_string_length(string)), text));
    json_decref(value);
    buf_fini(&to);
}

static void write_log(enum log_format format, struct span text)
{
    struct log_line l;
    char line[2 * LOG_LINE_MAX];
    log_set(LOG_INFO, format);
    log_begin(&l, LOG_INFO, "login");
    log_text(&l, "user", text);
    log_number(&l, "n", 7);
    log_end(&l);
    ssize_t n = recv(pair[1], line, sizeof line, MSG_DONTWAIT);
    FUZZ_REQUIRE(n > 0 && n <= LOG_LINE_MAX);
    for (ssize_t i = 0; i + 1 < n; i++)
        FUZZ_REQUIRE((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    FUZZ_REQUIRE(span_is_utf8(span_bytes(line, (size_t)n)));
    if (format == LOG_JSON)
        json_decref(parse(span_bytes(line, (size_t)n)));
}

void fuzz_one(struct span input)
{
    write_json(input);
    write_log(LOG_LOGFMT, input);
    write_log(LOG_JSON, input);
}
