/* The verifier `ldap`: one search finds the account with all that is to be known of it, one bind tries its password. */
#include "auth/verifiers/ldap_account.h"

/* The bind is tried for everybody, so that it takes as long. */
static void judge_found(const struct verifier *v, void *of_thread, const struct attempt *a, const struct ldap_found *f,
                        struct judgement *j)
{
    ldap_account_read(v, a->protocol, span_of(a->login), f, j);
    enum judged is = j->is;
    if (is == JUDGED_DOWN)
        return;
    enum ldap_outcome tried = ldap_try(v, of_thread, f->dn, secret_span(&a->secret), j);
    if (is == JUDGED_DENIED || tried == LDAP_DONE)
        j->is = is;
    else if (tried == LDAP_NONE)
        j->is = JUDGED_NO;
    j->is_all = j->site != NULL;
}

static void judge(const struct verifier *v, void *of_thread, const struct attempt *a, struct judgement *j)
{
    struct ldap_found found = { 0 };
    enum ldap_outcome outcome = ldap_account_find(v, of_thread, span_of(a->login), &found, j);
    if (outcome == LDAP_NONE)
        j->is = JUDGED_UNKNOWN;
    if (outcome == LDAP_DONE)
        judge_found(v, of_thread, a, &found, j);
    ldap_found_fini(&found);
}

const struct verifier_kind verify_ldap = { .passwords = true,
                                           .open = ldap_open_library,
                                           .close = ldap_close_library,
                                           .begin = ldap_begin,
                                           .end = ldap_end,
                                           .judge = judge };
