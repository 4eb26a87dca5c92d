/* What something on an IMAP port may say: the same in every segmentation, and every span lies inside the input. */
#include "proxy/wire/imap_reply.h"
#include "test/fuzz/fuzz.h"

static bool broken, half;

void fuzz_start(void)
{
}

static void begin(void)
{
    broken = half = false;
}

static void say_part(struct buf *said, struct span reply, struct span part)
{
    FUZZ_REQUIRE(part.n == 0 || (part.at >= reply.at && part.at + part.n <= reply.at + reply.n));
    fuzz_say_bytes(said, part);
}

static void say_reply(struct buf *said, struct span in, const struct imap_reply *r)
{
    fuzz_say_number(said, r->kind);
    fuzz_say_number(said, r->status);
    say_part(said, in, r->tag);
    say_part(said, in, r->code);
    say_part(said, in, r->text);
    say_part(said, in, r->data);
    say_part(said, in, r->capabilities);
    fuzz_say_number(said, capability_has(r->capabilities, SPAN("IMAP4rev1")));
}

static size_t take(struct span unread, struct buf *said)
{
    struct span in = unread;
    while (in.n > 0 && !broken) {
        struct imap_reply reply;
        size_t used = 0;
        enum imap_read read = imap_reply_read(in, &reply, &used);
        half = read == IMAP_READ_MORE;
        broken = read == IMAP_READ_BROKEN;
        if (half) {
            FUZZ_REQUIRE(in.n < IMAP_REPLY_LINE_MAX);
            return unread.n - in.n;
        }
        if (broken) {
            fuzz_say(said, "broken");
            break;
        }
        FUZZ_REQUIRE(used > 0 && used <= in.n && used <= IMAP_REPLY_LINE_MAX);
        say_reply(said, span_first(in, used), &reply);
        in = span_after(in, used);
    }
    return unread.n;
}

static void end(struct buf *said)
{
    fuzz_say(said, half ? "half" : "whole");
}

void fuzz_one(struct span input)
{
    static const struct fuzz_stream stream = { begin, take, end };
    fuzz_cuts(&stream, input);
}
