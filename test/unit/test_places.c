/* Places: each case is a script of what claims and leases do, with what must come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "backends/members/places.h"

enum { A = 101, B = 102, C = 103, PEOPLE = 4 };

enum what {
    END,
    CLAIM,     /* a claim for anna at site 0 */
    ELSEWHERE, /* a claim for anna at site 1 */
    LOOK,      /* says: … (member) */
    REFUSE,    /* says: … */
    SETTLE,    /* at member; says: 1 now, 0 others have to go first */
    GRANT,     /* at member */
    UNCLAIM,
    IN, /* signed in */
    GONE,
    HOLD,    /* at member, signed in */
    PENDING, /* at member, not signed in */
    TURN,    /* must have got its turn since it was asked last */
    NO_TURN,
    REVOKED, /* must have been revoked since it was asked last */
    NOT_REVOKED,
};

struct step {
    enum what what;
    int who;
    int says;
    uint64_t member;
};

static const struct {
    const char *name;
    struct step steps[28];
} cases[] = {
    {"the first chooses, the next follows",
     { { CLAIM, 0, 0, 0 },
        { LOOK, 0, PLACE_CHOOSE, 0 },
        { SETTLE, 0, 1, A },
        { GRANT, 0, 0, A },
        { CLAIM, 1, 0, 0 },
        { LOOK, 1, PLACE_GO, A },
        { GRANT, 1, 0, A },
        { GONE, 0, 0, 0 },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_GO, A },
        { UNCLAIM, 2, 0, 0 },
        { GONE, 1, 0, 0 },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_CHOOSE, 0 } /* nobody lives there any more */ }                                       },
    { "two at the same time share the choice",
     { { CLAIM, 0, 0, 0 },
        { LOOK, 0, PLACE_CHOOSE, 0 },
        { CLAIM, 1, 0, 0 },
        { LOOK, 1, PLACE_WAIT, 0 },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_WAIT, 0 },
        { NO_TURN, 1, 0, 0 },
        { SETTLE, 0, 1, B },
        { GRANT, 0, 0, B },
        { TURN, 1, 0, 0 },
        { TURN, 2, 0, 0 },
        { LOOK, 1, PLACE_GO, B },
        { LOOK, 2, PLACE_GO, B } }                                                                             },
    { "the chooser gives up, one of the others chooses",
     { { CLAIM, 0, 0, 0 },
        { LOOK, 0, PLACE_CHOOSE, 0 },
        { CLAIM, 1, 0, 0 },
        { LOOK, 1, PLACE_WAIT, 0 },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_WAIT, 0 },
        { UNCLAIM, 0, 0, 0 },
        { UNCLAIM, 0, 0, 0 },
        { TURN, 1, 0, 0 },
        { TURN, 2, 0, 0 },
        { LOOK, 2, PLACE_CHOOSE, 0 },
        { LOOK, 1, PLACE_WAIT, 0 } }                                                                           },
    { "two sites are two places",
     { { CLAIM, 0, 0, 0 }, { LOOK, 0, PLACE_CHOOSE, 0 }, { ELSEWHERE, 1, 0, 0 }, { LOOK, 1, PLACE_CHOOSE, 0 } }},
    { "a mailbox moves: who is signed in has to go, who is not may stay for now",
     { { HOLD, 0, 0, A },
        { PENDING, 1, 0, A },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_GO, A },
        { REFUSE, 2, PLACE_CHOOSE, 0 },
        { CLAIM, 3, 0, 0 },
        { LOOK, 3, PLACE_WAIT, 0 },
        { SETTLE, 2, 0, B },
        { REVOKED, 0, 0, 0 },
        { NOT_REVOKED, 1, 0, 0 },
        { NO_TURN, 2, 0, 0 },
        { GONE, 0, 0, 0 },
        { TURN, 2, 0, 0 },
        { GRANT, 2, 0, B },
        { TURN, 3, 0, 0 },
        { LOOK, 3, PLACE_GO, B },
        { NOT_REVOKED, 1, 0, 0 },
        { IN, 1, 0, 0 },
        { REVOKED, 1, 0, 0 },
        { IN, 2, 0, 0 },
        { NOT_REVOKED, 2, 0, 0 } }                                                                             },
    { "who does not go is not waited for",
     { { HOLD, 0, 0, A },
        { CLAIM, 1, 0, 0 },
        { LOOK, 1, PLACE_GO, A },
        { REFUSE, 1, PLACE_CHOOSE, 0 },
        { SETTLE, 1, 0, B },
        { GRANT, 1, 0, B },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_GO, B },
        { REVOKED, 0, 0, 0 },
        { GONE, 0, 0, 0 },
        { NO_TURN, 1, 0, 0 } }                                                                                 },
    { "signed in during the move",
     { { HOLD, 0, 0, A },
        { PENDING, 1, 0, A },
        { CLAIM, 2, 0, 0 },
        { REFUSE, 2, PLACE_CHOOSE, 0 },
        { SETTLE, 2, 0, B },
        { IN, 1, 0, 0 },
        { REVOKED, 1, 0, 0 },
        { GONE, 0, 0, 0 },
        { NO_TURN, 2, 0, 0 },
        { GONE, 1, 0, 0 },
        { TURN, 2, 0, 0 } }                                                                                    },
    { "the chooser comes back to where they live: nobody has to go",
     { { HOLD, 0, 0, A },
        { CLAIM, 1, 0, 0 },
        { REFUSE, 1, PLACE_CHOOSE, 0 },
        { SETTLE, 1, 1, A },
        { GRANT, 1, 0, A },
        { NOT_REVOKED, 0, 0, 0 } }                                                                             },
    { "a second one that cannot reach it waits for the first",
     { { HOLD, 0, 0, A },
        { CLAIM, 1, 0, 0 },
        { LOOK, 1, PLACE_GO, A },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_GO, A },
        { REFUSE, 1, PLACE_CHOOSE, 0 },
        { REFUSE, 2, PLACE_WAIT, 0 },
        { SETTLE, 1, 0, C },
        { GRANT, 1, 0, C },
        { TURN, 2, 0, 0 },
        { LOOK, 2, PLACE_GO, C },
        { REFUSE, 2, PLACE_CHOOSE, 0 } }                                                                       },
    { "the mover leaves while it waits: the place stays where it was",
     { { HOLD, 0, 0, A },
        { CLAIM, 1, 0, 0 },
        { REFUSE, 1, PLACE_CHOOSE, 0 },
        { SETTLE, 1, 0, B },
        { UNCLAIM, 1, 0, 0 },
        { CLAIM, 2, 0, 0 },
        { LOOK, 2, PLACE_GO, A } }                                                                             },
    { "held sessions that disagree: the first one's member is the place",
     { { HOLD, 0, 0, A },
        { HOLD, 1, 0, A },
        { HOLD, 2, 0, B },
        { NOT_REVOKED, 0, 0, 0 },
        { NOT_REVOKED, 1, 0, 0 },
        { REVOKED, 2, 0, 0 },
        { CLAIM, 3, 0, 0 },
        { LOOK, 3, PLACE_GO, A } }                                                                             },
};

