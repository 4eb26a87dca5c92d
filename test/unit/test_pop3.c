/* POP3 lines from both sides, by way of the line reader. */
#include "test/unit/replay.h"

#include "proxy/wire/pop3.h"

enum { LINE_LIMIT = 40 };

static bool over, half, replies;

static void begin(void)
{
    over = half = false;
}

static void say_part(struct buf *said, const char *open, struct span part, const char *close)
{
    assert_true(buf_add_text(said, open));
    replay_print(said, part);
    assert_true(buf_add_text(said, close));
}

static void say_command(struct buf *said, struct span line)
{
    static const char *const verbs[] = { "?", "CAPA", "STLS", "USER", "PASS", "AUTH", "QUIT", "NOOP" };
    struct pop3_command command;
    if (!pop3_command_parse(line, &command)) {
        replay_say(said, "bad");
        return;
    }
    replay_say(said, verbs[command.verb]);
    if (command.verb == POP3_UNKNOWN)
        replay_print(said, command.name);
    if (command.argument.at != NULL)
        say_part(said, " <", command.argument, ">");
}

static void say_reply(struct buf *said, struct span line)
{
    static const char *const statuses[] = { "OK", "ERR", "+" };
    struct pop3_reply reply;
    if (!pop3_reply_parse(line, &reply)) {
        replay_say(said, "bad");
        return;
    }
    replay_say(said, statuses[reply.status]);
    if (reply.code.n > 0)
        say_part(said, " [", reply.code, "]");
    say_part(said, " <", reply.text, ">");
}

static size_t take(struct span unread, struct buf *said)
{
    struct span in = unread, line;
    while (in.n > 0 && !over) {
        size_t used;
        enum line_read read = line_read(in, LINE_LIMIT, &line, &used);
        half = read == LINE_MORE;
        over = read == LINE_TOO_LONG;
        if (half)
            return unread.n - in.n;
        if (over) {
            replay_say(said, "too long");
            break;
        }
        if (replies)
            say_reply(said, line);
        else
            say_command(said, line);
        in = span_after(in, used);
    }
    return unread.n;
}

static void end(struct buf *said)
{
    if (half)
        replay_say(said, "...");
}

static const struct replay subject = { begin, take, end };

static const struct replay_case command_cases[] = {
    CASE("CAPA\r\n", "CAPA"),
    CASE("stls\n", "STLS"),
    CASE("QUIT\r\nNOOP\r\n", "QUIT | NOOP"),
    CASE("QUIT \r\n", "QUIT <>"),
    CASE("USER ann\r\nPASS  a b \r\n", "USER <ann> | PASS < a b >"),
    CASE("PASS\r\n", "PASS"),
    CASE("PASS \r\n", "PASS <>"),
    CASE("PASS \x01\xff\t\"{3}%*\r\n", "PASS <\\x01\\xFF\\x09\"{3}%*>"),
    CASE("PASS a\rb\r\n", "PASS <a\\x0Db>"), /* for the one who asks sasl_name_ok or writes it on */
    CASE("PASS a\0b\r\n", "PASS <a\\x00b>"),
    CASE("PASS a\r\r\n", "PASS <a\\x0D>"),
    CASE("AUTH\r\n", "AUTH"),
    CASE("AUTH PLAIN =\r\n", "AUTH <PLAIN =>"),
    CASE("USERS x\r\n", "?USERS <x>"),
    CASE("GET / HTTP/1.1\r\n", "?GET </ HTTP/1.1>"),
    CASE("0123456789012345678901234567890123456\r\n", "?01234567890123456789012345678901"),
    CASE("01234567890123456789012345678901234567\r\n", "?01234567890123456789012345678901"),
    CASE("012345678901234567890123456789012345678\r\n", "too long"),
    CASE("012345678901234567890123456789012345678\n", "?01234567890123456789012345678901"),
    CASE("0123456789012345678901234567890123456789", "too long"),
    CASE("\r\n", "bad"),
    CASE("\n", "bad"),
    CASE(" USER x\r\n", "bad"),
    CASE("US\0ER x\r\n", "bad"),
    CASE("USER\tx\r\n", "bad"),
    CASE("US\rER x\r\n", "bad"),
    CASE("\x16\x03\x01\n", "bad"),
    CASE("USER x", "..."),
    CASE("USER x\r", "..."),
};

static const struct replay_case reply_cases[] = {
    CASE("+OK\r\n", "OK <>"),
    CASE("+OK ready\n", "OK <ready>"),
    CASE("+ok ready\r\n", "OK <ready>"),
    CASE("-ERR no\r\n", "ERR <no>"),
    CASE("-ERR [AUTH] no\r\n", "ERR [AUTH] <no>"),
    CASE("-ERR [SYS/TEMP]x\r\n", "ERR [SYS/TEMP] <x>"),
    CASE("-ERR [AUTH no\r\n", "ERR <[AUTH no>"),
    CASE("-ERR x [AUTH] no\r\n", "ERR <x [AUTH] no>"),
    CASE("-ERR [] no\r\n", "ERR <no>"),
    CASE("+ \r\n", "+ <>"),
    CASE("+\r\n", "+ <>"),
    CASE("+ Z28=\r\n", "+ <Z28=>"),
    CASE("+ [x] y\r\n", "+ <[x] y>"),
    CASE("+OK caf\xc3\xa9\t<1@x>\r\n", "OK <caf\\xC3\\xA9\\x09<1@x>>"),
    CASE("+OKAY\r\n", "bad"),
    CASE("-ERROR\r\n", "bad"),
    CASE("-\r\n", "bad"),
    CASE("OK\r\n", "bad"),
    CASE("\r\n", "bad"),
    CASE("* OK hi\r\n", "bad"),
    CASE("220 mail ESMTP\r\n", "bad"),
    CASE("HTTP/1.1 400 Bad Request\r\n", "bad"),
    CASE("SSH-2.0-OpenSSH_9.2\r\n", "bad"),
    CASE("+OK a\0b\r\n", "bad"),
    CASE("+OK a\rb\r\n", "bad"),
    CASE("+OK \x1b[2J\r\n", "bad"),
};

static void test_commands(void **state UNUSED)
{
    replies = false;
    replay_all(&subject, command_cases, COUNT_OF(command_cases));
}

static void test_replies(void **state UNUSED)
{
    replies = true;
    replay_all(&subject, reply_cases, COUNT_OF(reply_cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
