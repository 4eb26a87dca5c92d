/* Records in their table, and the counts of live sessions, against plain arrays that count the slow way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/counts.h"

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % sides;
}

enum { KEYS = 600, STEPS = 100000 };

static void records_match(const struct records *t, const uint32_t *want)
{
    size_t n = 0, walked = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        const struct record *r = records_find(t, key << 40);
        assert_int_equal(r != NULL ? r->n : 0, want[key]);
        n += r != NULL;
    }
    for (const struct record *r = records_next(t, NULL); r != NULL; r = records_next(t, r))
        walked++;
    assert_int_equal(n, t->n);
    assert_int_equal(walked, t->n);
}

static void records_come_and_go(void **state UNUSED)
{
    struct records t;
    uint32_t want[KEYS] = { 0 };
    records_init(&t, sizeof(struct record));
    records_match(&t, want);
    for (int step = 0; step < STEPS; step++) {
        /* Floods and droughts by turns, so that it grows and shrinks. */
        bool up = dice(10) < (step / 5000 % 2 == 0 ? 8U : 2U);
        uint32_t i = dice(KEYS);
        struct record *r = records_find(&t, (uint64_t)i << 40);
        if (up && r == NULL) {
            r = records_add(&t, (uint64_t)i << 40);
            assert_non_null(r);
            want[i] = r->n = dice(9) + 1;
        } else if (!up && r != NULL) {
            records_remove(&t, r);
            want[i] = 0;
        }
        if (step % 500 == 0)
            records_match(&t, want);
    }
    for (uint64_t i = 0; i < KEYS; i++)
        if (records_find(&t, i << 40) != NULL)
            records_remove(&t, records_find(&t, i << 40));
    assert_int_equal(t.n, 0);
    assert_true(t.room < 32);
    records_fini(&t);
}

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(span_of(text), 4711, &a));
    return a;
}

static bool add(struct live *l, uint64_t id, enum protocol protocol, const char *mailbox, const struct addr *client)
{
    return live_add(l, id, &(struct live_facts){ protocol, span_of(mailbox), client, false, 0 });
}

static void a_session_counts_for_its_time(void **state UNUSED)
{
    struct counts c;
    struct live l;
    struct addr home = address("192.0.2.1");
    bool over;
    counts_init(&c);
    live_init(&l, &c);
    assert_false(live_sign_in(&l, 7, &over));
    assert_true(add(&l, 7, POP3, "anna@x", &home));
    assert_false(add(&l, 7, POP3, "anna@x", &home));
    assert_true(live_has(&l, 7));
    assert_int_equal(counts_of_address(&c, &home), 1);
    assert_int_equal(counts_of_user(&c, POP3, SPAN("anna@x")), 0);
    assert_true(live_sign_in(&l, 7, &over));
    assert_false(over);
    assert_false(live_sign_in(&l, 7, &over));
    assert_int_equal(counts_of_user(&c, POP3, SPAN("anna@x")), 1);
    assert_int_equal(counts_of_user(&c, IMAP, SPAN("anna@x")), 0);
    live_refused(&l, 7); /* too late: no effect */
    assert_int_equal(c.sessions, 1);
    live_remove(&l, 7);
    live_remove(&l, 7);
    assert_int_equal(c.sessions + c.users.n + c.addresses.n, 0);
    assert_true(add(&l, 7, IMAP, "anna@x", NULL)); /* exempt */
    assert_int_equal(counts_of_address(&c, &home) + c.addresses.n, 0);
    live_refused(&l, 7);
    assert_false(live_has(&l, 7));
    live_fini(&l);
    counts_fini(&c);
}

static void a_full_user_does_not_get_in(void **state UNUSED)
{
    struct counts c;
    struct live l;
    struct addr home = address("192.0.2.1");
    bool over;
    counts_init(&c);
    live_init(&l, &c);
    assert_true(live_add(&l, 1, &(struct live_facts){ IMAP, SPAN("anna@x"), &home, true, 1 }));
    assert_int_equal(counts_of_address(&c, &home), 1);
    assert_false(live_sign_in(&l, 1, &over));
    assert_false(live_has(&l, 1));
    assert_int_equal(c.sessions + c.users.n + c.addresses.n, 0);
    live_fini(&l);
    counts_fini(&c);
}

/* Two logins under way together: the second to be accepted is one too many, and for its own protocol only. */
static void the_last_one_is_over(void **state UNUSED)
{
    struct counts c;
    struct live l;
    bool over;
    counts_init(&c);
    live_init(&l, &c);
    for (uint64_t id = 1; id <= 3; id++)
        assert_true(live_add(&l, id, &(struct live_facts){ id == 3 ? POP3 : IMAP, SPAN("anna@x"), NULL, false, 1 }));
    assert_true(live_sign_in(&l, 1, &over) && !over);
    assert_true(live_sign_in(&l, 3, &over) && !over);
    assert_true(live_sign_in(&l, 2, &over) && over);
    live_fini(&l);
    counts_fini(&c);
}

