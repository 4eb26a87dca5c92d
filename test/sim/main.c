/* The command line: `sim [--sessions N] [--from SEED] [--jobs N]` runs worlds with one seed after the other, `SEED=n
 * sim` one world. `sim --seed SEED` says what `SEED=` does, for scripts. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proxy/net/loop.h"
#include "test/sim/sim.h"

enum { SESSIONS_A_WORLD = 40, WARM_UP = 20, GROWTH_MOST = 256 << 10 };

static uint64_t seed, from = 1, sessions = 1000000;
static unsigned jobs = 1, parts = HOUSES, part;
static bool only_one;

void sim_die(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n  SEED=%" PRIu64 " replays it\n", file, line, what, seed);
    abort();
}

/* What one process knows at a time: all worlds run in its loop. */
static void run_worlds(void)
{
    size_t before = 0;
    random_begin(0);
    world_run(0);
    world_drains = only_one ? DRAINS_HERE : DRAINS_APART;
    for (seed = from + part; only_one ? totals.worlds < 2 : totals.sessions < sessions / parts; seed += parts) {
        random_begin(seed);
        world_run(SESSIONS_A_WORLD);
        if (totals.worlds == WARM_UP)
            before = mallinfo2().uordblks;
    }
    if (totals.worlds > WARM_UP)
        SIM_REQUIRE(mallinfo2().uordblks < before + GROWTH_MOST);
    if (only_one)
        printf("seed %" PRIu64 ": digest %016" PRIx64 "\n", from, random_digest());
}

bool sim_talks;

void sim_note(unsigned slot, const char *what, struct span bytes)
{
    if (!sim_talks)
        return;
    printf("%9.3f %u %-14s ", (double)(loop_now_ms() % (24 * HOUR)) / 1e3, slot, what);
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        printf(c >= ' ' && c < 0x7f ? "%c" : "\\x%02x", c);
    }
    printf("\n");
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_part(void)
{
    double start = seconds();
    clock_life = run_worlds;
    if (!house_open((unsigned)((from + part) % HOUSES)))
        return 2;
    double took = seconds() - start;
    printf("[  PASSED  ] 1 test: %" PRIu64 " sessions in %" PRIu64 " worlds, %" PRIu64 " steps, %" PRIu64
           " logins, %" PRIu64 " without a fault, %" PRIu64 " refused, %" PRIu64 " by spares, %" PRIu64
           " questions to DNS, %" PRIu64 " in vain, %" PRIu64 " faults, %" PRIu64
           " deaths of helpers, %.1f MB, %.1f s, %.0f "
           "sessions/s\n",
           totals.sessions, totals.worlds, totals.steps, totals.logins, totals.clean, totals.refused, totals.spares,
           totals.names, totals.outages, totals.faults, totals.deaths, (double)totals.bytes / 1e6, took,
           (double)totals.sessions / took);
    return totals.clean > 0 || only_one ? 0 : 2;
}

/* Each in a process of its own, so many at a time. */
static int run_parts(void)
{
    int worst = 0, status;
    unsigned alive = 0;
    for (part = 0; part < parts || alive > 0;) {
        bool more = part < parts && alive < jobs && worst == 0;
        pid_t pid = more ? fork() : -1;
        if (pid == 0)
            exit(run_part());
        if (pid > 0) {
            part++;
            alive++;
            continue;
        }
        if (alive == 0 || wait(&status) < 0)
            return 2;
        alive--;
        worst |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        part = worst != 0 ? parts : part;
    }
    return worst;
}

int main(int argc, char **argv)
{
    const char *one = getenv("SEED");
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--sessions") == 0)
            sessions = value;
        else if (strcmp(argv[i], "--from") == 0)
            from = value;
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs = value > 0 ? (unsigned)value : 1;
    }
    setlinebuf(stdout);
    sim_talks = getenv("TALK") != NULL;
    only_one = one != NULL && one[0] != '\0';
    if (only_one) {
        from = strtoull(one, NULL, 10);
        return run_part();
    }
    parts = (jobs + HOUSES - 1) / HOUSES * HOUSES; /* a seed's house is always the same */
    return run_parts();
}
