/* Messages between processes: each type there and back again, and everything else refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/net/ipc.h"

#include "test/unit/replay.h"

#define CLIENT                                                                                                         \
    {                                                                                                                  \
        .family = AF_INET6, .port = 51234, .scope = 3, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 7 }                       \
    }

/* clang-format off */
static const struct message samples[] = {
    { .type = MSG_BOOT, .id = 1, .boot = { .slot = 2, .generation = UINT64_MAX } },
    { .type = MSG_CHANNEL, .channel = { .to = 3 } },
    { .type = MSG_LISTEN, .listen = { .socket = 7, .listener = 1 << 16 } },
    { .type = MSG_UNLISTEN, .listen = { .socket = 8, .listener = 2 } },
    { .type = MSG_BUNDLE },
    { .type = MSG_TICKET_KEYS, .ticket_keys = { .keys = { "0123456789", 10 } } },
    { .type = MSG_MAP },
    { .type = MSG_ACCOUNTS },
    { .type = MSG_HOSTS },
    { .type = MSG_DRAIN, .drain = { .spread_ms = 60000, .deadline_ms = 1, .say_bye = 1 } },
    { .type = MSG_STATUS },
    { .type = MSG_CONTROL, .control = { .words = { "\3\0\0\0who", 7 } } },
    { .type = MSG_CONTROLLED, .controlled = { .status = 2, .more = 1, .number = 9, .who = { "front 1", 7 },
                                              .text = { "done", 4 } } },
    { .type = MSG_READY },
    { .type = MSG_FAILED, .text = { .text = { "no: \xff\0\n", 7 } } },
    { .type = MSG_UNLISTENED, .listen = { .socket = 9, .listener = 3 } },
    { .type = MSG_UNCONNECTED, .channel.to = 2 },
    { .type = MSG_CHECKED, .text = { .text = { "good", 4 } } },
    { .type = MSG_ASK, .id = UINT64_MAX, .ask = { .protocol = 1, .mechanism = 4, .trusted_hop = 1,
                                                  .tls = 1, .attempt = 255, .mark = 65535, .name = { "anna", 4 },
                                                  .authzid = { "", 0 }, .secret = { "s\0\xff", 3 },
                                                  .client = CLIENT } },
    { .type = MSG_CANCEL, .id = 5 },
    { .type = MSG_LOGIN_RESULT, .id = 5, .login_result = { .result = LOGIN_UNREACHABLE } },
    { .type = MSG_SESSION_GONE, .id = 5 },
    { .type = MSG_HOLD, .id = 5, .hold = { .protocol = 1, .signed_in = 1, .member = 77, .client = CLIENT,
                                           .mailbox = { "anna@x", 6 }, .site = { "north", 5 }, .reqid = UINT32_MAX,
                                           .mode = 1, .algorithms = 0xff, .local = CLIENT, .backend = CLIENT } },
    { .type = MSG_HELD },
    { .type = MSG_MARK_KEY, .mark_key = { .key = { "0123456789abcdef", 16 } } },
    { .type = MSG_VERDICT, .id = 5, .verdict = { .status = VERDICT_ADDRESS_FULL, .user_full = 1, .sessions_max = 50,
                                                 .delay = 4, .verified = 1, .delegate = { "b@x", 3 },
                                                 .store_login = { "b", 1 }, .password = { "secret", 6 },
                                                 .mailbox = { "a@x", 3 }, .site = { "n", 1 },
                                                 .store_name = { "X\\a", 3 }, .why = { "unknown", 7 } } },
    { .type = MSG_REVOKE, .id = 5, .revoke = { .why = 1 } },
    { .type = MSG_DIAL, .id = 5, .dial = { .protocol = 1, .ms_left = 30000, .site = { "n", 1 }, .mailbox = { "a@x", 3 },
                                           .tried = { "12345678abcdefgh", 16 } } },
    { .type = MSG_DIAL_OUTCOME, .id = 5, .dial_outcome = { .stage = STAGE_GONE, .fault = FAULT_OTHER, .ms = 3,
                                                           .why = { "timeout", 7 } } },
    { .type = MSG_IPSEC_CONFIRM, .id = 5 },
    { .type = MSG_IPSEC_CONFIRMED, .id = 5, .ipsec_confirmed = { .good = 1, .why = { "no_sa", 5 } } },
    { .type = MSG_IPSEC_GUARDED, .id = 5 },
    { .type = MSG_SPARE, .id = 5, .spare = { .protocol = 1, .member = 7, .site = { "n", 1 }, .host = { "h.test", 6 },
                                             .address = CLIENT } },
    { .type = MSG_SPARE_DROP, .id = 5 },
    { .type = MSG_SPARE_READY, .id = 5 },
    { .type = MSG_SPARE_GONE, .id = 5, .spare_gone = { .end = SPARE_UNWANTED, .why = { "drain", 5 } } },
    { .type = MSG_DIALED, .id = 5, .dialed = { .status = DIAL_LOOP, .member = 7, .ms = 8, .spare = 9, .host = { "h.test", 6 },
                                               .address = CLIENT, .why = { "loop", 4 } } },
};
/* clang-format on */

