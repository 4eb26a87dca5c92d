/* Base64: what is decoded is encoded to the same text (strict), what is encoded is decoded to the same bytes. */
#include "proxy/wire/sasl.h"
#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

void fuzz_one(struct span input)
{
    struct buf bytes, text;
    buf_init(&bytes, SIZE_MAX / 4);
    buf_init(&text, SIZE_MAX / 4);
    if (base64_decode(input, &bytes))
        FUZZ_REQUIRE(base64_encode(buf_span(&bytes), &text) && span_eq(buf_span(&text), input));
    else
        FUZZ_REQUIRE(bytes.n == 0);
    buf_clear(&bytes);
    buf_clear(&text);
    FUZZ_REQUIRE(base64_encode(input, &text) && text.n == (input.n + 2) / 3 * 4);
    FUZZ_REQUIRE(base64_decode(buf_span(&text), &bytes) && span_eq(buf_span(&bytes), input));
    buf_fini(&bytes);
    buf_fini(&text);
}