static void addresses_count_by_block(void **state UNUSED)
{
    struct counts c;
    struct live l;
    const char *const texts[] = { "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1" };
    const size_t want[] = { 1, 1, 2, 2, 1 };
    counts_init(&c);
    live_init(&l, &c);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct addr a = address(texts[i]);
        a.port = (uint16_t)i;
        assert_true(add(&l, i, IMAP, "u@x", &a));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct addr a = address(texts[i]);
        assert_int_equal(counts_of_address(&c, &a), want[i]);
    }
    live_fini(&l);
    assert_int_equal(c.sessions + c.addresses.n, 0);
    counts_fini(&c);
}

enum { CHANNELS = 3, IDS = 200, USERS = 7, ADDRESSES = 5 };

static struct model {
    bool alive, signed_in;
    uint32_t user, address;
    enum protocol protocol;
} model[CHANNELS][IDS];

static const char *const users[USERS] = { "a@x", "b@x", "c@x", "d@x", "e@x", "f@x", "" };
static const char *const addresses[ADDRESSES] = { "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:1::1", "::1" };

static void counts_match(const struct counts *c)
{
    size_t sessions = 0, of_user[PROTOCOLS][USERS] = { 0 }, of_address[ADDRESSES] = { 0 };
    for (const struct model *m = model[0]; m < model[0] + (size_t)CHANNELS * IDS; m++) {
        sessions += m->alive;
        of_user[m->protocol][m->user] += m->alive && m->signed_in;
        of_address[m->address] += m->alive;
    }
    assert_int_equal(c->sessions, sessions);
    for (size_t u = 0; u < USERS; u++)
        for (unsigned p = 0; p < PROTOCOLS; p++)
            assert_int_equal(counts_of_user(c, p, span_of(users[u])), of_user[p][u]);
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct addr a = address(addresses[i]);
        assert_int_equal(counts_of_address(c, &a), of_address[i]);
    }
}

static void play(struct live *l, struct model *m, uint64_t id)
{
    bool over;
    if (!m->alive) {
        *m = (struct model){ true, false, dice(USERS), dice(ADDRESSES), dice(PROTOCOLS) };
        struct addr a = address(addresses[m->address]);
        assert_true(add(l, id, m->protocol, users[m->user], &a));
    } else if (dice(3) == 0) {
        live_remove(l, id);
        m->alive = false;
    } else if (dice(4) == 0) {
        live_refused(l, id);
        m->alive = m->signed_in;
    } else {
        assert_int_equal(live_sign_in(l, id, &over), !m->signed_in);
        m->signed_in = true;
    }
}

static void many_sessions_on_many_channels(void **state UNUSED)
{
    struct counts c;
    struct live l[CHANNELS];
    counts_init(&c);
    for (size_t i = 0; i < CHANNELS; i++)
        live_init(&l[i], &c);
    for (int step = 0; step < 20000; step++) {
        uint32_t channel = dice(CHANNELS), id = dice(IDS);
        play(&l[channel], &model[channel][id], id);
        if (step % 1000 == 0)
            counts_match(&c);
    }
    for (size_t i = 0; i < CHANNELS; i++) { /* the fronts end one after the other */
        live_fini(&l[i]);
        memset(model[i], 0, sizeof model[i]);
        counts_match(&c);
    }
    assert_int_equal(c.sessions + c.users.n + c.addresses.n, 0);
    counts_fini(&c);
}

/* What the design allows a session in this process: about 100 bytes. */
static void a_session_is_small(void **state UNUSED)
{
    struct counts c;
    struct live l;
    enum { N = 50000 };
    bool over;
    counts_init(&c);
    live_init(&l, &c);
    for (uint32_t i = 0; i < N; i++) {
        char name[8] = { 'u', (char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676 % 26),
                         (char)('a' + i / 17576) };
        struct addr a = {
            .family = AF_INET, .bytes = {(uint8_t)(i >> 8), (uint8_t)i}
        };
        assert_true(add(&l, i, IMAP, name, &a));
        assert_true(live_sign_in(&l, i, &over));
    }
    assert_int_equal(c.users.n, N);
    size_t bytes = l.sessions.room * l.sessions.record_bytes + c.users.room * c.users.record_bytes +
                   c.addresses.room * c.addresses.record_bytes;
    print_message("%zu bytes a session when no two share user or address\n", bytes / N);
    assert_true(bytes / N < 128);
    live_fini(&l);
    counts_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_and_go),         cmocka_unit_test(a_session_counts_for_its_time),
        cmocka_unit_test(a_full_user_does_not_get_in), cmocka_unit_test(the_last_one_is_over),
        cmocka_unit_test(addresses_count_by_block),    cmocka_unit_test(many_sessions_on_many_channels),
        cmocka_unit_test(a_session_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
