/* A place for one front, the auth or the backends process, and the process that fills it at the moment. The place stays
 * when its process dies: a new one is born into it with the same settings, until main lets the place go. */
#ifndef PROXY_SUPERVISOR_CHILD_H
#define PROXY_SUPERVISOR_CHILD_H

#include "proxy/supervisor/backoff.h"
#include "proxy/supervisor/process.h"
#include "proxy/supervisor/settings.h"

struct generation;

enum child_state {
    CHILD_AWAY,   /* no process: its next birth is near */
    CHILD_BORN,   /* not READY yet */
    CHILD_READY,  /* serves */
    CHILD_LEAVING /* told to drain, or killed; not born again, and the place goes with it */
};

struct child {
    struct list link; /* in children */
    struct process process;
    enum role_kind kind;
    enum child_state state;
    uint64_t slot;
    struct generation *generation; /* of a front, else NULL */
    struct settings *settings;
    char name[16];             /* "front 1" */
    int64_t born_ms, lived_ms; /* of the process that is or was here last */
    struct backoff backoff;
    struct alarm alarm; /* READY in time, the next birth, or the end of leaving */
    char why[512];      /* why its process ended: what it said in MSG_FAILED, or what main found */
    struct list holds;  /* of a front: sockets that it accepts from (assign.h) */
};

extern struct list children; /* all places */

struct child_events {
    void (*born)(struct child *c);  /* a process is there, and has its MSG_BOOT: send the rest */
    void (*ready)(struct child *c); /* after each birth */
    void (*unlistened)(struct child *c, uint64_t socket);
    void (*unconnected)(struct child *front, enum role_kind helper);
    void (*controlled)(struct child *c, struct message *m); /* it answers what an admin asked */
    /* Its process is gone though nobody asked for it, or could not be started; c->why says it in a sentence. Unless it
     * was leaving anyway, the owner now calls child_again or child_dismiss. */
    void (*fallen)(struct child *c);
    void (*left)(struct child *c); /* a leaving one has ended; c is freed after this */
};
void children_init(const struct child_events *events, const int tables[ROLES]); /* of house.h; borrowed */

/* A new place; its process is born in the next turn of the loop. NULL: no memory. */
struct child *child_new(enum role_kind kind, uint64_t slot, struct generation *generation, struct settings *settings);

/* The place of a front that a predecessor left to us: READY, and of a generation of its own. Owns the descriptor of its
 * channel. NULL: it has ended. */
struct child *child_adopt(uint64_t slot, struct generation *generation, struct settings *settings, pid_t pid,
                          int channel);

/* Another process for an empty place, at once or after its back-off. */
void child_again(struct child *c);

/* Drain: nothing new, leave when done. kill_after_ms: for those that do not, 0 for never. May be repeated. */
void child_drain(struct child *c, const struct msg_drain *drain, int64_t kill_after_ms);

/* End it now. The place is gone once `left` has been called, which is never inside this. */
void child_dismiss(struct child *c);

/* Its process lives on without us; the place is gone as after child_dismiss. */
void child_release(struct child *c);

/* What its next process is born with. To the one that is there it must make no difference. */
void child_settle(struct child *c, struct settings *settings);

void child_send(struct child *c, const struct message *m);
void child_send_fd(struct child *c, enum message_type type, int fd); /* of messages that are only a descriptor */

/* Has it a process that can be told something? */
static inline bool child_is_there(const struct child *c)
{
    return c->process.running && c->process.channel != NULL;
}

#endif
