/* Commands of an IMAP client before login: the same in every segmentation, in bounded memory. */
#include "proxy/wire/imap_command.h"
#include "test/fuzz/fuzz.h"

enum { SASL_LINE = 4096 };

static struct imap_reader reader;
static bool half, over;

void fuzz_start(void)
{
}

static void begin(void)
{
    imap_reader_init(&reader, SASL_LINE);
    half = over = false;
}

static void say(struct buf *said, enum imap_got got, const struct imap_command *c, imap_problem problem)
{
    fuzz_say_number(said, got);
    if (got == IMAP_BAD || got == IMAP_FATAL) {
        FUZZ_REQUIRE(problem != NULL && c->n_words == 0 && c->tag.n <= IMAP_TAG_MAX);
        fuzz_say_bytes(said, c->tag);
        return;
    }
    FUZZ_REQUIRE(c->tag.n > 0 && c->tag.n <= IMAP_TAG_MAX && c->n_words <= IMAP_WORDS_MAX);
    fuzz_say_bytes(said, c->tag);
    fuzz_say_number(said, c->verb);
    for (size_t i = 0; got == IMAP_COMMAND && i < c->n_words; i++)
        fuzz_say_bytes(said, c->words[i]);
}

static size_t take(struct span unread, struct buf *said)
{
    struct span in = unread;
    while (in.n > 0 && !over) {
        struct imap_command command = { 0 };
        imap_problem problem = NULL;
        size_t before = in.n;
        enum imap_got got = imap_reader_next(&reader, &in, &command, &problem);
        half = got == IMAP_MORE || got == IMAP_GO_AHEAD;
        over = got == IMAP_FATAL;
        FUZZ_REQUIRE(in.n < before && reader.bytes.n <= reader.bytes.max);
        if (got != IMAP_MORE)
            say(said, got, &command, problem);
    }
    return unread.n;
}

static void end(struct buf *said)
{
    fuzz_say(said, half ? "half" : over ? "over" : "whole");
    imap_reader_fini(&reader);
}

void fuzz_one(struct span input)
{
    static const struct fuzz_stream stream = { begin, take, end };
    fuzz_cuts(&stream, input);
}
