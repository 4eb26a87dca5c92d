/* Guessing costs, using does not: histories of attempts by a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/guesses/penalties.h"
#include "proxy/base/span.h"

enum { START_S = 1000000, HOUR_S = 3600, DAY_S = 24 * HOUR_S };

static const struct config usual = {
    .auth = {.free_failures = 3,
             .delay_points_max = 8,
             .guesses_per_account = 60,
             .guesses_per_address = 120,
             .known_address_days = 30},
    .limits.site_login_timeout_s = 30,
};

static struct penalties p;

/* Marks are short: by other keys two of a thousand might be the same one, in one run out of many. */
static void fix_keys(struct penalties *of)
{
    memset((char *)of->head + 32, 7, PENALTIES_KEY_BYTES);
}

static void open_with(const struct config *config, int fd)
{
    bool shared;
    assert_true(penalties_open(&p, config, fd, &shared));
    assert_int_equal(shared, fd >= 0);
    if (!shared)
        fix_keys(&p);
}

static struct guess_facts facts_of(const char *account, uint32_t host, uint16_t mark)
{
    struct guess_facts facts = { .account = span_of(account), .mark = mark };
    facts.client.family = AF_INET;
    for (int i = 0; i < 4; i++)
        facts.client.bytes[i] = (uint8_t)(host >> (8 * (3 - i)));
    return facts;
}

static int64_t ms(uint32_t at_s)
{
    return (int64_t)(START_S + at_s) * 1000;
}

static enum weight weigh(const char *account, uint32_t host, uint16_t mark, uint32_t at_s, struct guess *g)
{
    struct guess_facts facts = facts_of(account, host, mark);
    return penalties_weigh(&p, &facts, ms(at_s), g);
}

/* ---- histories ---- */

enum what { WRONG, RIGHT, LEFT, LEFT_LATE, OUTAGE };

/* `times` attempts with marks from `mark` on, `step_s` apart; all come to the same. Marks count up when `other`. */
struct act {
    unsigned times;
    uint32_t at_s;
    const char *account;
    uint32_t host;
    uint16_t mark;
    bool other;
    enum what what;
    enum weight weight; /* of each */
    unsigned delay;     /* of the last */
};