static const struct message *sample_of(enum message_type type)
{
    size_t i = 0;
    while (samples[i].type != type)
        i++;
    return &samples[i];
}

static struct span pack(const struct message *m, struct buf *to)
{
    buf_clear(to);
    assert_true(message_pack(m, to));
    return buf_span(to);
}

static void there_and_back_again(void **state UNUSED)
{
    struct buf first, second;
    bool seen[MSG_TYPES] = { false };
    buf_init(&first, IPC_BYTES_MAX);
    buf_init(&second, IPC_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct message got;
        struct span packet = pack(&samples[i], &first);
        assert_true(message_unpack(packet, &got));
        assert_int_equal(got.type, samples[i].type);
        assert_true(got.id == samples[i].id);
        assert_true(span_eq(pack(&got, &second), packet));
        seen[samples[i].type] = true;
    }
    for (int type = 1; type < MSG_TYPES; type++)
        if (!seen[type])
            fail_msg("no sample of \"%s\"", message_name((enum message_type)type));
    buf_fini(&first);
    buf_fini(&second);
}

static void fields_arrive(void **state UNUSED)
{
    struct buf packet;
    struct message m;
    struct addr client = CLIENT;
    buf_init(&packet, IPC_BYTES_MAX);
    const struct message *ask = sample_of(MSG_ASK);
    assert_true(message_unpack(pack(ask, &packet), &m));
    assert_int_equal(m.ask.protocol, 1);
    assert_int_equal(m.ask.mechanism, 4);
    assert_int_equal(m.ask.trusted_hop, 1);
    assert_true(span_eq(m.ask.name, SPAN("anna")));
    assert_int_equal(m.ask.authzid.n, 0);
    assert_int_equal(m.ask.mark, 65535);
    assert_true(span_eq(m.ask.secret, SPAN("s\0\xff")));
    assert_true(message_is_secret(MSG_ASK) && message_is_secret(MSG_VERDICT) && !message_is_secret(MSG_HOLD));
    assert_true(addr_eq(&m.ask.client, &client) && m.ask.client.scope == client.scope);
    assert_int_equal(m.n_fds, 0);
    buf_fini(&packet);
}

/* Does it refuse the bytes in memory of their own size? */
static bool is_refused(struct span packet)
{
    struct message m;
    char *exact = malloc(packet.n + (packet.n == 0));
    assert_non_null(exact);
    if (packet.n > 0)
        memcpy(exact, packet.at, packet.n);
    bool refused = !message_unpack(span_bytes(exact, packet.n), &m);
    free(exact);
    return refused;
}

static void what_is_cut_off_or_too_long_is_refused(void **state UNUSED)
{
    struct buf packet;
    buf_init(&packet, IPC_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct span whole = pack(&samples[i], &packet);
        for (size_t n = 0; n < whole.n; n++)
            if (!is_refused(span_first(whole, n)))
                fail_msg("%s: %zu of %zu octets are taken", message_name(samples[i].type), n, whole.n);
        assert_true(buf_add_byte(&packet, '\0'));
        assert_true(is_refused(buf_span(&packet)));
    }
    buf_fini(&packet);
}

/* A packet that is taken means one thing: packed again it is the same. */
static void check_canonical(struct span packet)
{
    struct buf again;
    struct message m;
    if (!message_unpack(packet, &m))
        return;
    buf_init(&again, IPC_BYTES_MAX);
    assert_true(message_pack(&m, &again));
    assert_true(span_eq(buf_span(&again), packet));
    buf_fini(&again);
}

static void every_octet_changed(void **state UNUSED)
{
    struct buf packet;
    buf_init(&packet, IPC_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        pack(&samples[i], &packet);
        for (size_t at = 0; at < packet.n; at++) {
            char was = packet.at[at];
            for (int value = 0; value < 256; value++) {
                packet.at[at] = (char)value;
                (void)is_refused(buf_span(&packet));
                check_canonical(buf_span(&packet));
            }
            packet.at[at] = was;
        }
    }
    buf_fini(&packet);
}

static void random_packets(void **state UNUSED)
{
    uint64_t seed = 3;
    char at[256];
    for (int i = 0; i < RANDOM_STRINGS / 10; i++) {
        struct span s = random_string(&seed, SPAN("\0\1\2\3"), at, sizeof at);
        if (s.n > 0)
            at[0] = (char)random_number(&seed, MSG_TYPES + 2);
        (void)is_refused(s);
        check_canonical(s);
    }
}

