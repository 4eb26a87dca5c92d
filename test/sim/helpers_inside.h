/* The inside of auth and backends as models: helpers.c (what they count, life and death), auth.c and backends.c (what
 * they answer). */
#ifndef TEST_SIM_HELPERS_INSIDE_H
#define TEST_SIM_HELPERS_INSIDE_H

#include "test/sim/sim.h"

enum { MODELS_MAX = 16, IDS_MAX = 64, AUTH = 0, BACKENDS, KINDS };

struct pending {
    uint64_t id;
    int64_t due_ms;
    enum message_type type; /* of the answer */
    struct slot *slot;
    bool other;     /* which of its two users is asked for */
    unsigned tried; /* members: 1 << their number */
    bool right;     /* the credential, as far as auth was shown it */
};

struct model {
    bool used, is_before, held;
    unsigned kind;
    struct channel *channel;
    uint64_t ids[IDS_MAX]; /* what it counts */
    size_t n;
    struct pending pending[IDS_MAX];
    size_t n_pending;
};

extern struct model models[MODELS_MAX];
extern struct model *helper_now[KINDS]; /* NULL: dead */

int64_t helper_after(unsigned ms); /* the moment then */
bool helper_has(const struct model *h, uint64_t id);
void helper_count(struct model *h, uint64_t id);
void helper_uncount(struct model *h, uint64_t id);
void helper_forget(struct model *h, uint64_t id);
void helper_keep(struct model *h, struct pending p);
bool helper_is_asked(const struct model *h, uint64_t id);
void helper_revokes_later(struct model *h, uint64_t id); /* perhaps */

/* ---- auth.c ---- */

void auth_takes(void *model, struct message *m);
void auth_answers(struct model *h, const struct pending *p);

/* ---- backends.c ---- */

void backends_take(void *model, struct message *m);
void backends_answer(struct model *h, const struct pending *p); /* MSG_DIALED, or what IPsec asks */
bool backends_keep_spares(bool settled);
void backends_unguard_all(void); /* nobody watches the links of sites with IPsec any more */

/* ---- ways.c ---- */

void ways_start(struct model *h, uint64_t id, struct slot *slot, unsigned member);
bool ways_busy(const struct model *h);
bool ways_has(const struct model *h, uint64_t id);
void ways_stop(const struct model *h, uint64_t id);
void ways_forget(const struct slot *s);
void ways_end(const struct model *h, bool last); /* it is dead; last: so are all of its kind */
void backends_dialed(struct model *h, uint64_t id, struct slot *slot, unsigned member,
                     const struct addr *address); /* NULL: no way */

#endif
