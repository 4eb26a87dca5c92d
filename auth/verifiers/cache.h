/* Successes that are remembered (auth.cache_s): the same question within that time is not asked of verifiers again. In
 * this process alone, so a reload forgets them all; a new file of accounts does too.
 *
 * An entry is found by a MAC, under a key that this process drew, over all that a judgement may depend on: protocol,
 * mechanism, the account, what was typed, the password; with a verifier that is told of the client's link (http) also
 * its address and whether it has TLS. So two users with one password are two entries, and what was not asked in just
 * this way is asked. Kept is what the verifier said, which may be a password for the store; never the client's own.
 *
 * - Only a yes to a password is kept, or that the home site said yes where others were asked before it: then the site
 * is asked at once. Tokens say themselves when they end, and being asked each time is what they are for.
 * - An entry ends auth.cache_s after the verifier said it, however often it is used, and when a back end refuses the
 *   account. A verifier that is down says nothing, so it extends nothing; what it said before stands until its time is
 *   over, because nobody asks.
 * - Who is denied, switched off, over a limit or throttled is looked at for each login, before or after. */
#ifndef AUTH_VERIFIERS_CACHE_H
#define AUTH_VERIFIERS_CACHE_H

#include "auth/verifiers/chain.h"
#include "proxy/net/deadline.h"
#include "proxy/net/hash.h"

enum { CACHE_WAYS = 8, CACHE_SETS = 8192 };

struct cache_entry;
struct cache {
    struct cache_entry *entries; /* NULL: off */
    int64_t stay_ms;
    bool with_client; /* a verifier is told of the client's link */
    unsigned char key[MAC_KEY_BYTES];
    struct alarm sweep; /* what has ended must not lie in memory for long */
};

/* False: no memory. chain must be open. */
bool cache_open(struct cache *c, const struct config *config, const struct chain *chain) MUST_CHECK;
void cache_close(struct cache *c); /* wipes */

/* What is kept of one question while it is judged. */
struct cache_key {
    bool usable;
    bool found; /* by cache_find: then it is not kept again */
    uint64_t account;
    unsigned char mac[MAC_BYTES];
};

void cache_name(const struct cache *c, const struct attempt *a, struct cache_key *key);

/* True: this was said, copied into j, which is empty. */
bool cache_find(const struct cache *c, struct cache_key *key, int64_t now_ms, struct judgement *j) MUST_CHECK;
void cache_keep(struct cache *c, const struct cache_key *key, const struct judgement *j, int64_t now_ms);
void cache_forget(struct cache *c, uint64_t account);
void cache_clear(struct cache *c);

#endif