static const struct {
    const char *name;
    struct act acts[9];
} histories[] = {
    {"three are free, then it takes longer and longer",
     { { 3, 0, "a", 1, 1, true, WRONG, GUESS_JUDGE, 0 },
        { 1, 0, "a", 1, 4, true, WRONG, GUESS_JUDGE, 1 },
        { 1, 0, "a", 1, 5, true, WRONG, GUESS_JUDGE, 2 },
        { 1, 0, "a", 1, 6, true, WRONG, GUESS_JUDGE, 4 },
        { 1, 0, "a", 1, 7, true, WRONG, GUESS_JUDGE, 8 },
        { 5, 0, "a", 1, 8, true, WRONG, GUESS_JUDGE, 8 },
        { 1, HOUR_S, "a", 1, 99, true, WRONG, GUESS_JUDGE, 0 } }                                                 },
    { "a telephone with its old password costs one failure",
     { { 1000, 0, "a", 1, 1, false, WRONG, GUESS_JUDGE, 0 },
        { 1, 0, "a", 2, 1, false, WRONG, GUESS_JUDGE, 0 },
        { 2, 0, "a", 3, 2, true, WRONG, GUESS_JUDGE, 0 } }                                                       },
    { "successes feed nothing",
     { { 1000, 0, "a", 1, 1, false, RIGHT, GUESS_JUDGE, 0 },
        { 100, 0, "b", 1, 2, true, RIGHT, GUESS_JUDGE, 0 },
        { 3, 0, "a", 2, 3, true, WRONG, GUESS_JUDGE, 0 } }                                                       },
    { "successes mend nothing",
     { { 29, 0, "a", 2, 1, true, WRONG, GUESS_JUDGE, 8 },
        { 50, 0, "a", 1, 99, false, RIGHT, GUESS_JUDGE, 8 },
        { 1, 0, "b", 2, 1, false, RIGHT, GUESS_JUDGE, 8 },
        { 1, 0, "a", 3, 98, true, WRONG, GUESS_JUDGE, 8 },
        { 1, 0, "a", 4, 97, true, WRONG, GUESS_REFUSE, 8 } }                                                     },
    { "outages feed nothing",
     { { 500, 0, "a", 1, 1, true, OUTAGE, GUESS_JUDGE, 0 }, { 3, 0, "a", 1, 1, true, WRONG, GUESS_JUDGE, 0 } }   },
    { "who does not wait for the answer has failed too",
     { { 3, 0, "a", 1, 1, true, LEFT, GUESS_JUDGE, 0 }, { 1, 0, "a", 1, 4, true, LEFT, GUESS_JUDGE, 1 } }        },
    { "who has waited for long has not",
     { { 500, 0, "a", 1, 1, true, LEFT_LATE, GUESS_JUDGE, 0 }, { 3, 0, "a", 1, 1, true, WRONG, GUESS_JUDGE, 0 } }},
    { "the owner gets in while others are refused unseen, and from elsewhere he is not told from them",
     { { 1, 0, "a", 1, 999, false, RIGHT, GUESS_JUDGE, 0 },
        { 30, 0, "a", 2, 1, true, WRONG, GUESS_JUDGE, 8 },
        { 100, 0, "a", 3, 50, true, WRONG, GUESS_REFUSE, 8 },
        { 1, 0, "a", 3, 999, true, RIGHT, GUESS_REFUSE, 8 },
        { 50, 0, "a", 1, 999, false, RIGHT, GUESS_JUDGE, 8 },
        { 1, 0, "b", 3, 1, true, WRONG, GUESS_JUDGE, 0 },
        { 1, 120, "a", 3, 50, true, WRONG, GUESS_JUDGE, 8 },
        { 1, 121, "a", 3, 51, true, WRONG, GUESS_REFUSE, 8 } }                                                   },
    { "a known address has as many guesses for itself, and what it fails counts for the account",
     { { 1, 0, "a", 1, 999, false, RIGHT, GUESS_JUDGE, 0 },
        { 30, 0, "a", 1, 1, true, WRONG, GUESS_JUDGE, 8 },
        { 1, 0, "a", 1, 31, true, WRONG, GUESS_REFUSE, 8 },
        { 1, 0, "a", 2, 32, true, WRONG, GUESS_REFUSE, 8 },
        { 1, HOUR_S, "a", 1, 999, false, RIGHT, GUESS_JUDGE, 0 } }                                               },
    { "an address is forgotten when it has not been used for long",
     { { 1, 0, "a", 1, 999, false, RIGHT, GUESS_JUDGE, 0 },
        { 30, 30 * DAY_S - 9, "a", 2, 1, true, WRONG, GUESS_JUDGE, 8 },
        { 1, 30 * DAY_S - 8, "a", 1, 50, true, OUTAGE, GUESS_JUDGE, 8 },
        { 1, 30 * DAY_S + 1, "a", 1, 999, false, RIGHT, GUESS_REFUSE, 8 } }                                      },
    { "an address has four times as many free ones, and what is wrong elsewhere already costs it nothing",
     { { 4, 0, "a", 1, 1, true, WRONG, GUESS_JUDGE, 1 },
        { 4, 0, "a", 2, 1, true, WRONG, GUESS_JUDGE, 1 },
        { 3, 0, "b", 2, 1, true, WRONG, GUESS_JUDGE, 0 },
        { 3, 0, "c", 2, 1, true, WRONG, GUESS_JUDGE, 0 },
        { 3, 0, "d", 2, 1, true, WRONG, GUESS_JUDGE, 0 },
        { 3, 0, "e", 2, 1, true, WRONG, GUESS_JUDGE, 0 },
        { 1, 0, "f", 2, 1, true, WRONG, GUESS_JUDGE, 1 },
        { 1, 0, "f", 3, 1, true, WRONG, GUESS_JUDGE, 0 } }                                                       },
};

