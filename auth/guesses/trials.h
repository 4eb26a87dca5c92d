/* Where the questions of a channel and the penalties meet: what each attempt weighs before anybody judges it, and what
 * it came to, which for most is heard of only after the home site has been asked (MSG_LOGIN_RESULT). A verdict that is
 * no yet settles at once. The cache learns from the site, too. */
#ifndef AUTH_GUESSES_TRIALS_H
#define AUTH_GUESSES_TRIALS_H

#include "auth/verifiers/cache.h"
#include "auth/guesses/penalties.h"
#include "auth/verdict.h"

/* After inquiry_begin, which said `open`. GUESS_JUDGE: the credential is to be judged. GUESS_REFUSE: the verdict is
 * there. q's verdict has its delay in any case. */
enum weight trial_weigh(struct penalties *p, struct inquiry *q, bool open, struct guess *g);

/* It found no room even to wait. */
void trial_refuse(struct inquiry *q);

/* The logins of one channel that wait for what the site says. */
struct trials {
    struct penalties *penalties;
    struct cache *cache;
    struct records open;
};

void trials_init(struct trials *t, struct penalties *p, struct cache *cache);
void trials_fini(struct trials *t); /* the channel has ended: nothing is held against anybody */

/* The verdict on a question has been given. g is settled, or waits here under the id of its login, with key, the name
 * of the question in the cache; NULL: it has none. */
void trials_add(struct trials *t, uint64_t id, const struct msg_verdict *verdict, struct guess *g,
                const struct cache_key *key);
void trials_result(struct trials *t, uint64_t id, enum login_result result); /* no effect for unknown ones */
void trials_left(struct trials *t, uint64_t id);                             /* without a result */

#endif
