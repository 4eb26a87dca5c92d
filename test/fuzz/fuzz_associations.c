/* The kernel's answer about security associations, as bytes of somebody else. The file is included whole: what reads
 * the bytes is static in it. */
#include "backends/ipsec/associations.c"

#include "test/fuzz/fuzz.h"

enum { INPUT_MAX = 32768 };

void fuzz_start(void)
{
}

void fuzz_one(struct span input)
{
    static char bytes[INPUT_MAX] __attribute__((aligned(8)));
    if (input.n > INPUT_MAX)
        return;
    if (input.n > 0)
        memcpy(bytes, input.at, input.n);
    self.n = 0;
    int result = take_answer(bytes, input.n, 0, 0);
    FUZZ_REQUIRE(result >= MNL_CB_ERROR && self.n <= INPUT_MAX / sizeof(struct xfrm_usersa_info));
    for (size_t i = 0; i < self.n; i++) {
        const struct association *a = &self.all[i];
        FUZZ_REQUIRE(a->from.family == AF_INET || a->from.family == AF_INET6);
        FUZZ_REQUIRE(strlen(a->cipher) < sizeof a->cipher && strlen(a->combined) < sizeof a->combined);
    }
    free(self.all);
    memset(&self, 0, sizeof self);
}