static void perform(const struct act *act)
{
    static const enum guess_end ends[] = { [WRONG] = GUESS_WRONG,
                                           [RIGHT] = GUESS_RIGHT,
                                           [LEFT] = GUESS_LEFT,
                                           [LEFT_LATE] = GUESS_LEFT,
                                           [OUTAGE] = GUESS_UNJUDGED };
    struct guess g = { 0 };
    for (unsigned i = 0; i < act->times; i++) {
        uint16_t mark = (uint16_t)(act->mark + (act->other ? i : 0));
        int64_t later_ms = act->what == LEFT_LATE ? GUESS_PATIENCE_MS : 0;
        assert_int_equal(weigh(act->account, act->host, mark, act->at_s, &g), act->weight);
        penalties_settle(&p, &g, ends[act->what], ms(act->at_s) + later_ms);
        penalties_settle(&p, &g, GUESS_WRONG, ms(act->at_s)); /* no effect twice */
    }
    assert_int_equal(g.delay, act->delay);
}

static void all_histories(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(histories); i++) {
        print_message("  %s\n", histories[i].name);
        open_with(&usual, -1);
        for (const struct act *act = histories[i].acts; act->times > 0; act++)
            perform(act);
        penalties_close(&p);
    }
}

/* ---- floods ---- */

/* Attempts of 1,000 addresses, two a second, for three hours: no hour of it sees more than 60 judged. */
static void ten_thousand_passwords_from_a_thousand_addresses(void **state)
{
    static uint32_t judged_at_s[20000];
    size_t n = 0, owner = 0;
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    assert_int_equal(weigh("anna", 1, 9, 0, &g), GUESS_JUDGE);
    penalties_settle(&p, &g, GUESS_RIGHT, ms(0));
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t at_s = i / 2;
        if (weigh("anna", 100 + i % 1000, (uint16_t)(10 + i), at_s, &g) == GUESS_JUDGE)
            judged_at_s[n++] = at_s;
        penalties_settle(&p, &g, GUESS_WRONG, ms(at_s));
        if (i % 100 != 0)
            continue;
        assert_int_equal(weigh("anna", 1, 9, at_s, &g), GUESS_JUDGE);
        penalties_settle(&p, &g, GUESS_RIGHT, ms(at_s));
        owner++;
    }
    for (size_t from = 0, to = 0; from < n; from++) {
        while (to < n && judged_at_s[to] < judged_at_s[from] + HOUR_S)
            to++;
        assert_true(to - from <= 60);
    }
    assert_true(n > 60 && owner == 200);
    penalties_close(&p);
}

static void all_at_once_wait_for_one_another(void **state)
{
    static struct guess flying[1000];
    size_t judged = 0, waiting = 0;
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    for (uint32_t i = 0; i < 1000; i++) {
        enum weight weight = weigh("anna", 100 + i, (uint16_t)(1 + i), 0, &flying[i]);
        judged += weight == GUESS_JUDGE;
        waiting += weight == GUESS_WAIT;
    }
    assert_int_equal(judged, 30);
    assert_int_equal(waiting, 970);
    assert_true(penalties_waits(&p, &flying[999], ms(0)));
    assert_int_equal(weigh("anna", 5000, 1, 0, &g), GUESS_JUDGE); /* no other than one that is being judged */
    penalties_settle(&p, &g, GUESS_UNJUDGED, ms(0));
    /* One was right: there is room for one, and what was known of it is not a failure. */
    penalties_settle(&p, &flying[0], GUESS_RIGHT, ms(0));
    assert_false(penalties_waits(&p, &flying[999], ms(0)));
    for (uint32_t i = 1; i < 30; i++)
        penalties_settle(&p, &flying[i], GUESS_WRONG, ms(0));
    assert_int_equal(weigh("anna", 5001, 5001, 0, &g), GUESS_JUDGE);
    assert_int_equal(weigh("anna", 5002, 5002, 0, &flying[30]), GUESS_WAIT);
    penalties_settle(&p, &g, GUESS_WRONG, ms(0));
    assert_false(penalties_waits(&p, &flying[30], ms(0)));
    assert_int_equal(weigh("anna", 5002, 5002, 0, &g), GUESS_REFUSE);
    assert_int_equal(penalties_refused(&p), 1);
    penalties_close(&p);
}

