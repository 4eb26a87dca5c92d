/* PROXY headers: never decided differently with more bytes, never past what is there; what we write is read back. */
#include "proxy/wire/proxy_protocol.h"

#include <stdlib.h>

#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

static enum proxy_read read(struct span in, struct addr *client, struct addr *server, size_t *used)
{
    char *exact = fuzz_exact(in);
    enum proxy_read result = proxy_header_read(span_bytes(exact, in.n), client, server, used);
    free(exact);
    return result;
}

static void read_back(const struct addr *client, const struct addr *server)
{
    struct addr client_again, server_again;
    size_t used;
    struct buf header;
    enum proxy_read want = client->family == server->family ? PROXY_PEER : PROXY_LOCAL;
    buf_init(&header, PROXY_HEADER_MAX);
    FUZZ_REQUIRE(proxy_header_write(&header, client, server));
    FUZZ_REQUIRE(read(buf_span(&header), &client_again, &server_again, &used) == want && used == header.n);
    FUZZ_REQUIRE(want == PROXY_LOCAL || (addr_eq(client, &client_again) && addr_eq(server, &server_again)));
    buf_fini(&header);
}

void fuzz_one(struct span input)
{
    struct addr client, server;
    size_t used = 0;
    enum proxy_read whole = read(input, &client, &server, &used);
    bool decided = whole == PROXY_PEER || whole == PROXY_LOCAL;
    FUZZ_REQUIRE(!decided || (used > 0 && used <= input.n && used <= PROXY_HEADER_MAX));
    FUZZ_REQUIRE(whole != PROXY_MORE || input.n < PROXY_HEADER_MAX);
    if (whole == PROXY_PEER)
        read_back(&client, &server);
    for (size_t n = 0; n < input.n && n < 300; n++) {
        size_t used_part = 0;
        enum proxy_read part = read(span_first(input, n), &client, &server, &used_part);
        FUZZ_REQUIRE(part == PROXY_MORE || (part == whole && (!decided || used_part == used)));
    }
}
