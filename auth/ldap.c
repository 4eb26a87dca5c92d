/* libldap, in the threads of a verifier. Searches go over one connection, which is bound as the service's own account;
 * passwords are tried on another one, so that the first never becomes somebody else. */
#include "auth/ldap.h"

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
#include <ldap.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/library.h"
#include "config/bundle.h"

enum { VALUE_MAX = 8192, TRIES = 2 };

static struct {
    __typeof__(&ldap_initialize) initialize;
    __typeof__(&ldap_set_option) set_option;
    __typeof__(&ldap_start_tls_s) start_tls_s;
    __typeof__(&ldap_sasl_bind_s) sasl_bind_s;
    __typeof__(&ldap_search_ext_s) search_ext_s;
    __typeof__(&ldap_first_entry) first_entry;
    __typeof__(&ldap_next_entry) next_entry;
    __typeof__(&ldap_get_dn) get_dn;
    __typeof__(&ldap_memfree) memfree;
    __typeof__(&ldap_get_values_len) get_values_len;
    __typeof__(&ldap_value_free_len) value_free_len;
    __typeof__(&ldap_msgfree) msgfree;
    __typeof__(&ldap_unbind_ext_s) unbind_ext_s;
    __typeof__(&ldap_err2string) err2string;
} lib;

#define SYMBOL(member)                                                                                                 \
    {                                                                                                                  \
        "ldap_" #member, (size_t)((char *)&lib.member - (char *)&lib)                                                  \
    }

struct state {                /* of a verifier */
    _Atomic size_t preferred; /* the URL that answered last */
    int ca_fd;                /* libldap takes trust from files only: a memfd, as /proc/self/fd/N */
    char ca_path[32];
};

struct thread {
    const struct verifier *v;
    LDAP *search, *bind;
};

/* ---- life ---- */

static bool keep_ca(struct state *s, struct span ca)
{
    s->ca_fd = memfd_create("ca", MFD_CLOEXEC);
    snprintf(s->ca_path, sizeof s->ca_path, "/proc/self/fd/%d", s->ca_fd);
    return s->ca_fd >= 0 && write(s->ca_fd, ca.at, ca.n) == (ssize_t)ca.n;
}

bool ldap_open_library(struct verifier *v, struct buf *why)
{
    const struct library_symbol symbols[] = {
        SYMBOL(initialize),  SYMBOL(set_option),     SYMBOL(start_tls_s),  SYMBOL(sasl_bind_s), SYMBOL(search_ext_s),
        SYMBOL(first_entry), SYMBOL(next_entry),     SYMBOL(get_dn),       SYMBOL(memfree),     SYMBOL(get_values_len),
        SYMBOL(msgfree),     SYMBOL(value_free_len), SYMBOL(unbind_ext_s), SYMBOL(err2string),
    };
    const char *ca = v->config->ca_file[0] != '\0' ? v->config->ca_file : v->house->tls.ca_file;
    struct span trusted = bundle_find(v->bundle, ca);
    struct state *s = calloc(1, sizeof *s);
    setenv("LDAPNOINIT", "1", 1); /* what ldap.conf says of TLS is not our configuration */
    if (s == NULL || !library_open(HOMEWARD_LDAP_LIBRARY, symbols, COUNT_OF(symbols), &lib, why) ||
        (trusted.n > 0 && !keep_ca(s, trusted))) {
        free(s);
        return false;
    }
    v->state = s;
    return true;
}

void ldap_close_library(struct verifier *v)
{
    struct state *s = v->state;
    if (s != NULL && s->ca_fd > 0)
        close(s->ca_fd);
    free(s);
    v->state = NULL;
}

void *ldap_begin(void *verifier)
{
    struct thread *t = calloc(1, sizeof *t);
    if (t != NULL)
        t->v = verifier;
    return t;
}

static void hang_up(LDAP **connection)
{
    if (*connection != NULL)
        lib.unbind_ext_s(*connection, NULL, NULL);
    *connection = NULL;
}

void ldap_end(void *of_thread)
{
    struct thread *t = of_thread;
    if (t == NULL)
        return;
    hang_up(&t->search);
    hang_up(&t->bind);
    free(t);
}

/* ---- connecting ---- */

static bool set_times(LDAP *ld, int64_t ms)
{
    struct timeval most = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    return lib.set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &most) == LDAP_OPT_SUCCESS &&
           lib.set_option(ld, LDAP_OPT_TIMEOUT, &most) == LDAP_OPT_SUCCESS;
}

static bool set_trust(LDAP *ld, const struct state *s)
{
    int demand = LDAP_OPT_X_TLS_HARD, oldest = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, client = 0;
    return lib.set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
           (s->ca_fd <= 0 || lib.set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, s->ca_path) == LDAP_OPT_SUCCESS) &&
           lib.set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest) == LDAP_OPT_SUCCESS &&
           lib.set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

static bool set_options(LDAP *ld, const struct verifier *v, const char *url)
{
    int version = LDAP_VERSION3;
    bool tls = strncmp(url, "ldaps://", 8) == 0 || v->config->starttls;
    return lib.set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           lib.set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           set_times(ld, v->config->timeout_ms) && (!tls || set_trust(ld, v->state));
}

static int bind_as(LDAP *ld, const char *dn, struct span password)
{
    struct berval credential = { .bv_val = (char *)password.at, .bv_len = password.n };
    return lib.sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &credential, NULL, NULL, NULL);
}

