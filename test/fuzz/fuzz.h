/* What the fuzz targets share. A target is one file, fuzz_<noun>.c: fuzz_one is given bytes that nobody has checked, in
 * memory of exactly their size, and dies by FUZZ_REQUIRE when what must always hold does not. It leaves nothing behind:
 * the next input must not see this one.
 *
 * Linked with entry.c it is a libFuzzer program (`make fuzz`), linked with replay.c one that plays the seeds of
 * test/fuzz/seeds once (`make replay`, part of `make unit`). */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "proxy/base/buf.h"

void fuzz_start(void); /* once, before the first input */
void fuzz_one(struct span input);

#define FUZZ_REQUIRE(condition) ((condition) ? (void)0 : fuzz_die(#condition, __FILE__, __LINE__))
void fuzz_die(const char *condition, const char *file, int line) __attribute__((noreturn));

/* Takes the first byte off as a number below `below`; 0 when there is none. */
unsigned fuzz_choice(struct span *input, unsigned below);

/* Takes the first line off, without its LF; the rest when there is none. */
struct span fuzz_line(struct span *input);

/* A copy in memory of its exact size, for the caller to free: a read past its end is seen. */
char *fuzz_exact(struct span s);

/* A parser of a stream: what it says of an input must not depend on how that was cut up. */
struct fuzz_stream {
    void (*begin)(void);
    size_t (*take)(struct span unread, struct buf *said); /* how many bytes were taken; the others come again */
    void (*end)(struct buf *said);
};
/* Plays it whole, byte by byte and in two parts: cut at every offset if it is short, else at some. */
void fuzz_cuts(const struct fuzz_stream *stream, struct span input);

/* For `said`: a word of ours, a number, bytes of the input. */
void fuzz_say(struct buf *said, const char *word);
void fuzz_say_number(struct buf *said, uint64_t number);
void fuzz_say_bytes(struct buf *said, struct span bytes);

#endif
