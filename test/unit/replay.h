/* Plays one input to a parser in many segmentations: whole, byte by byte, and cut at every offset into two. What the
 * parser says must be the same each time. Every segment lies in memory of its own size, so that a sanitizer sees a read
 * past its end. Also here: what tests of parsers share (cases, random strings, printing). */
#ifndef TEST_UNIT_REPLAY_H
#define TEST_UNIT_REPLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/base/buf.h"

struct replay {
    void (*begin)(void);
    /* Unread bytes; what is said goes to `said`. Returns how many were taken; the others come again with more. */
    size_t (*take)(struct span unread, struct buf *said);
    void (*end)(struct buf *said);
};

struct replay_case {
    struct span input;
    const char *want;
};
#define CASE(input, want)                                                                                              \
    {                                                                                                                  \
        { input, sizeof(input) - 1 }, want                                                                             \
    }

enum { REPLAY_CUTS_MAX = 4096 }; /* a longer input is cut near its ends and at every so many bytes */

/* Adds the bytes readably: 7-bit text as it is, the rest as \xHH. */
static inline void replay_print(struct buf *said, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.at[i];
        assert_true(c >= ' ' && c < 0x7f ? buf_add_byte(said, (char)c) : buf_printf(said, "\\x%02X", c));
    }
}

static inline void replay_say(struct buf *said, const char *word)
{
    assert_true((said->n == 0 || buf_add_text(said, " | ")) && buf_add_text(said, word));
}

static inline void replay_segment(const struct replay *r, struct span segment, struct buf *unread, struct buf *said)
{
    assert_true(buf_add(unread, segment));
    char *exact = malloc(unread->n > 0 ? unread->n : 1);
    assert_non_null(exact);
    if (unread->n > 0)
        memcpy(exact, unread->at, unread->n);
    size_t taken = r->take(span_bytes(exact, unread->n), said);
    free(exact);
    assert_true(taken <= unread->n);
    if (taken > 0)
        buf_take(unread, taken);
}

/* Two segments cut at `cut`, or one byte a segment when cut is SIZE_MAX. */
static inline void replay_once(const struct replay *r, struct span input, size_t cut, struct buf *said)
{
    struct buf unread;
    buf_init(&unread, SIZE_MAX / 4);
    buf_clear(said);
    r->begin();
    if (cut == SIZE_MAX) {
        for (size_t i = 0; i < input.n; i++)
            replay_segment(r, span_bytes(input.at + i, 1), &unread, said);
    } else {
        replay_segment(r, span_first(input, cut), &unread, said);
        if (cut < input.n)
            replay_segment(r, span_after(input, cut), &unread, said);
    }
    r->end(said);
    buf_fini(&unread);
}

static inline void replay_compare(struct span input, size_t cut, struct span want, struct span said)
{
    struct buf shown;
    if (span_eq(want, said))
        return;
    buf_init(&shown, 4096);
    replay_print(&shown, span_first(input, 500));
    fail_msg("input %.*s (%zu octets), cut at %zd\n  wanted %.*s\n  got    %.*s", SPAN_ARG(buf_span(&shown)), input.n,
             (ssize_t)cut, SPAN_ARG(want), SPAN_ARG(said));
}

/* want NULL: whatever it says of the whole input. */
static inline void replay(const struct replay *r, struct span input, const char *want)
{
    struct buf whole, said;
    size_t step = input.n > REPLAY_CUTS_MAX ? 977 : 1;
    buf_init(&whole, SIZE_MAX / 4);
    buf_init(&said, SIZE_MAX / 4);
    replay_once(r, input, input.n, &whole);
    if (want != NULL)
        replay_compare(input, input.n, span_of(want), buf_span(&whole));
    replay_once(r, input, SIZE_MAX, &said);
    replay_compare(input, SIZE_MAX, buf_span(&whole), buf_span(&said));
    for (size_t cut = 1; cut < input.n; cut += (cut < 64 || cut + 64 > input.n) ? 1 : step) {
        replay_once(r, input, cut, &said);
        replay_compare(input, cut, buf_span(&whole), buf_span(&said));
    }
    buf_fini(&whole);
    buf_fini(&said);
}

static inline void replay_all(const struct replay *r, const struct replay_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        replay(r, cases[i].input, cases[i].want);
}

/* Random strings, the same in every run. */

#ifdef __SANITIZE_ADDRESS__ /* ten times as slow */
enum { RANDOM_STRINGS = 100000 };
#else
enum { RANDOM_STRINGS = 1000000 };
#endif

static inline uint32_t random_number(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

/* Up to max bytes: half of them any byte, half of them from `likely`. */
static inline struct span random_string(uint64_t *state, struct span likely, char *at, size_t max)
{
    struct span s = { at, random_number(state, (uint32_t)max + 1) };
    for (size_t i = 0; i < s.n; i++)
        at[i] = random_number(state, 2) == 0 ? (char)random_number(state, 256)
                                             : likely.at[random_number(state, (uint32_t)likely.n)];
    return s;
}

/* Every string of one and of two bytes, then RANDOM_STRINGS of up to 24. */
static inline void each_string(struct span likely, void (*check)(struct span s))
{
    char at[24];
    uint64_t state = 1;
    for (int first = 0; first < 256; first++) {
        at[0] = (char)first;
        check(span_bytes(at, 1));
        for (int second = 0; second < 256; second++) {
            at[1] = (char)second;
            check(span_bytes(at, 2));
        }
    }
    for (int i = 0; i < RANDOM_STRINGS; i++)
        check(random_string(&state, likely, at, sizeof at));
}

#endif
