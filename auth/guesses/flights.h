/* Credentials that are being judged at this moment, by what they may be held against later: an account, a block of
 * addresses. Kept in this process alone: what a crash interrupts is asked again. */
#ifndef AUTH_GUESSES_FLIGHTS_H
#define AUTH_GUESSES_FLIGHTS_H

#include "auth/directory/records.h"

enum { FLIGHTS_MOST = 32 /* distinct ones of one key */ };

struct flights {
    struct records keys;
};

void flights_init(struct flights *f);
void flights_fini(struct flights *f);

size_t flights_of(const struct flights *f, uint64_t key); /* distinct ones */

/* mark: tells credentials apart; those of mark 0 are each another. */
bool flights_have(const struct flights *f, uint64_t key, uint16_t mark);

/* False: there are FLIGHTS_MOST others, or no memory. */
bool flights_add(struct flights *f, uint64_t key, uint16_t mark) MUST_CHECK;
void flights_remove(struct flights *f, uint64_t key, uint16_t mark); /* one that was added */

#endif
