/* The entry of libFuzzer. */
#include <stdlib.h>

#include "test/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
    fuzz_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *exact = fuzz_exact(span_bytes(data, n));
    fuzz_one(span_bytes(exact, n));
    free(exact);
    return 0;
}
