/* Whole sessions: the simulator (test/sim), in which the input takes the place of the seed. What clients and stores say
 * when they talk nonsense are bytes of the input itself. */
#include <stdio.h>
#include <stdlib.h>

#include "test/fuzz/fuzz.h"
#include "test/sim/sim.h"

enum { SESSIONS = 3 };

bool sim_talks;

void sim_note(unsigned slot UNUSED, const char *what UNUSED, struct span bytes UNUSED)
{
}

void sim_die(const char *what, const char *file, int line)
{
    fuzz_die(what, file, line);
}

static void live(void)
{
}

void fuzz_start(void)
{
    clock_life = live;
    random_begin(0);
    FUZZ_REQUIRE(house_open(1));
}

void fuzz_one(struct span input)
{
    random_begin(0);
    random_feed(input);
    world_run(SESSIONS);
    random_feed(SPAN_NONE);
}