/* A shared mailbox whose fifty programs start together; an office whose people do. */
static void many_that_use_are_not_many_that_guess(void **state)
{
    static struct guess flying[500];
    char name[16];
    (void)state;
    open_with(&usual, -1);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(weigh("shared", i, 7, 0, &flying[i]), GUESS_JUDGE);
    for (uint32_t i = 0; i < 50; i++)
        penalties_settle(&p, &flying[i], GUESS_RIGHT, ms(0));
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "user%u", i);
        assert_int_equal(weigh(name, 77, (uint16_t)(1 + i), 0, &flying[i]), GUESS_JUDGE);
    }
    for (uint32_t i = 0; i < 500; i++)
        penalties_settle(&p, &flying[i], GUESS_RIGHT, ms(0));
    penalties_close(&p);
}

/* Behind one address of a provider, each with a password of its own that was right once; every minute of a day. */
static void a_hundred_telephones_with_old_passwords(void **state)
{
    char name[16];
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    for (uint32_t at_s = 0; at_s < DAY_S; at_s += 60) {
        for (uint32_t i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "user%u", i);
            enum weight weight = weigh(name, 77, (uint16_t)(1 + i), at_s, &g);
            penalties_settle(&p, &g, GUESS_WRONG, ms(at_s));
            assert_true(weight == GUESS_JUDGE || at_s < 4 * HOUR_S); /* the first time each is a failure */
        }
    }
    assert_int_equal(weigh("new", 77, 1, DAY_S, &g), GUESS_JUDGE);
    assert_int_equal(g.delay, 0);
    penalties_close(&p);
}

static void a_detail_makes_no_other_account(void **state)
{
    static const struct {
        const char *name;
        bool same; /* as anna@x */
    } names[] = {
        {"anna@x",         true },
        { "anna+@x",       true },
        { "anna+lists@x",  true },
        { "anna+a+b@x",    true },
        { "anna+a@b@x",    true },
        { "anna@x+y",      false},
        { "anna+lists",    false},
        { "anna",          false},
        { "+lists@x",      false},
        { "annas+lists@x", false},
        { "anna+lists@y",  false},
    };
    struct guess anna, g;
    (void)state;
    open_with(&usual, -1);
    (void)weigh("anna@x", 1, 1, 0, &anna);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)weigh(names[i].name, 1, 1, 0, &g);
        assert_int_equal(g.account == anna.account, names[i].same);
    }
    penalties_close(&p);
}

static void one_password_for_many_names(void **state)
{
    static const unsigned delays[] = { [12] = 1, 2, 4, 8, 8 };
    char name[16];
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "user%u", i);
        assert_int_equal(weigh(name, 77, 1, 0, &g), i < 60 ? GUESS_JUDGE : GUESS_REFUSE);
        assert_int_equal(g.delay, i < COUNT_OF(delays) ? delays[i] : 8);
        penalties_settle(&p, &g, GUESS_WRONG, ms(0));
    }
    assert_int_equal(weigh("user0", 78, 1, 0, &g), GUESS_JUDGE);
    penalties_close(&p);
}

/* What an attacker may try against an account whose owner is known: a million names, and an account of his own from
 * everywhere. */
static void nobody_washes_anything_away(void **state)
{
    char name[16];
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    assert_int_equal(weigh("anna", 1, 9, 0, &g), GUESS_JUDGE);
    penalties_settle(&p, &g, GUESS_RIGHT, ms(0));
    perform(&(struct act){ 30, 0, "anna", 2, 100, true, WRONG, GUESS_JUDGE, 8 });
    for (uint32_t i = 0; i < 1000000; i++) {
        snprintf(name, sizeof name, "x%u", i);
        if (weigh(name, 1000 + i / 2, (uint16_t)(1 + i % 3), 0, &g) == GUESS_JUDGE)
            penalties_settle(&p, &g, GUESS_WRONG, ms(0));
    }
    for (uint32_t i = 0; i < 200000; i++) {
        assert_int_equal(weigh("mallory", 1 << 24 | i, 1, 0, &g), GUESS_JUDGE);
        penalties_settle(&p, &g, GUESS_RIGHT, ms(1));
    }
    perform(&(struct act){ 1, 1, "anna", 2, 500, true, WRONG, GUESS_REFUSE, 8 });
    perform(&(struct act){ 1, 1, "anna", 1, 9, false, RIGHT, GUESS_JUDGE, 8 });
    penalties_close(&p);
}

