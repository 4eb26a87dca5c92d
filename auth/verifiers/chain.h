/* The chain of verifiers (auth.verifiers): asked in their order, each only for what it can judge; the first that knows
 * the account decides. One that is down ends the question as an outage: it might have known the account. */
#ifndef AUTH_VERIFIERS_CHAIN_H
#define AUTH_VERIFIERS_CHAIN_H

#include "auth/directory/table.h"
#include "auth/verifiers/verifier.h"

enum { PLACES_MAX = 2 };

struct chain {
    struct verifier *verifiers;
    size_t n;
    struct verifier directory; /* of directory.driver; kind NULL: it is not asked */
    bool judges;               /* not only the home site */
    bool site_alone;           /* nothing is judged here, and nothing asked */
};

/* An attempt on its way through the chain, and what the directory is asked afterwards. */
struct judging {
    struct job job;
    struct chain *chain;
    size_t at;                /* the verifier whose turn it is */
    struct verifier *asked;   /* it has the job; NULL: nobody */
    struct judgement *answer; /* where it goes */
    bool abandoned;
    struct attempt attempt;
    struct judgement judgement, places[PLACES_MAX];
    size_t n_places;
    /* What was said, judgement first; gives the name of which the directory is to be asked next, at == NULL: none. May
     * be NULL. */
    struct span (*next)(struct judging *q, const struct judgement *said);
    void (*done)(struct judging *q);
    void *owner;
};

/* Libraries, files, secrets. names must live as long as the chain; bundle too. False: *why says what is wrong. */
bool chain_open(struct chain *c, const struct config *config, const struct name_rules *names, struct span bundle,
                struct buf *why) MUST_CHECK;
bool chain_start(struct chain *c) MUST_CHECK; /* the threads; false: memory is short */
bool chain_has(const struct chain *c, enum verifier_driver driver);
void chain_set_accounts(struct chain *c, const struct table *accounts); /* of the verifier "file"; borrowed */
void chain_close(struct chain *c); /* waits for the threads; nothing that is being judged is answered */

/* of: its numbers; the rest is copied from the spans, the secret too. NULL: no memory. */
struct judging *judging_new(struct chain *c, const struct attempt *of, struct span login, struct span typed,
                            struct span secret);
void judging_free(struct judging **q); /* wipes. While it is being judged: nobody will be told, and it goes later */

/* Calls q->done once, perhaps before this returns; q is the caller's until then and again from then on. */
void chain_judge(struct judging *q);

/* The same when q->judgement is known already: only the directory may have to be asked. */
void chain_go_on(struct judging *q);

#endif
