/* Threads for what takes long or blocks: hashing a password, asking a directory or a web server. The loop hands them
 * jobs and gets them back; between the two a job belongs to its thread, and nothing else is shared.
 *
 * Jobs of one lane (one account, for a hash) run one after the other, and lanes take turns: whoever hammers one account
 * holds up that account only. */
#ifndef AUTH_VERIFIERS_WORKERS_H
#define AUTH_VERIFIERS_WORKERS_H

#include "proxy/base/list.h"

enum { WORKERS_MAX = 64, WORKERS_JOBS_MAX = 1024, WORKERS_LANE_MAX = 64 /* jobs that wait */ };

struct workers;

struct job {
    struct list link;
    struct lane *lane; /* NULL: it is not with the workers */
    bool running;
    void (*work)(struct job *j, void *of_thread); /* in a thread */
    void (*done)(struct job *j);                  /* in the loop, once, never inside workers_give */
};

struct workers_order {
    const char *name; /* of the threads, at most 15 bytes */
    size_t threads;   /* 1 to WORKERS_MAX */
    int niceness;     /* 0 to 19 */
    void *owner;
    /* What each thread needs for itself; both may be NULL. Called in the thread. begin's NULL goes to work as it is. */
    void *(*begin)(void *owner);
    void (*end)(void *of_thread);
};

struct workers *workers_new(const struct workers_order *order); /* NULL: no threads, no memory */

/* Waits for the jobs that run, and calls their `done`; those that wait are never run. */
void workers_free(struct workers **w);

/* lane: of the job's account, or any number that spreads jobs. False: too many wait, or no memory. */
bool workers_give(struct workers *w, uint64_t lane, struct job *j) MUST_CHECK;

/* Nobody wants the result. True: it had not begun, `done` will not be called, the job is the caller's again. */
bool workers_cancel(struct workers *w, struct job *j) MUST_CHECK;

#endif
