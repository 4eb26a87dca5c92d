/* What a front end tells of a client, by ID pairs (first byte even; keys and values are lines) and by XCLIENT: what was
 * understood can be written, and means the same. */
#include "proxy/wire/forwarded.h"
#include "proxy/wire/imap_command.h"
#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

static void require_same(const struct forwarded *a, const struct forwarded *b)
{
    FUZZ_REQUIRE(addr_eq(&a->client, &b->client) && span_eq(a->session, b->session) && a->ttl == b->ttl);
}

static void read_back_xclient(const struct forwarded *f)
{
    struct buf text;
    struct forwarded again = { .ttl = -1 };
    buf_init(&text, 4096);
    FUZZ_REQUIRE(forwarded_write_xclient(&text, f));
    FUZZ_REQUIRE(forwarded_take_xclient(&again, buf_span(&text)));
    require_same(f, &again);
    buf_fini(&text);
}

static void read_back_id(const struct forwarded *f)
{
    struct buf line;
    struct forwarded again = { .ttl = -1 };
    struct imap_reader reader;
    struct imap_command c = { 0 };
    imap_problem problem;
    buf_init(&line, 4096);
    imap_reader_init(&reader, 100);
    FUZZ_REQUIRE(buf_add_text(&line, "a ID (") && forwarded_write_id(&line, f) && buf_add_text(&line, ")\r\n"));
    struct span in = buf_span(&line);
    FUZZ_REQUIRE(imap_reader_next(&reader, &in, &c, &problem) == IMAP_COMMAND);
    for (size_t i = 0; i < c.n_words; i += 2)
        FUZZ_REQUIRE(forwarded_take_id(&again, c.words[i], c.words[i + 1]));
    require_same(f, &again);
    FUZZ_REQUIRE(addr_eq(&f->connected, &again.connected));
    imap_reader_fini(&reader);
    buf_fini(&line);
}

void fuzz_one(struct span input)
{
    struct forwarded f = { .ttl = -1 };
    bool by_id = fuzz_choice(&input, 2) == 0, good = true;
    while (by_id && input.n > 0) {
        struct span key = fuzz_line(&input);
        struct span value = fuzz_line(&input);
        good = forwarded_take_id(&f, key, value) || good;
    }
    if (!by_id)
        good = forwarded_take_xclient(&f, input);
    FUZZ_REQUIRE(f.ttl >= -1 && f.ttl <= 255 && f.session.n <= FORWARDED_SESSION_MAX);
    if (f.client.family == AF_UNSPEC)
        f.client.port = 0;
    if (f.connected.family == AF_UNSPEC)
        f.connected.port = 0;
    if (!good)
        return;
    read_back_xclient(&f);
    read_back_id(&f);
}
