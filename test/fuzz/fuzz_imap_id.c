/* An IMAP ID list: bounded, and what was kept of it can be written down again and means the same. */
#include "proxy/wire/imap_command.h"
#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

static bool read(struct imap_reader *reader, struct span line, struct imap_command *command)
{
    imap_problem problem;
    struct span in = line;
    enum imap_got got;
    while ((got = imap_reader_next(reader, &in, command, &problem)) == IMAP_GO_AHEAD)
        ;
    return got == IMAP_COMMAND && command->verb == IMAP_ID && in.n == 0;
}

static void write_again(const struct imap_command *c, struct buf *to)
{
    FUZZ_REQUIRE(buf_add_text(to, c->n_words > 0 ? "a ID (" : "a ID ("));
    for (size_t i = 0; i < c->n_words; i++) {
        FUZZ_REQUIRE(i == 0 || buf_add_byte(to, ' '));
        if (c->words[i].at == NULL)
            FUZZ_REQUIRE(buf_add_text(to, "NIL"));
        else
            FUZZ_REQUIRE(imap_write_argument(to, c->words[i], IMAP_LITERAL_PLUS) == IMAP_WRITTEN);
    }
    FUZZ_REQUIRE(buf_add_text(to, ")\r\n"));
}

void fuzz_one(struct span input)
{
    struct imap_reader first, second;
    struct imap_command one = { 0 }, two = { 0 };
    struct buf line, again;
    size_t kept = 0;
    imap_reader_init(&first, 100);
    imap_reader_init(&second, 100);
    buf_init(&line, SIZE_MAX / 4);
    buf_init(&again, SIZE_MAX / 4);
    FUZZ_REQUIRE(buf_add_text(&line, "a ID ") && buf_add(&line, input) && buf_add_text(&line, "\r\n"));
    if (read(&first, buf_span(&line), &one)) {
        FUZZ_REQUIRE(one.n_words % 2 == 0 && one.n_words <= IMAP_WORDS_MAX);
        for (size_t i = 0; i < one.n_words; i++) {
            kept += one.words[i].n;
            FUZZ_REQUIRE(one.words[i].n <= (size_t)(i % 2 == 0 ? IMAP_ID_KEY_MAX : IMAP_ID_VALUE_MAX));
            FUZZ_REQUIRE(i % 2 == 1 || one.words[i].at != NULL);
        }
        FUZZ_REQUIRE(kept <= IMAP_ID_KEPT_MAX);
        write_again(&one, &again);
        FUZZ_REQUIRE(read(&second, buf_span(&again), &two) && two.n_words == one.n_words);
        for (size_t i = 0; i < one.n_words; i++)
            FUZZ_REQUIRE(span_eq(one.words[i], two.words[i]) && (one.words[i].at == NULL) == (two.words[i].at == NULL));
    }
    imap_reader_fini(&first);
    imap_reader_fini(&second);
    buf_fini(&line);
    buf_fini(&again);
}
