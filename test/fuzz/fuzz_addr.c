/* Addresses and networks as text: what was read prints to something that is read as the same. */
#include "proxy/base/addr.h"

#include <stdio.h>

#include "test/fuzz/fuzz.h"

void fuzz_start(void)
{
}

void fuzz_one(struct span input)
{
    struct addr a, b;
    struct network network;
    char text[ADDR_TEXT_MAX];
    if (addr_parse(input, 993, &a)) {
        FUZZ_REQUIRE(addr_parse(span_of(addr_host_text(&a, text)), 993, &b) && addr_eq(&a, &b));
        a = addr_block(&a);
        FUZZ_REQUIRE(a.port == 0);
    }
    if (network_parse(input, &network)) {
        FUZZ_REQUIRE(network.bits <= (network.prefix.family == AF_INET ? 32 : 128));
        FUZZ_REQUIRE(network_has(&network, &network.prefix));
    }
}