static void an_account_knows_its_last_addresses(void **state)
{
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    for (uint32_t i = 0; i < 3 * KNOWN_MOST; i++) { /* the first one is home, and used every day */
        for (uint32_t host = 0; host <= i; host += i > 0 ? i : 1) {
            assert_int_equal(weigh("anna", host, 1, i, &g), GUESS_JUDGE);
            penalties_settle(&p, &g, GUESS_RIGHT, ms(i));
        }
    }
    perform(&(struct act){ 30, 30, "anna", 1 << 24, 100, true, WRONG, GUESS_JUDGE, 8 });
    perform(&(struct act){ 1, 30, "anna", 0, 1, false, OUTAGE, GUESS_JUDGE, 8 });
    for (uint32_t host = 1; host < 3 * KNOWN_MOST; host++) {
        enum weight weight = weigh("anna", host, 1, 30, &g);
        assert_int_equal(weight, host > 2 * KNOWN_MOST ? GUESS_JUDGE : GUESS_REFUSE);
        penalties_settle(&p, &g, GUESS_UNJUDGED, ms(30));
    }
    penalties_close(&p);
}

/* ---- what an answer tells ---- */

/* A name that nobody has is refused at once, one that somebody has when it has been judged, perhaps several together
 * and in any order: delays must not differ. */
static void unknown_names_are_like_known_ones(void **state)
{
    struct penalties at_once, later;
    bool shared;
    (void)state;
    assert_true(penalties_open(&at_once, &usual, -1, &shared) && penalties_open(&later, &usual, -1, &shared));
    fix_keys(&at_once);
    fix_keys(&later);
    srand(1);
    for (uint32_t round = 0; round < 3000; round++) {
        struct guess one, many[6];
        size_t n = 1 + (size_t)rand() % COUNT_OF(many);
        int64_t now_ms = ms(round * 200); /* slow enough that none of them is ever refused unseen */
        for (size_t i = 0; i < n; i++) {
            struct guess_facts facts = facts_of("x", (uint32_t)rand() % 3, (uint16_t)(1 + rand() % 9 + round % 2 * 9));
            enum weight weight = penalties_weigh(&at_once, &facts, now_ms, &one);
            penalties_settle(&at_once, &one, GUESS_WRONG, now_ms);
            assert_int_equal(penalties_weigh(&later, &facts, now_ms, &many[i]), weight);
            assert_int_equal(many[i].delay, one.delay);
        }
        for (size_t i = n; i > 0; i--) {
            size_t any = (size_t)rand() % i;
            penalties_settle(&later, &many[any], GUESS_WRONG, now_ms);
            many[any] = many[i - 1];
        }
    }
    penalties_close(&at_once);
    penalties_close(&later);
}

/* Who shares an address with somebody finds out from no delay that this one signs in from there. */
static void a_known_address_shows_in_no_refusal(void **state)
{
    struct guess known, other;
    (void)state;
    open_with(&usual, -1);
    struct penalties with = p;
    open_with(&usual, -1);
    struct penalties without = p;
    struct guess_facts facts = facts_of("anna", 1, 999);
    assert_int_equal(penalties_weigh(&with, &facts, ms(0), &known), GUESS_JUDGE);
    penalties_settle(&with, &known, GUESS_RIGHT, ms(0));
    for (uint32_t i = 0; i < 200; i++) {
        facts = facts_of(i % 3 == 0 ? "bert" : "anna", 1, (uint16_t)(1 + i));
        penalties_weigh(&with, &facts, ms(i * 7), &known);
        penalties_weigh(&without, &facts, ms(i * 7), &other);
        assert_int_equal(known.delay, other.delay);
        penalties_settle(&with, &known, GUESS_WRONG, ms(i * 7));
        penalties_settle(&without, &other, GUESS_WRONG, ms(i * 7));
    }
    penalties_close(&with);
    penalties_close(&without);
}

/* ---- the memory ---- */

