/* The fronts of one configuration. The newest generation takes new clients; older ones live on until their last session
 * has ended. */
#ifndef PROXY_SUPERVISOR_GENERATION_H
#define PROXY_SUPERVISOR_GENERATION_H

#include "proxy/supervisor/child.h"

enum { GENERATION_SLOTS_MAX = 256 /* what the configuration allows for run.workers */ };

struct generation {
    struct list link; /* in generations, the oldest first */
    struct settings *settings;
    struct child **fronts; /* by slot; NULL when that one has left */
    size_t n_slots;
    bool retired;  /* told to leave when the last session ends */
    bool says_bye; /* told to end its sessions */
};

extern struct list generations;

struct generation *generation_new(struct settings *settings); /* its fronts are being born; NULL: no memory */
bool generation_is_ready(const struct generation *g);         /* all of it */
size_t generations_alive(void);
size_t generations_staying(void); /* of them, those that have not been told to end their sessions */

/* A front of the predecessor's generation of that number, which is made with the first one. Owns the descriptor of its
 * channel. NULL: it has ended. */
struct child *generation_adopt(uint64_t number, uint64_t slot, pid_t pid, int channel);

/* A newer one has taken over: all others leave when their last session ends. */
void generations_retire(const struct generation *but);

/* There must be room for one more: end the sessions of the oldest retired one, over that time. False: none is left that
 * has not been told. */
bool generation_hurry_oldest(int64_t spread_ms);

void generation_settle(struct generation *g, struct settings *settings); /* as child_settle, for all of it */
void generation_dismiss(struct generation *g);                           /* at once: it never served */

/* A front of it has left for good. True: it was the last one, and the generation is gone too. */
bool generation_left(struct child *front);

#endif
