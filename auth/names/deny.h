/* Accounts that never sign in (accounts.deny): names and patterns, matched against canonical names, so that no spelling
 * gets around them. */
#ifndef AUTH_NAMES_DENY_H
#define AUTH_NAMES_DENY_H

#include "auth/names/names.h"

struct deny {
    struct deny_pattern {
        char *local, *domain; /* domain NULL: every one, and none */
    } * patterns;
    size_t n;
};

/* False: one of accounts.deny can match no name (*wrong: which; NULL: no memory). d is usable then, without it. */
bool deny_init(struct deny *d, const struct name_rules *rules, const struct config *config,
               const char **wrong) MUST_CHECK;
void deny_fini(struct deny *d);

bool deny_has(const struct deny *d, struct span canonical);

#endif
