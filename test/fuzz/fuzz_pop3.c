/* Lines of POP3, of clients (first byte even) and of servers (odd): the same in every segmentation. */
#include "proxy/wire/pop3.h"
#include "test/fuzz/fuzz.h"

static bool of_server, over;

void fuzz_start(void)
{
}

static void begin(void)
{
    over = false;
}

static void say_command(struct buf *said, struct span line)
{
    struct pop3_command c;
    if (!pop3_command_parse(line, &c)) {
        fuzz_say(said, "bad");
        return;
    }
    FUZZ_REQUIRE(c.name.n > 0 && c.name.n <= 32 && c.argument.n < line.n);
    fuzz_say_number(said, c.verb);
    fuzz_say_bytes(said, c.name);
    fuzz_say_bytes(said, c.argument);
}

static void say_reply(struct buf *said, struct span line)
{
    struct pop3_reply r;
    if (!pop3_reply_parse(line, &r)) {
        fuzz_say(said, "bad");
        return;
    }
    FUZZ_REQUIRE(r.code.n + r.text.n < line.n);
    fuzz_say_number(said, r.status);
    fuzz_say_bytes(said, r.code);
    fuzz_say_bytes(said, r.text);
}

static size_t take(struct span unread, struct buf *said)
{
    struct span in = unread, line;
    size_t used;
    while (in.n > 0 && !over) {
        enum line_read got = line_read(in, of_server ? POP3_REPLY_LINE_MAX : POP3_LINE_MAX, &line, &used);
        if (got == LINE_MORE)
            return unread.n - in.n;
        over = got == LINE_TOO_LONG;
        if (over) {
            fuzz_say(said, "long");
            break;
        }
        FUZZ_REQUIRE(used <= in.n && line.n < used);
        (of_server ? say_reply : say_command)(said, line);
        in = span_after(in, used);
    }
    return unread.n;
}

static void end(struct buf *said UNUSED)
{
}

void fuzz_one(struct span input)
{
    static const struct fuzz_stream stream = { begin, take, end };
    of_server = fuzz_choice(&input, 2) == 1;
    fuzz_cuts(&stream, input);
}
