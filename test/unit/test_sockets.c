/* Whose port is it, and which front takes which socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/supervisor/assign.h"
#include "proxy/supervisor/occupant.h"
#include "proxy/supervisor/settings.h"

#define TAIL " 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0"
#define ANY6 "00000000000000000000000000000000"

static const struct {
    const char *address;
    uint16_t port;
    const char *line;
    bool is_it;
} rows[] = {
  /* 127.0.0.1, 0x03E1 = 993; 0A is LISTEN, 01 an established connection */
    {"127.0.0.1",  993, "   0: 0100007F:03E1 00000000:0000 0A" TAIL,                          true },
    { "127.0.0.1", 993, "  12: 00000000:03E1 00000000:0000 0A" TAIL,                          true },
    { "127.0.0.1", 993, "   0: 0200007F:03E1 00000000:0000 0A" TAIL,                          false},
    { "0.0.0.0",   993, "   0: 0200007F:03E1 00000000:0000 0A" TAIL,                          true },
    { "127.0.0.1", 993, "   0: 0100007F:03E1 0100007F:9999 01" TAIL,                          false},
    { "127.0.0.1", 995, "   0: 0100007F:03E1 00000000:0000 0A" TAIL,                          false},
    { "127.0.0.1", 993, "   0: " ANY6 ":03E1 " ANY6 ":0000 0A" TAIL,                          true }, /* dual stack */
    { "::1",       993, "   0: 00000000000000000000000001000000:03E1 " ANY6 ":0000 0A" TAIL,  true },
    { "::1",       993, "   0: 00000000000000000000000002000000:03E1 " ANY6 ":0000 0A" TAIL,  false},
    { "::1",       993, "   0: 0100007F:03E1 00000000:0000 0A" TAIL,                          false},
    { "127.0.0.1", 993, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when", false},
    { "127.0.0.1", 993, "",                                                                   false},
};

static void test_table_of_sockets(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct addr a;
        unsigned long inode = 0;
        assert_true(addr_parse(span_of(rows[i].address), rows[i].port, &a));
        if (occupant_parse(rows[i].line, &a, &inode) != rows[i].is_it)
            fail_msg("row %zu: %s", i, rows[i].line);
        if (rows[i].is_it)
            assert_int_equal(inode, 4711);
    }
}

static const struct {
    bool can[4];
    size_t picks[6]; /* for slots 0 to 5 */
} fronts[] = {
    {{ true, true, true, true },      { 0, 1, 2, 3, 0, 1 }}, /* more sockets than fronts: spread */
    { { true, false, true, true },    { 0, 2, 2, 3, 0, 2 }},
    { { false, false, false, true },  { 3, 3, 3, 3, 3, 3 }},
    { { false, false, false, false }, { 4, 4, 4, 4, 4, 4 }},
};

static void test_picks(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(fronts); i++)
        for (size_t slot = 0; slot < COUNT_OF(fronts[i].picks); slot++)
            assert_int_equal(assign_pick(fronts[i].can, 4, slot), fronts[i].picks[slot]);
}

static void test_listeners(void **state UNUSED)
{
    struct listener_config imap[2] = {
        {.protocol = IMAP,  .tls = TLS_MODE_IMPLICIT},
        { .protocol = IMAP, .tls = TLS_MODE_STARTTLS}
    };
    struct listener_config pop3[1] = {
        {.protocol = POP3, .tls = TLS_MODE_STARTTLS}
    };
    struct config config = {
        .protocols = {[IMAP] = { .on = true, .listeners = imap, .n_listeners = 2 },
                      [POP3] = { .on = true, .listeners = pop3, .n_listeners = 1 }}
    };
    struct settings settings = { .config = &config };
    struct addr unknown;
    struct buf text;
    uint64_t listener;
    assert_true(addr_parse(SPAN("0.0.0.0"), 993, &imap[0].address) && addr_parse(SPAN("::1"), 143, &imap[1].address) &&
                addr_parse(SPAN("0.0.0.0"), 110, &pop3[0].address) && addr_parse(SPAN("0.0.0.0"), 143, &unknown));
    assert_true(settings_listener(&settings, &imap[1].address, &listener));
    assert_int_equal(listener, IMAP << 16 | 1);
    assert_true(settings_listener(&settings, &pop3[0].address, &listener));
    assert_int_equal(listener, POP3 << 16);
    assert_false(settings_listener(&settings, &unknown, &listener));
    buf_init(&text, 1024);
    assert_true(settings_tell(&config, &text));
    assert_true(span_eq(buf_span(&text),
                        SPAN("POP3: 0.0.0.0:110 (STLS), IMAP4: 0.0.0.0:993 (implicit TLS), [::1]:143 (STARTTLS)")));
    buf_clear(&text);
    config.protocols[IMAP].on = config.protocols[POP3].on = false;
    assert_true(settings_tell(&config, &text));
    assert_true(span_eq(buf_span(&text), SPAN("POP3: off, IMAP4: off")));
    assert_false(settings_listener(&settings, &imap[1].address, &listener));
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_sockets),
        cmocka_unit_test(test_picks),
        cmocka_unit_test(test_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
