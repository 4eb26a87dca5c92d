/* LDAP by libldap, for the verifier `ldap`: connections of one thread, opened when they are needed, verified by TLS
 * before anything is said on them. */
#ifndef AUTH_VERIFIERS_LDAP_H
#define AUTH_VERIFIERS_LDAP_H

#include "auth/verifiers/verifier.h"

enum { LDAP_VALUES_MAX = 32, LDAP_ATTRIBUTES_MAX = 8 };

bool ldap_open_library(struct verifier *v, struct buf *why) MUST_CHECK;
void ldap_close_library(struct verifier *v);
void *ldap_begin(void *verifier);
void ldap_end(void *of_thread);

/* The one entry that was found. */
struct ldap_found {
    char *dn;
    struct buf values[LDAP_ATTRIBUTES_MAX][LDAP_VALUES_MAX];
    size_t n[LDAP_ATTRIBUTES_MAX];
};
void ldap_found_fini(struct ldap_found *f);

enum ldap_outcome {
    LDAP_DONE,
    LDAP_NONE,  /* no such entry; the password is wrong */
    LDAP_FAILED /* j is down */
};

/* Search as the configuration says; NULL attributes are not asked for. Several entries are a failure. */
enum ldap_outcome ldap_find(const struct verifier *v, void *of_thread, const char *filter,
                            const char *const attributes[LDAP_ATTRIBUTES_MAX], struct ldap_found *found,
                            struct judgement *j) MUST_CHECK;

/* Simple bind as that entry. An empty password is refused here: to LDAP it is no authentication at all, and succeeds.
 */
enum ldap_outcome ldap_try(const struct verifier *v, void *of_thread, const char *dn, struct span password,
                           struct judgement *j) MUST_CHECK;

const char *ldap_library_version(void); /* "": not compiled in */

#endif