static void types_that_do_not_exist(void **state UNUSED)
{
    struct buf packet;
    char bytes[9] = { 0 };
    size_t least, most;
    buf_init(&packet, IPC_BYTES_MAX);
    for (int type = 0; type < 256; type += type == 0 ? MSG_TYPES : 1) {
        bytes[0] = (char)type;
        assert_true(is_refused(span_bytes(bytes, sizeof bytes)));
        assert_null(message_name((enum message_type)type));
        message_fds((enum message_type)type, &least, &most);
        assert_int_equal(most, 0);
        assert_false(message_pack(&(struct message){ .type = (enum message_type)type }, &packet));
    }
    assert_true(is_refused(SPAN_NONE));
    buf_fini(&packet);
}

/* What may not be sent does not leave either. */
static void bounds_hold_on_both_sides(void **state UNUSED)
{
    static char text[8193];
    struct message bad[] = {
        {.type = MSG_CHANNEL,       .channel.to = 8                             },
        { .type = MSG_DRAIN,        .drain.say_bye = 2                          },
        { .type = MSG_ASK,          .ask.protocol = 2                           },
        { .type = MSG_ASK,          .ask.mechanism = 8                          },
        { .type = MSG_ASK,          .ask.name = { text, 513 }                   },
        { .type = MSG_LOGIN_RESULT, .login_result.result = LOGIN_RESULTS        },
        { .type = MSG_HOLD,         .hold.signed_in = 2                         },
        { .type = MSG_HOLD,         .hold.site = { text, 257 }                  },
        { .type = MSG_VERDICT,      .verdict.status = VERDICT_STATUSES          },
        { .type = MSG_VERDICT,      .verdict.why = { text, MESSAGE_WHY_MAX + 1 }},
        { .type = MSG_REVOKE,       .revoke.why = 250                           },
        { .type = MSG_DIAL,         .dial.tried = { text, TRIED_MAX * 8 + 1 }   },
        { .type = MSG_DIAL_OUTCOME, .dial_outcome.stage = DIAL_STAGES           },
        { .type = MSG_DIAL_OUTCOME, .dial_outcome.fault = DIAL_FAULTS           },
        { .type = MSG_DIALED,       .dialed.status = DIAL_STATUSES              },
        { .type = MSG_DIALED,       .dialed.host = { text, 257 }                },
        { .type = MSG_FAILED,       .text.text = { text, 8193 }                 },
        { .type = MSG_TICKET_KEYS,  .ticket_keys.keys = { text, 80 * 3 + 1 }    },
    };
    struct buf packet;
    buf_init(&packet, IPC_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        buf_clear(&packet);
        if (message_pack(&bad[i], &packet))
            fail_msg("row %zu, %s, is packed", i, message_name(bad[i].type));
    }
    /* The same by hand: an enumeration out of its range, an address of no family. */
    struct span whole = pack(sample_of(MSG_LOGIN_RESULT), &packet);
    packet.at[whole.n - 1] = LOGIN_RESULTS;
    assert_true(is_refused(whole));
    whole = pack(sample_of(MSG_ASK), &packet);
    packet.at[whole.n - 23] = 99; /* family, port, scope, 16 octets */
    assert_true(is_refused(whole));
    buf_fini(&packet);
}

/* The longest of each fits a packet. */
static void the_longest_fits(void **state UNUSED)
{
    static char text[8192], secret[MESSAGE_SECRET_MAX];
    struct span name = { text, 512 }, site = { text, 256 }, why = { text, MESSAGE_WHY_MAX };
    struct message longest[] = {
        {.type = MSG_ASK,         .ask = { .name = name, .authzid = name, .secret = { secret, MESSAGE_SECRET_MAX } }},
        { .type = MSG_VERDICT,
         .verdict = { .mailbox = name,
                       .delegate = name,
                       .site = site,
                       .store_name = name,
                       .store_login = name,
                       .password = { text, 4096 },
                       .why = why }                                                                                 },
        { .type = MSG_HOLD,       .hold = { .mailbox = name, .site = site }                                         },
        { .type = MSG_DIAL,       .dial = { .mailbox = name, .site = site, .tried = { text, TRIED_MAX * 8 } }       },
        { .type = MSG_FAILED,     .text = { .text = { text, 8192 } }                                                },
        { .type = MSG_CONTROLLED, .controlled = { .who = why, .text = { text, 8192 } }                              },
    };
    struct buf packet;
    buf_init(&packet, IPC_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(longest); i++)
        assert_false(is_refused(pack(&longest[i], &packet)));
    buf_fini(&packet);
}

/* Two programs that were built alike understand each other. */
static void the_tables_have_a_number(void **state UNUSED)
{
    assert_true(messages_fingerprint() != 0);
    assert_true(messages_fingerprint() == messages_fingerprint());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back_again),
        cmocka_unit_test(fields_arrive),
        cmocka_unit_test(what_is_cut_off_or_too_long_is_refused),
        cmocka_unit_test(every_octet_changed),
        cmocka_unit_test(random_packets),
        cmocka_unit_test(types_that_do_not_exist),
        cmocka_unit_test(bounds_hold_on_both_sides),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(the_tables_have_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
