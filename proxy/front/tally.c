/* Counting. */
#include "proxy/front/tally.h"

#include <stdio.h>

struct tally tally;

static const int64_t most_ms[TALLY_BUCKETS - 1] = { 25, 50, 100, 250, 500, 1000, 5000, 15000 };

void tally_login(enum protocol protocol, int64_t ms)
{
    size_t bucket = 0;
    while (bucket < COUNT_OF(most_ms) && ms > most_ms[bucket])
        bucket++;
    tally.logins[protocol]++;
    tally.ms_sum += (uint64_t)ms;
    tally.ms_buckets[bucket]++;
}

static void write_protocol(struct json *j, enum protocol p)
{
    json_open(j, protocol_names[p]);
    json_number(j, "connections", (int64_t)tally.accepted[p]);
    json_open(j, "logins");
    json_number(j, "ok", (int64_t)tally.logins[p]);
    for (size_t o = 0; o < OUTCOMES; o++)
        json_number(j, outcome_results[o], (int64_t)tally.failures[p][o]);
    json_close(j);
    json_close(j);
}

void tally_write(struct json *j)
{
    json_open(j, "totals");
    for (enum protocol p = 0; p < PROTOCOLS; p++)
        write_protocol(j, p);
    json_number(j, "turned_away", (int64_t)tally.turned_away);
    json_number(j, "up_bytes", (int64_t)tally.up_bytes);
    json_number(j, "down_bytes", (int64_t)tally.down_bytes);
    json_number(j, "login_ms_sum", (int64_t)tally.ms_sum);
    json_open(j, "login_ms");
    for (size_t b = 0; b < TALLY_BUCKETS; b++) {
        char name[24] = "more";
        if (b < COUNT_OF(most_ms))
            snprintf(name, sizeof name, "%lld", (long long)most_ms[b]);
        json_number(j, name, (int64_t)tally.ms_buckets[b]);
    }
    json_close(j);
    json_close(j);
}
