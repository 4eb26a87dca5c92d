/* The directory `ldap`: asked where a mailbox lives and what it may do, by the search of the verifier `ldap` without
 * its bind. */
#include "auth/verifiers/ldap_account.h"

/* Somebody without a home has no mailbox here. A home that means nothing is another thing: an error of ours, which
 * the verdict finds. */
static bool has_home(const struct ldap_found *f)
{
    return f->n[ACCOUNT_SITE] > 0 || f->n[ACCOUNT_SITE_TOO] > 0;
}

static void judge(const struct verifier *v, void *of_thread, const struct attempt *a, struct judgement *j)
{
    struct ldap_found found = { 0 };
    enum ldap_outcome outcome = ldap_account_find(v, of_thread, span_of(a->login), &found, j);
    if (outcome == LDAP_NONE || (outcome == LDAP_DONE && !has_home(&found)))
        j->is = JUDGED_UNKNOWN;
    else if (outcome == LDAP_DONE)
        ldap_account_read(v, a->protocol, span_of(a->login), &found, j);
    ldap_found_fini(&found);
}

const struct verifier_kind find_ldap = { .passwords = true,
                                         .open = ldap_open_library,
                                         .close = ldap_close_library,
                                         .begin = ldap_begin,
                                         .end = ldap_end,
                                         .judge = judge };
