/* Bytes that main hands to a role: a bundle of files, and numbers and strings in general. */
#include "config/bundle.h"

#include "proxy/base/pack.h"
#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

void fuzz_one(struct span input)
{
    struct unpack u = { .rest = input };
    struct span found = bundle_find(input, "a");
    FUZZ_REQUIRE(found.at == NULL || (found.at > input.at && found.at + found.n <= input.at + input.n));
    while (u.rest.n > 0 && !u.bad) {
        size_t before = u.rest.n;
        struct span s = unpack_string(&u, 100);
        FUZZ_REQUIRE(s.n <= 100 && (u.bad || u.rest.n + s.n + 4 == before));
    }
}
