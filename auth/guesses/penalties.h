/* Guessing costs, using does not. Three tables of leaky buckets (buckets.h): of accounts, of blocks of addresses, and
 * of the addresses from which an account has signed in.
 *
 * What counts is a *distinct* failure: of an account another password, of an address another pair of account and
 * password, unless the account had that one wrong before. The telephone that says its old password every minute is one
 * failure. A success feeds nothing and mends nothing: else a guesser would sign in to an account of his own now and
 * then, or the owner's telephone would wash him clean. An outage is no failure. Only time mends.
 *
 * - The more failures lie in the buckets of its account and of its address, the later a refusal is told: by whole
 * points of the grid of auth.failure_step_ms.
 * - Over half an hour's worth of auth.guesses_per_account or _address nobody is asked any more, and the answer is no.
 * So no hour sees more than that many guesses at an account: half of it at once, the other half as the bucket leaks.
 * Those that are being judged count as failures until then; what finds no room beside them waits (GUESS_WAIT). An
 *   address is bounded less strictly, by what limits.sessions_per_address lets it do at once, so that an office that
 *   signs in all together, or one dead site, makes nobody wait.
 * - A success makes its block of addresses known to that account, for auth.known_address_days. Attempts from there have
 *   a bucket of their own, so the owner gets in however much others guess. Failures from there feed the other two as
 * well, and wait as long: who shares the owner's address learns from no answer that he signs in from there.
 *
 * A detail ("anna+lists") does not make another account. One that is unknown, denied or switched off is a name like
 * any, and so is one that cannot be read at all. What the answer is and when it comes depends on the history of the
 * name and the address, never on what there is.
 *
 * Nobody washes a bucket away (buckets.h). Of known addresses an account has KNOWN_MOST, the last ones used; its own
 * newest replaces its own oldest, so an account that signs in from everywhere forgets its own addresses and not those
 * of others. The tables lie in memory that main keeps and never reads, with the keys of the hashes: they outlive this
 * process, a reload and a takeover, and without the keys, which only auth has, they name nobody. */
#ifndef AUTH_GUESSES_PENALTIES_H
#define AUTH_GUESSES_PENALTIES_H

#include "auth/guesses/buckets.h"
#include "auth/guesses/flights.h"
#include "config/config.h"

enum {
    PENALTIES_WAYS = 8,
    PENALTIES_SETS = 8192, /* 65,536 accounts and as many blocks that have failed lately: 4 MiB each */
    KNOWN_WAYS = 16,
    KNOWN_SETS = 65536, /* a million pairs of account and block: 64 MiB, as far as they are used */
    KNOWN_MOST = 8,
    PENALTIES_HEAD = 4096,
    PENALTIES_BYTES =
        PENALTIES_HEAD + (2 * PENALTIES_WAYS * PENALTIES_SETS + KNOWN_WAYS * KNOWN_SETS) * (int)sizeof(struct bucket),
    PENALTIES_KEY_BYTES = 16,
    GUESS_SHARED_BY = 4,      /* an address has as many free failures as so many accounts */
    GUESS_PATIENCE_MS = 10000 /* who leaves before that without an answer has failed; later it was the waiting */
};

struct penalties_head;
struct penalties {
    const struct config *config;
    struct penalties_head *head; /* the memory begins with it */
    struct buckets accounts, blocks, known;
    struct flights flights; /* of accounts and blocks */
    void (*settled)(void *owner);
    void *owner;
};

/* fd: the memory, PENALTIES_BYTES long; the caller may close it. What it holds is taken over when this version wrote
 * it. -1, or memory that cannot be mapped: tables that die with this process (*shared is false). False: no memory. */
bool penalties_open(struct penalties *p, const struct config *config, int fd, bool *shared) MUST_CHECK;
void penalties_close(struct penalties *p);

/* What fronts make marks of credentials with: the same as long as the memory lives. */
struct span penalties_mark_key(const struct penalties *p);

uint64_t penalties_refused(const struct penalties *p); /* attempts without asking anybody, since the memory began */

/* One attempt to sign in. */
struct guess {
    uint64_t account, block, pair; /* hashes, never 0 but of a block that is exempt */
    uint16_t mark;
    uint8_t delay;                 /* points of the grid that a refusal waits longer */
    bool is_open;                  /* weighed and not settled */
    bool distinct, distinct_there; /* would it be another failure, of its account, of its address? */
    bool flies[2];                 /* counted among what is being judged: of the account, of the block */
    int64_t asked_ms;
};

struct guess_facts {
    struct span account; /* canonical; or as typed, when it cannot be read */
    struct addr client;
    bool exempt;   /* failures do not count against its address */
    uint16_t mark; /* of the credential; 0: not known, never the same as another */
};

enum weight {
    GUESS_JUDGE,  /* ask; then penalties_settle */
    GUESS_WAIT,   /* for others of this account to be judged: weigh it again when penalties_waits says no */
    GUESS_REFUSE, /* without asking */
};

enum guess_end {
    GUESS_RIGHT,
    GUESS_WRONG,
    GUESS_LEFT,     /* the client did not wait for the answer */
    GUESS_UNJUDGED, /* an outage, or the credential was not what it came to */
};

/* g is filled in for all three. Times are loop_now_ms(). */
enum weight penalties_weigh(struct penalties *p, const struct guess_facts *facts, int64_t now_ms, struct guess *g);
bool penalties_waits(const struct penalties *p, const struct guess *g, int64_t now_ms);
void penalties_settle(struct penalties *p, struct guess *g, enum guess_end end, int64_t now_ms); /* no effect twice */

/* Called after each attempt that has been settled: those that wait may find room. NULL: no more. */
void penalties_on_settled(struct penalties *p, void (*settled)(void *owner), void *owner);

/* What lies in the buckets, for an admin. */
struct penalties_view {
    unsigned of_account, of_address; /* failures, rounded */
    bool known, refuses;             /* the address; and would an attempt from there be refused without asking? */
};
struct penalties_view penalties_look(const struct penalties *p, const struct guess_facts *facts, int64_t now_ms);

/* Forget failures: of an account (from everywhere), of a network of at most FORGIVE_BLOCKS_MOST blocks. False: the
 * network is larger. */
enum { FORGIVE_BLOCKS_MOST = 65536 };
void penalties_forgive_account(struct penalties *p, struct span account);
bool penalties_forgive_network(struct penalties *p, const struct network *network) MUST_CHECK;

#endif