/* One URL. as_service: sign in as bind_dn. */
static int dial(const struct verifier *v, const char *url, bool as_service, LDAP **to)
{
    LDAP *ld = NULL;
    int result = lib.initialize(&ld, url);
    if (result == LDAP_SUCCESS && !set_options(ld, v, url))
        result = LDAP_LOCAL_ERROR;
    if (result == LDAP_SUCCESS && v->config->starttls && strncmp(url, "ldap://", 7) == 0)
        result = lib.start_tls_s(ld, NULL, NULL);
    if (result == LDAP_SUCCESS && as_service && v->config->bind_dn[0] != '\0')
        result = bind_as(ld, v->config->bind_dn, secret_span(&v->secret));
    if (result != LDAP_SUCCESS)
        hang_up(&ld);
    *to = ld;
    return result;
}

static bool connect_one(const struct verifier *v, bool as_service, LDAP **to, struct judgement *j)
{
    struct state *s = v->state;
    size_t n = v->config->urls.n, first = atomic_load(&s->preferred);
    if (*to != NULL)
        return true;
    for (size_t i = 0; i < n; i++) {
        size_t at = (first + i) % n;
        int result = dial(v, v->config->urls.at[at], as_service, to);
        if (result == LDAP_SUCCESS) {
            atomic_store(&s->preferred, at);
            return true;
        }
        judgement_down(j, "%s: %s", v->config->urls.at[at], lib.err2string(result));
    }
    return false;
}

/* The connection is of no use any more: a fresh one may do better. */
static bool is_broken(int result)
{
    return result == LDAP_SERVER_DOWN || result == LDAP_CONNECT_ERROR || result == LDAP_TIMEOUT ||
           result == LDAP_UNAVAILABLE || result == LDAP_BUSY || result == LDAP_PROTOCOL_ERROR ||
           result == LDAP_OPERATIONS_ERROR || result == LDAP_ENCODING_ERROR || result == LDAP_DECODING_ERROR;
}

/* ---- searching ---- */

static bool take_values(LDAP *ld, LDAPMessage *entry, const char *attribute, struct buf *to, size_t *n)
{
    struct berval **values = lib.get_values_len(ld, entry, attribute);
    bool good = true;
    for (size_t i = 0; values != NULL && values[i] != NULL && *n < LDAP_VALUES_MAX && good; i++) {
        buf_init(&to[*n], VALUE_MAX);
        good = values[i]->bv_len > VALUE_MAX || buf_add(&to[*n], span_bytes(values[i]->bv_val, values[i]->bv_len));
        *n += 1;
    }
    if (values != NULL)
        lib.value_free_len(values);
    return good;
}

static enum ldap_outcome take_entry(LDAP *ld, LDAPMessage *entry, const char *const *attributes,
                                    struct ldap_found *found, struct judgement *j)
{
    char *dn = lib.get_dn(ld, entry);
    found->dn = dn != NULL ? span_copy(span_of(dn)) : NULL;
    bool good = found->dn != NULL;
    for (size_t a = 0; a < LDAP_ATTRIBUTES_MAX && good; a++)
        if (attributes[a] != NULL && attributes[a][0] != '\0')
            good = take_values(ld, entry, attributes[a], found->values[a], &found->n[a]);
    lib.memfree(dn);
    if (good)
        return LDAP_DONE;
    judgement_down(j, "memory is short");
    return LDAP_FAILED;
}

static enum ldap_outcome take_result(LDAP *ld, LDAPMessage *result, const char *const *attributes,
                                     struct ldap_found *found, struct judgement *j)
{
    LDAPMessage *entry = result != NULL ? lib.first_entry(ld, result) : NULL;
    if (entry == NULL)
        return LDAP_NONE;
    if (lib.next_entry(ld, entry) != NULL) {
        judgement_down(j, "the filter finds more than one entry for one account");
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
    return lib.search_ext_s(ld, v->config->base, LDAP_SCOPE_SUBTREE, filter, wanted, 0, NULL, NULL, &most, 2, result);
}

enum ldap_outcome ldap_find(const struct verifier *v, void *of_thread, const char *filter,
                            const char *const attributes[LDAP_ATTRIBUTES_MAX], struct ldap_found *found,
                            struct judgement *j)
{
    struct thread *t = of_thread;
    for (int i = 0; t != NULL && i < TRIES; i++) {
        LDAPMessage *result = NULL;
        enum ldap_outcome outcome = LDAP_FAILED;
        if (!connect_one(v, true, &t->search, j))
            return LDAP_FAILED;
        int code = search(t->search, v, filter, attributes, &result);
        if (code == LDAP_SUCCESS || code == LDAP_SIZELIMIT_EXCEEDED)
            outcome = take_result(t->search, result, attributes, found, j);
        else if (code == LDAP_NO_SUCH_OBJECT)
            judgement_down(j, "the base is not there");
        else
            judgement_down(j, "%s", lib.err2string(code));
        lib.msgfree(result);
        if (!is_broken(code))
            return outcome;
        hang_up(&t->search);
    }
    if (t == NULL)
        judgement_down(j, "memory is short");
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
    struct thread *t = of_thread;
    if (password.n == 0)
        return LDAP_NONE;
    for (int i = 0; t != NULL && i < TRIES; i++) {
        if (!connect_one(v, false, &t->bind, j))
            return LDAP_FAILED;
        int code = bind_as(t->bind, dn, password);
        if (code == LDAP_SUCCESS)
            return LDAP_DONE;
        if (is_refusal(code))
            return LDAP_NONE;
        judgement_down(j, "%s", lib.err2string(code));
        hang_up(&t->bind);
        if (!is_broken(code))
            break;
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
bool ldap_open_library(struct verifier *v UNUSED, struct buf *why)
{
    return !buf_add_text(why, "this build has no libldap");
}

void ldap_close_library(struct verifier *v UNUSED)
{
}

void *ldap_begin(void *verifier UNUSED)
{
    return NULL;
}

void ldap_end(void *of_thread UNUSED)
{
}

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
