/* An argument that we write comes out of our own reader as it was, or is refused. The first byte says which literals
 * the store can do. */
#include "proxy/wire/imap_command.h"
#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

void fuzz_one(struct span input)
{
    struct imap_reader reader;
    struct imap_command command = { 0 };
    imap_problem problem;
    struct buf line;
    enum imap_literals literals = (enum imap_literals)fuzz_choice(&input, 3);
    buf_init(&line, 2 * IMAP_LINE_MAX);
    FUZZ_REQUIRE(buf_add_text(&line, "a LOGIN x "));
    size_t before = line.n;
    enum imap_written written = imap_write_argument(&line, input, literals);
    if (written == IMAP_UNWRITABLE) {
        FUZZ_REQUIRE(line.n == before && (span_has(input, '\0') || input.n > IMAP_LINE_MAX));
    } else if (input.n < IMAP_LINE_MAX / 2) {
        FUZZ_REQUIRE(!span_has(input, '\0'));
        FUZZ_REQUIRE(written == IMAP_WRITTEN || (literals != IMAP_LITERAL_PLUS && buf_add(&line, input)));
        FUZZ_REQUIRE(buf_add_text(&line, "\r\n"));
        imap_reader_init(&reader, 100);
        struct span in = buf_span(&line);
        enum imap_got got = imap_reader_next(&reader, &in, &command, &problem);
        FUZZ_REQUIRE((got == IMAP_GO_AHEAD) == (written == IMAP_WAIT));
        if (got == IMAP_GO_AHEAD)
            got = imap_reader_next(&reader, &in, &command, &problem);
        FUZZ_REQUIRE(got == IMAP_COMMAND && in.n == 0 && command.n_words == 2 && span_eq(command.words[1], input));
        imap_reader_fini(&reader);
    }
    buf_fini(&line);
}
