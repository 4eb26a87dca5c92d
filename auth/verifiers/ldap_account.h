/* An account as a directory has it: the filter that finds it, the attributes that tell of it, what they mean. For
 * whoever tries a password (verify_ldap.c) and whoever only wants to know where home is (find_ldap.c). */
#ifndef AUTH_VERIFIERS_LDAP_ACCOUNT_H
#define AUTH_VERIFIERS_LDAP_ACCOUNT_H

#include "auth/verifiers/ldap.h"

/* The filter for one canonical name, with a NUL behind it. False: it is too long, or no memory. */
bool ldap_account_filter(struct span pattern, struct span login, struct buf *to) MUST_CHECK;

/* In a thread. LDAP_NONE: no such account; LDAP_FAILED: j is down. */
enum ldap_outcome ldap_account_find(const struct verifier *v, void *of_thread, struct span login,
                                    struct ldap_found *found, struct judgement *j) MUST_CHECK;

/* What was found, into j: JUDGED_YES, were the password right; JUDGED_NO of an account that is disabled, JUDGED_DENIED
 * of those built into Active Directory; JUDGED_DOWN when it cannot be understood. */
void ldap_account_read(const struct verifier *v, enum protocol protocol, struct span login,
                       const struct ldap_found *found, struct judgement *j);

/* The attributes, in the order in which they stand in struct ldap_found. */
enum { ACCOUNT_NAME, ACCOUNT_SITE, ACCOUNT_SITE_TOO, ACCOUNT_USER, ACCOUNT_OPTIONS, ACCOUNT_CONTROL, ACCOUNT_SID };

#endif
