#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "test/bench/load.h"

/* Reasons beyond the table are counted under one name; failures beyond FAILURES_SHOWN are counted and not shown one by
 * one. */
enum { REASONS = 32, REASON_MAX = 160, FAILURES_SHOWN = 100 };

struct tally tally;

static struct {
    char text[REASON_MAX];
    uint64_t n;
} reasons[REASONS];

/* 64 steps for each power of two: percentiles are right to 1.6 %. */
enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = 32 * STEPS };

static struct histogram {
    uint64_t n, sum, max;
    uint64_t bucket[BUCKETS];
} latencies[LATENCIES];

static const char *const latency_names[LATENCIES] = { "login_us", "answer_us", "round_us" };

/* ---- counting ---- */

static unsigned bucket_of(uint64_t us)
{
    if (us < 2 * STEPS)
        return (unsigned)us;
    unsigned shift = 63U - (unsigned)__builtin_clzll(us) - STEP_BITS;
    unsigned at = (shift << STEP_BITS) + (unsigned)(us >> shift);
    return at < BUCKETS ? at : BUCKETS - 1;
}

static uint64_t bucket_us(unsigned at)
{
    if (at < 2 * STEPS)
        return at;
    unsigned shift = (at >> STEP_BITS) - 1;
    return (uint64_t)((at & (STEPS - 1)) + STEPS) << shift;
}

void tally_ok(uint64_t bytes)
{
    tally.ok++;
    tally.bytes += bytes;
    tally.ended_us = clock_us();
}

void tally_latency(enum latency which, uint64_t us)
{
    struct histogram *h = &latencies[which];
    h->n++;
    h->sum += us;
    h->max = us > h->max ? us : h->max;
    h->bucket[bucket_of(us)]++;
}

static uint64_t percentile(const struct histogram *h, double part)
{
    uint64_t wanted = (uint64_t)((double)h->n * part), seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > wanted)
            return bucket_us(i);
    }
    return h->max;
}

/* Peers choose what they answer; none of it may end a line of JSON. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            *text = '\'';
}

static void count_reason(const char *text)
{
    size_t i = 0;
    while (i < REASONS - 1 && reasons[i].n > 0 && strcmp(reasons[i].text, text) != 0)
        i++;
    if (reasons[i].n++ == 0)
        snprintf(reasons[i].text, sizeof reasons[i].text, "%s", i < REASONS - 1 ? text : "other reasons");
}

void tally_failed(const struct session *s, const char *where, const char *why)
{
    char text[REASON_MAX];
    snprintf(text, sizeof text, "%s: %s", where, why);
    make_plain(text);
    count_reason(text);
    if (++tally.failed > FAILURES_SHOWN)
        return;
    printf("{\"event\": \"failed\", \"at_us\": %" PRIu64 ", \"user\": \"%s\", \"why\": \"%s\"}\n", clock_us(), s->user,
           text);
    fflush(stdout);
}

/* ---- telling ---- */

void tally_event(const char *event)
{
    printf("{\"event\": \"%s\", \"at_us\": %" PRIu64 ", \"opened\": %" PRIu64 ", \"failed\": %" PRIu64 "}\n", event,
           clock_us(), tally.opened, tally.failed);
    fflush(stdout);
}

static void print_latency(enum latency which)
{
    const struct histogram *h = &latencies[which];
    if (h->n == 0)
        return;
    printf(", \"%s\": {\"n\": %" PRIu64 ", \"mean\": %" PRIu64 ", \"p50\": %" PRIu64 ", \"p90\": %" PRIu64
           ", \"p99\": %" PRIu64 ", \"max\": %" PRIu64 "}",
           latency_names[which], h->n, h->sum / h->n, percentile(h, 0.5), percentile(h, 0.9), percentile(h, 0.99),
           h->max);
}

static void print_reasons(void)
{
    printf(", \"reasons\": {");
    for (size_t i = 0; i < REASONS && reasons[i].n > 0; i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", reasons[i].text, reasons[i].n);
    printf("}");
}

void tally_result(void)
{
    double seconds = (double)(tally.ended_us - tally.began_us) / 1e6;
    double per = seconds > 0 ? 1 / seconds : 0;
    printf("{\"event\": \"result\", \"ok\": %" PRIu64 ", \"failed\": %" PRIu64, tally.ok, tally.failed);
    print_reasons();
    printf(", \"opened\": %" PRIu64 ", \"left\": %" PRIu64 ", \"full\": %" PRIu64 ", \"resumed\": %" PRIu64
           ", \"end_cut\": %" PRIu64 ", \"seconds\": %.3f, \"rate\": %.1f, \"bytes\": %" PRIu64 ", \"mb_s\": %.2f",
           tally.opened, tally.left, tally.full, tally.resumed, tally.end_cut, seconds, (double)tally.ok * per,
           tally.bytes, (double)tally.bytes * per / 1e6);
    for (int i = 0; i < LATENCIES; i++)
        print_latency((enum latency)i);
    printf("}\n");
    fflush(stdout);
}
