/* A session after the login, in both directions: what is known of it does not depend on how its bytes were cut. The
 * input is a row of parts: a byte that says whose it is and how long, then that many bytes. */
#include "proxy/wire/follow.h"

#include <stdlib.h>

#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

static void require_same(const struct follow *a, const struct follow *b)
{
    FUZZ_REQUIRE(a->up.literal == b->up.literal && a->up.in_line == b->up.in_line);
    FUZZ_REQUIRE(a->down.literal == b->down.literal && a->down.in_line == b->down.in_line);
    FUZZ_REQUIRE(a->opaque == b->opaque && a->leaving == b->leaving && a->awaits_go_ahead == b->awaits_go_ahead);
    FUZZ_REQUIRE(follow_is_between_lines(a) == follow_is_between_lines(b));
}

void fuzz_one(struct span input)
{
    struct follow whole, bytewise;
    bool imap = fuzz_choice(&input, 2) == 0;
    follow_init(&whole, imap);
    follow_init(&bytewise, imap);
    while (input.n > 0) {
        unsigned head = fuzz_choice(&input, 256);
        struct span part = span_first(input, head >> 1);
        input = span_after(input, part.n);
        void (*tell)(struct follow *, struct span) = head & 1 ? follow_down : follow_up;
        char *exact = fuzz_exact(part);
        tell(&whole, span_bytes(exact, part.n));
        for (size_t i = 0; i < part.n; i++)
            tell(&bytewise, span_bytes(exact + i, 1));
        memset(exact, 0, part.n); /* nothing is borrowed */
        require_same(&whole, &bytewise);
        free(exact);
    }
}