static void what_is_learned_outlives_the_process(void **state)
{
    struct config more = usual;
    char key[PENALTIES_KEY_BYTES];
    (void)state;
    more.auth.guesses_per_account = 62;
    int fd = memfd_create("guesses", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, PENALTIES_BYTES), 0);
    open_with(&usual, fd);
    memcpy(key, penalties_mark_key(&p).at, sizeof key);
    perform(&(struct act){ 1, 0, "anna", 1, 9, false, RIGHT, GUESS_JUDGE, 0 });
    perform(&(struct act){ 30, 0, "anna", 2, 100, true, WRONG, GUESS_JUDGE, 8 });
    perform(&(struct act){ 5, 0, "anna", 2, 150, true, WRONG, GUESS_REFUSE, 8 });
    penalties_close(&p);
    open_with(&usual, fd);
    assert_memory_equal(key, penalties_mark_key(&p).at, sizeof key);
    assert_int_equal(penalties_refused(&p), 5);
    perform(&(struct act){ 1, 0, "anna", 2, 200, true, WRONG, GUESS_REFUSE, 8 });
    perform(&(struct act){ 1, 0, "anna", 1, 9, false, RIGHT, GUESS_JUDGE, 8 });
    penalties_close(&p);
    open_with(&more, fd); /* another configuration reads it in its own way */
    perform(&(struct act){ 1, 0, "anna", 2, 201, true, WRONG, GUESS_JUDGE, 8 });
    perform(&(struct act){ 1, 0, "anna", 2, 202, true, WRONG, GUESS_REFUSE, 8 });
    penalties_close(&p);
    close(fd);
}

/* Written by nobody we know, or damaged behind its head: nothing that reads it falls over. */
static void foreign_memory_is_harmless(void **state)
{
    struct guess g;
    (void)state;
    int fd = memfd_create("guesses", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, PENALTIES_BYTES), 0);
    unsigned char *at = mmap(NULL, PENALTIES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    for (size_t i = 0; i < PENALTIES_BYTES; i += 509)
        at[i] = (unsigned char)(1 + i);
    open_with(&usual, fd);
    perform(&(struct act){ 3, 0, "anna", 2, 100, true, WRONG, GUESS_JUDGE, 0 }); /* it has been cleared */
    for (size_t i = PENALTIES_HEAD; i < PENALTIES_BYTES; i++)
        at[i] = (unsigned char)(i * 2654435761U >> 13);
    for (uint32_t i = 0; i < 1000; i++) {
        if (weigh(i % 2 == 0 ? "anna" : "bert", i, (uint16_t)i, i, &g) == GUESS_JUDGE)
            penalties_settle(&p, &g, i % 3 == 0 ? GUESS_RIGHT : GUESS_WRONG, ms(i));
    }
    penalties_close(&p);
    munmap(at, PENALTIES_BYTES);
    close(fd);
    fd = memfd_create("short", MFD_CLOEXEC);
    bool shared;
    assert_true(penalties_open(&p, &usual, fd, &shared));
    assert_false(shared);
    penalties_close(&p);
    close(fd);
}

/* ---- limits and forgiveness ---- */

static void limits_can_be_off(void **state)
{
    struct config off = usual;
    (void)state;
    off.auth.guesses_per_account = off.auth.guesses_per_address = off.auth.delay_points_max = 0;
    open_with(&off, -1);
    perform(&(struct act){ 500, 0, "anna", 1, 1, true, WRONG, GUESS_JUDGE, 0 });
    penalties_close(&p);
    off = usual;
    off.auth.known_address_days = 0;
    open_with(&off, -1);
    perform(&(struct act){ 1, 0, "anna", 1, 999, false, RIGHT, GUESS_JUDGE, 0 });
    perform(&(struct act){ 30, 0, "anna", 2, 1, true, WRONG, GUESS_JUDGE, 8 });
    perform(&(struct act){ 1, 0, "anna", 1, 999, false, RIGHT, GUESS_REFUSE, 8 });
    penalties_close(&p);
}

static void an_exempt_address_pays_nothing_but_its_accounts_do(void **state)
{
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    for (uint32_t i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        struct guess_facts facts = facts_of(name, 1, 1);
        facts.exempt = true;
        assert_int_equal(penalties_weigh(&p, &facts, ms(0), &g), GUESS_JUDGE);
        assert_int_equal(g.delay, 0);
        penalties_settle(&p, &g, GUESS_WRONG, ms(0));
    }
    for (uint16_t mark = 1; mark <= 31; mark++) {
        struct guess_facts facts = facts_of("anna", 1, mark);
        facts.exempt = true;
        assert_int_equal(penalties_weigh(&p, &facts, ms(0), &g), mark <= 30 ? GUESS_JUDGE : GUESS_REFUSE);
        penalties_settle(&p, &g, GUESS_WRONG, ms(0));
    }
    penalties_close(&p);
}

