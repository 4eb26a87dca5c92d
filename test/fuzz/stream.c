/* See fuzz.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/fuzz/fuzz.h"

enum { SAID_MAX = 64 << 20, CUTS_MOST = 64 };

void fuzz_die(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

unsigned fuzz_choice(struct span *input, unsigned below)
{
    if (input->n == 0)
        return 0;
    unsigned choice = (unsigned char)input->at[0] % below;
    *input = span_after(*input, 1);
    return choice;
}

struct span fuzz_line(struct span *input)
{
    ptrdiff_t end = span_find(*input, '\n');
    struct span line = end < 0 ? *input : span_first(*input, (size_t)end);
    *input = span_after(*input, end < 0 ? input->n : (size_t)end + 1);
    return line;
}

char *fuzz_exact(struct span s)
{
    char *copy = malloc(s.n > 0 ? s.n : 1);
    FUZZ_REQUIRE(copy != NULL);
    if (s.n > 0)
        memcpy(copy, s.at, s.n);
    return copy;
}

void fuzz_say(struct buf *said, const char *word)
{
    FUZZ_REQUIRE(buf_printf(said, " %s", word));
}

void fuzz_say_number(struct buf *said, uint64_t number)
{
    FUZZ_REQUIRE(buf_printf(said, " %" PRIu64, number));
}

void fuzz_say_bytes(struct buf *said, struct span bytes)
{
    FUZZ_REQUIRE(buf_printf(said, bytes.at == NULL ? " none" : " %zu:", bytes.n) && buf_add(said, bytes));
}

static void feed(const struct fuzz_stream *stream, struct span segment, struct buf *unread, struct buf *said)
{
    FUZZ_REQUIRE(buf_add(unread, segment));
    char *exact = fuzz_exact(buf_span(unread));
    size_t taken = stream->take(span_bytes(exact, unread->n), said);
    free(exact);
    FUZZ_REQUIRE(taken <= unread->n);
    buf_take(unread, taken);
}

/* Two parts, or one byte a part when cut is SIZE_MAX. */
static void play(const struct fuzz_stream *stream, struct span input, size_t cut, struct buf *said)
{
    struct buf unread;
    buf_init(&unread, SAID_MAX);
    stream->begin();
    if (cut == SIZE_MAX) {
        for (size_t i = 0; i < input.n; i++)
            feed(stream, span_bytes(input.at + i, 1), &unread, said);
    } else {
        feed(stream, span_first(input, cut), &unread, said);
        if (cut < input.n)
            feed(stream, span_after(input, cut), &unread, said);
    }
    stream->end(said);
    buf_fini(&unread);
}

static void compare(const struct fuzz_stream *stream, struct span input, size_t cut, struct span whole)
{
    struct buf said;
    buf_init(&said, SAID_MAX);
    play(stream, input, cut, &said);
    if (!span_eq(whole, buf_span(&said)))
        fprintf(stderr, "whole:%.*s\ncut at %zd:%.*s\n", SPAN_ARG(whole), (ssize_t)cut, SPAN_ARG(buf_span(&said)));
    FUZZ_REQUIRE(span_eq(whole, buf_span(&said)));
    buf_fini(&said);
}

void fuzz_cuts(const struct fuzz_stream *stream, struct span input)
{
    enum { BYTEWISE_MOST = 4096 }; /* a parser that starts anew with each byte would take for ever */
    struct buf whole;
    buf_init(&whole, SAID_MAX);
    play(stream, input, input.n, &whole);
    if (input.n <= BYTEWISE_MOST)
        compare(stream, input, SIZE_MAX, buf_span(&whole));
    for (size_t cut = 1; cut < input.n; cut += 1 + input.n / CUTS_MOST)
        compare(stream, input, cut, buf_span(&whole));
    buf_fini(&whole);
}
