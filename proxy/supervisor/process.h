/* One process that main started, and its channel: fork, exec of ourselves, reaping. What it is for is its owner's
 * business (child.h, checker.h). */
#ifndef PROXY_SUPERVISOR_PROCESS_H
#define PROXY_SUPERVISOR_PROCESS_H

#include "proxy/base/list.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "proxy/net/role.h"

struct process;
struct process_events {
    void (*message)(struct process *p, struct message *m); /* as in ipc_events */
    /* It has been reaped and all that it said has been read. Called once for each successful start, last; p may be
     * started again or freed inside. status: as waitpid(2) has it. */
    void (*ended)(struct process *p, int status);
};

struct process { /* embedded in its owner; zeroed memory is one that does not run */
    struct list link;
    const struct process_events *events;
    pid_t pid;
    bool running;          /* between start and ended */
    bool reaped, killed;   /* killed: by us */
    int status;            /* when it is reaped */
    struct ipc *channel;   /* NULL when the other end is gone */
    struct later ending;   /* tells `ended` outside of other callbacks */
    struct alarm patience; /* it closed its channel and does not go */
};

void processes_init(void); /* reaps on SIGCHLD from now on; after loop_init */

/* name: as in birth_run. False and errno: nothing runs, and nothing will be called. */
bool process_start(struct process *p, const char *name, const struct process_events *events) MUST_CHECK;

/* One that this program started before it became this program (takeover.h). Owns the descriptor of its channel. False:
 * it is none of ours, or has ended. */
bool process_adopt(struct process *p, pid_t pid, int channel, const struct process_events *events) MUST_CHECK;

/* Let it live on by itself, as if main had died: nothing more is known of it, and `ended` is not called. */
void process_release(struct process *p);

/* Whoever cannot take a message is killed: nobody may miss one. */
void process_send(struct process *p, const struct message *m);
void process_kill(struct process *p); /* SIGKILL; `ended` follows. Safe when it does not run */

/* "died of signal 9 (Killed)", "ended with status 1" */
const char *process_end_text(int status, char text[64]);

#endif
