/* libldap's questions, in the threads of a verifier. */
#include "auth/verifiers/ldap.h"

#include <stdlib.h>

void ldap_found_fini(struct ldap_found *f)
{
    free(f->dn);
    for (size_t a = 0; a < LDAP_ATTRIBUTES_MAX; a++)
        for (size_t i = 0; i < f->n[a]; i++)
            buf_fini(&f->values[a][i]);
    *f = (struct ldap_found){ 0 };
}

#ifdef HOMEWARD_HAS_LDAP
#include <stdio.h>

#include "auth/verifiers/ldap_link.h"

enum { VALUE_MAX = 8192 };

/* ---- searching ---- */

static bool take_values(LDAP *ld, LDAPMessage *entry, const char *attribute, struct buf *to, size_t *n)
{
    struct berval **values = ldap_lib.get_values_len(ld, entry, attribute);
    bool good = true;
    for (size_t i = 0; values != NULL && values[i] != NULL && *n < LDAP_VALUES_MAX && good; i++) {
        buf_init(&to[*n], VALUE_MAX);
        good = buf_add(&to[*n], span_bytes(values[i]->bv_val, values[i]->bv_len)); /* or it is over VALUE_MAX */
        *n += 1;
    }
    if (values != NULL)
        ldap_lib.value_free_len(values);
    return good;
}

static enum ldap_outcome take_entry(LDAP *ld, LDAPMessage *entry, const char *const *attributes,
                                    struct ldap_found *found, struct judgement *j)
{
    char *dn = ldap_lib.get_dn(ld, entry);
    found->dn = dn != NULL ? span_copy(span_of(dn)) : NULL;
    bool good = found->dn != NULL;
    for (size_t a = 0; a < LDAP_ATTRIBUTES_MAX && good; a++)
        if (attributes[a] != NULL && attributes[a][0] != '\0')
            good = take_values(ld, entry, attributes[a], found->values[a], &found->n[a]);
    ldap_lib.memfree(dn);
    if (good)
        return LDAP_DONE;
    judgement_unclear(j, "memory is short, or an attribute is too long");
    return LDAP_FAILED;
}

static enum ldap_outcome take_result(LDAP *ld, LDAPMessage *result, const char *const *attributes,
                                     struct ldap_found *found, struct judgement *j)
{
    LDAPMessage *entry = result != NULL ? ldap_lib.first_entry(ld, result) : NULL;
    if (entry == NULL)
        return LDAP_NONE;
    if (ldap_lib.next_entry(ld, entry) != NULL) {
        judgement_unclear(j, "the filter finds more than one entry for one account");
        return LDAP_FAILED;
    }
    return take_entry(ld, entry, attributes, found, j);
}

static int search(LDAP *ld, const struct verifier *v, const char *filter, const char *const *attributes,
                  LDAPMessage **result)
{
    char *wanted[LDAP_ATTRIBUTES_MAX + 1] = { NULL };
    struct timeval most = { .tv_sec = v->config->timeout_ms / 1000, .tv_usec = v->config->timeout_ms % 1000 * 1000 };
    size_t n = 0;
    for (size_t a = 0; a < LDAP_ATTRIBUTES_MAX; a++)
        if (attributes[a] != NULL && attributes[a][0] != '\0')
            wanted[n++] = (char *)attributes[a];
    if (n == 0)
        wanted[0] = (char *)LDAP_NO_ATTRS;
    return ldap_lib.search_ext_s(ld, v->config->base, LDAP_SCOPE_SUBTREE, filter, wanted, 0, NULL, NULL, &most, 2,
                                 result);
}

/* A server's own limit may have kept back the second entry: cut off is as good as several. */
static enum ldap_outcome take_answer(LDAP *ld, int code, LDAPMessage *result, const char *const *attributes,
                                     struct ldap_found *found, struct judgement *j)
{
    if (code == LDAP_SUCCESS)
        return take_result(ld, result, attributes, found, j);
    if (code == LDAP_SIZELIMIT_EXCEEDED)
        judgement_unclear(j, "the filter finds more than one entry for one account");
    else if (code == LDAP_NO_SUCH_OBJECT)
        judgement_down(j, "the base is not there");
    else
        judgement_down(j, "%s", ldap_lib.err2string(code));
    return LDAP_FAILED;
}

enum ldap_outcome ldap_find(const struct verifier *v, void *of_thread, const char *filter,
                            const char *const attributes[LDAP_ATTRIBUTES_MAX], struct ldap_found *found,
                            struct judgement *j)
{
    struct ldap_thread *t = of_thread;
    if (t == NULL)
        judgement_down(j, "memory is short");
    for (size_t i = 0; t != NULL && i <= v->config->urls.n; i++) {
        LDAPMessage *result = NULL;
        if (!ldap_link_up(t, &t->search, j))
            return LDAP_FAILED;
        ldap_start_clock(t);
        int code = search(t->search.ld, v, filter, attributes, &result);
        bool failed = ldap_link_failed(t, &t->search, code, j);
        enum ldap_outcome outcome =
            failed ? LDAP_FAILED : take_answer(t->search.ld, code, result, attributes, found, j);
        ldap_lib.msgfree(result);
        if (!failed)
            return outcome;
    }
    return LDAP_FAILED;
}

/* ---- passwords ---- */

/* What a directory says to a password that is wrong, or of an account that is locked or has none. */
static bool is_refusal(int result)
{
    return result == LDAP_INVALID_CREDENTIALS || result == LDAP_INAPPROPRIATE_AUTH ||
           result == LDAP_CONSTRAINT_VIOLATION || result == LDAP_UNWILLING_TO_PERFORM ||
           result == LDAP_INSUFFICIENT_ACCESS || result == LDAP_NO_SUCH_OBJECT;
}

enum ldap_outcome ldap_try(const struct verifier *v, void *of_thread, const char *dn, struct span password,
                           struct judgement *j)
{
    struct ldap_thread *t = of_thread;
    if (password.n == 0)
        return LDAP_NONE;
    for (size_t i = 0; t != NULL && i <= v->config->urls.n; i++) {
        if (!ldap_link_up(t, &t->bind, j))
            return LDAP_FAILED;
        ldap_start_clock(t);
        int code = ldap_bind_as(t->bind.ld, dn, password);
        if (ldap_link_failed(t, &t->bind, code, j))
            continue;
        if (code == LDAP_SUCCESS)
            return LDAP_DONE;
        if (is_refusal(code))
            return LDAP_NONE;
        ldap_explain(t, &t->bind, code, j);
        ldap_link_end(&t->bind);
        return LDAP_FAILED;
    }
    return LDAP_FAILED;
}

const char *ldap_library_version(void)
{
    static char text[16];
    snprintf(text, sizeof text, "%d.%d.%d", LDAP_VENDOR_VERSION_MAJOR, LDAP_VENDOR_VERSION_MINOR,
             LDAP_VENDOR_VERSION_PATCH);
    return text;
}
#else
enum ldap_outcome ldap_find(const struct verifier *v UNUSED, void *of_thread UNUSED, const char *filter UNUSED,
                            const char *const attributes[LDAP_ATTRIBUTES_MAX] UNUSED, struct ldap_found *found UNUSED,
                            struct judgement *j)
{
    judgement_down(j, "this build has no libldap");
    return LDAP_FAILED;
}

enum ldap_outcome ldap_try(const struct verifier *v UNUSED, void *of_thread UNUSED, const char *dn UNUSED,
                           struct span password UNUSED, struct judgement *j)
{
    judgement_down(j, "this build has no libldap");
    return LDAP_FAILED;
}

const char *ldap_library_version(void)
{
    return "";
}
#endif