struct person {
    struct claim claim;
    struct lease lease;
    bool turn, revoked;
};
static struct person people[PEOPLE];

static void on_turn(struct claim *c)
{
    OWNER_OF(c, struct person, claim)->turn = true;
}

static void on_revoke(struct lease *l)
{
    struct person *p = OWNER_OF(l, struct person, lease);
    assert_false(p->revoked);
    p->revoked = true;
}

static void expect(bool *flag, bool want)
{
    assert_int_equal(*flag, want);
    *flag = false;
}

static void take(const struct step *s)
{
    struct person *p = &people[s->who];
    uint64_t member = 0;
    switch (s->what) {
    case CLAIM:
    case ELSEWHERE:
        assert_true(places_claim(&p->claim, s->what == ELSEWHERE, SPAN("anna@example.com"), on_turn));
        break;
    case LOOK:
        assert_int_equal(places_look(&p->claim, &member), s->says);
        assert_int_equal(member, s->member);
        break;
    case REFUSE:
        assert_int_equal(places_refuse(&p->claim), s->says);
        break;
    case SETTLE:
        assert_int_equal(places_settle(&p->claim, s->member), s->says);
        break;
    case GRANT:
        places_grant(&p->claim, &p->lease, s->member);
        break;
    case UNCLAIM:
        places_unclaim(&p->claim);
        break;
    case IN:
        places_signed_in(&p->lease);
        break;
    case GONE:
        places_release(&p->lease);
        break;
    case HOLD:
    case PENDING:
        assert_true(places_hold(&p->lease, 0, SPAN("anna@example.com"), s->member, s->what == HOLD));
        break;
    case TURN:
    case NO_TURN:
        expect(&p->turn, s->what == TURN);
        break;
    case REVOKED:
    case NOT_REVOKED:
        expect(&p->revoked, s->what == REVOKED);
        break;
    case END:
        break;
    }
}

static void test_scripts(void **state UNUSED)
{
    places_open(on_revoke);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memset(people, 0, sizeof people);
        print_message("%s\n", cases[i].name);
        for (const struct step *s = cases[i].steps; s->what != END; s++)
            take(s);
        for (int who = 0; who < PEOPLE; who++) {
            places_unclaim(&people[who].claim);
            places_release(&people[who].lease);
            places_release(&people[who].lease);
        }
        assert_int_equal(places_count(), 0);
    }
    places_close();
}

static void test_many(void **state UNUSED)
{
    enum { MANY = 5000 };
    static struct lease leases[MANY];
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "user%d@example.com", i / 2);
        assert_true(places_hold(&leases[i], 0, span_of(name), A, true));
    }
    assert_int_equal(places_count(), MANY / 2);
    for (int i = 0; i < MANY; i++)
        places_release(&leases[i]);
    assert_int_equal(places_count(), 0);
    places_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_scripts), cmocka_unit_test(test_many) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
