/* The channels to the fronts: their sessions and their questions. */
#ifndef AUTH_CHANNELS_H
#define AUTH_CHANNELS_H

#include "auth/verifiers/cache.h"
#include "auth/verifiers/chain.h"
#include "auth/guesses/penalties.h"
#include "auth/verdict.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

enum {
    CHANNELS_START_MS = 50,     /* channels given this soon after the first existed before this process did */
    CHANNELS_TELL_MS = 500,     /* how long such a channel may hold up the answers to all */
    CHANNEL_WAITING_MAX = 4096, /* questions of one channel that wait for an answer */
    CHANNELS_CROWD_MAX = 1024   /* of all channels that wait for others of their account; more are refused */
};

struct channels {
    struct policy *policy;
    struct chain *chain;
    struct penalties *penalties;
    struct cache *cache;
    void (*ended)(struct channels *all); /* a channel has ended */
    struct list all;
    size_t n;
    bool started; /* CHANNELS_START_MS since the first channel are over */
    struct alarm start;
    struct deadline_queue telling; /* channels from before the start that have not told all their sessions */
    struct inquiry inquiry;        /* for questions that are answered at once */
    size_t n_crowded;
    struct later room; /* for them, perhaps */
};

/* The loop must be there already. */
void channels_init(struct channels *all, struct policy *policy, struct chain *chain, struct penalties *penalties,
                   struct cache *cache, void (*ended)(struct channels *all));
void channels_fini(struct channels *all);                   /* ends them all; `ended` is not called */
bool channels_add(struct channels *all, int fd) MUST_CHECK; /* takes fd; false: no memory */

#endif
