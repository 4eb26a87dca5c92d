/* Which members are avoided, and until when: a breaker for each. The table lives in shared memory that main keeps and
 * never reads, so that a backends process that is born again knows what its predecessor learned.
 *
 * A member without an entry is up. A fault makes it avoided for 2 s, then 4, 8 … up to 60 s; when that time is over,
 * one login may try it (a trial), and the others go on avoiding it until the trial has a result. A success clears it.
 * Times are CLOCK_MONOTONIC in ms, given by the caller. Nothing here does I/O after health_open. */
#ifndef BACKENDS_MEMBERS_HEALTH_H
#define BACKENDS_MEMBERS_HEALTH_H

#include "proxy/base/span.h"

enum health_state {
    HEALTH_UP,
    HEALTH_DUE,     /* avoided until now; one login may try it */
    HEALTH_AVOIDED, /* until view.until_ms */
};
enum { HEALTH_WHY_MAX = 24, HEALTH_FIRST_MS = 2000, HEALTH_LONGEST_MS = 60000, HEALTH_TRIAL_MS = 60000 };

struct health_view {
    enum health_state state;
    int64_t until_ms;
    unsigned failures;        /* in a row; faults while it is avoided anyway do not count */
    char why[HEALTH_WHY_MAX]; /* of the last fault that counted */
};

/* fd: memory of any content, grown as needed and taken over when it is ours, cleared when it is not; the caller may
 * close it. -1, or memory that cannot be mapped: a table that dies with the process (false). */
bool health_open(int fd);
void health_close(void);

struct health_view health_look(uint64_t key, int64_t now_ms);

/* True: the trial of a member that is due is yours; it ends with health_fault, health_success or health_end_trial. */
bool health_begin_trial(uint64_t key, int64_t now_ms) MUST_CHECK;
void health_end_trial(uint64_t key); /* without a result */

/* trial: the one who reports it had begun a trial. True: it was up until now. */
bool health_fault(uint64_t key, bool trial, const char *why, int64_t now_ms);
bool health_success(uint64_t key); /* true: it was avoided until now */

#endif