static void a_block_of_ipv6_is_one(void **state)
{
    struct guess g;
    (void)state;
    open_with(&usual, -1);
    for (uint8_t i = 0; i < 14; i++) {
        struct guess_facts facts = { .account = SPAN("n"), .mark = i + 1 };
        facts.client = (struct addr){
            .family = AF_INET6, .bytes = {0x20, 1, 0xd, 0xb8, [7] = i == 13, [15] = i}
        };
        facts.account.at = &"abcdefghijklmn"[i];
        penalties_weigh(&p, &facts, ms(0), &g);
        assert_int_equal(g.delay, i == 12);
        penalties_settle(&p, &g, GUESS_WRONG, ms(0));
    }
    penalties_close(&p);
}

static void an_admin_forgives(void **state)
{
    struct network network;
    (void)state;
    open_with(&usual, -1);
    perform(&(struct act){ 1, 0, "anna", 1, 999, false, RIGHT, GUESS_JUDGE, 0 });
    perform(&(struct act){ 30, 0, "anna", 1, 1, true, WRONG, GUESS_JUDGE, 8 });
    perform(&(struct act){ 1, 0, "anna", 1, 999, false, RIGHT, GUESS_REFUSE, 8 });
    penalties_forgive_account(&p, SPAN("anna"));
    perform(
        &(struct act){ 1, 0, "anna", 1, 999, false, RIGHT, GUESS_JUDGE, 8 }); /* the address has not been forgiven */
    assert_true(network_parse(SPAN("0.0.0.0/24"), &network) && penalties_forgive_network(&p, &network));
    perform(&(struct act){ 1, 0, "anna", 1, 999, false, RIGHT, GUESS_JUDGE, 0 });
    perform(&(struct act){ 12, 0, "bert", 256, 1, true, WRONG, GUESS_JUDGE, 8 });
    assert_true(penalties_forgive_network(&p, &network)); /* 0.0.1.0 is not in it */
    perform(&(struct act){ 1, 0, "carl", 256, 9, true, WRONG, GUESS_JUDGE, 1 });
    assert_true(network_parse(SPAN("0.0.0.0/16"), &network) && penalties_forgive_network(&p, &network));
    perform(&(struct act){ 1, 0, "carl", 256, 10, true, WRONG, GUESS_JUDGE, 0 });
    assert_true(network_parse(SPAN("0.0.1.0"), &network) && penalties_forgive_network(&p, &network));
    assert_true(network_parse(SPAN("2001:db8::/48"), &network) && penalties_forgive_network(&p, &network));
    assert_true(network_parse(SPAN("2001:db8::1"), &network) && penalties_forgive_network(&p, &network));
    assert_true(network_parse(SPAN("10.0.0.0/15"), &network));
    assert_false(penalties_forgive_network(&p, &network));
    assert_true(network_parse(SPAN("2001:db8::/47"), &network));
    assert_false(penalties_forgive_network(&p, &network));
    penalties_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_histories),
        cmocka_unit_test(ten_thousand_passwords_from_a_thousand_addresses),
        cmocka_unit_test(all_at_once_wait_for_one_another),
        cmocka_unit_test(many_that_use_are_not_many_that_guess),
        cmocka_unit_test(a_hundred_telephones_with_old_passwords),
        cmocka_unit_test(one_password_for_many_names),
        cmocka_unit_test(a_detail_makes_no_other_account),
        cmocka_unit_test(nobody_washes_anything_away),
        cmocka_unit_test(an_account_knows_its_last_addresses),
        cmocka_unit_test(unknown_names_are_like_known_ones),
        cmocka_unit_test(a_known_address_shows_in_no_refusal),
        cmocka_unit_test(what_is_learned_outlives_the_process),
        cmocka_unit_test(foreign_memory_is_harmless),
        cmocka_unit_test(limits_can_be_off),
        cmocka_unit_test(an_exempt_address_pays_nothing_but_its_accounts_do),
        cmocka_unit_test(a_block_of_ipv6_is_one),
        cmocka_unit_test(an_admin_forgives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
