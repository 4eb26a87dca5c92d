/* libldap's connections. Searches go over one, which is bound as the service's own account; passwords are tried on
 * another, so that the first never becomes somebody else. */
#include "auth/verifiers/ldap.h"

#ifdef HOMEWARD_HAS_LDAP
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "auth/verifiers/ldap_link.h"
#include "auth/verifiers/library.h"
#include "config/bundle.h"

struct ldap_library ldap_lib;

#define NAMED(name, member)                                                                                            \
    {                                                                                                                  \
        name, (size_t)((char *)&ldap_lib.member - (char *)&ldap_lib)                                                   \
    }
#define SYMBOL(member) NAMED("ldap_" #member, member)

static const struct library_symbol symbols[] = {
    SYMBOL(initialize),
    SYMBOL(set_option),
    SYMBOL(get_option),
    SYMBOL(start_tls_s),
    SYMBOL(sasl_bind_s),
    SYMBOL(search_ext_s),
    SYMBOL(first_entry),
    SYMBOL(next_entry),
    SYMBOL(get_dn),
    SYMBOL(memfree),
    SYMBOL(get_values_len),
    SYMBOL(msgfree),
    SYMBOL(value_free_len),
    SYMBOL(unbind_ext_s),
    SYMBOL(err2string),
    NAMED("ber_set_option", ber_set_option),
    NAMED("ber_sockbuf_add_io", ber_sockbuf_add_io),
    NAMED("ber_sockbuf_ctrl", ber_sockbuf_ctrl),
};

struct state {                /* of a verifier */
    _Atomic size_t preferred; /* the URL to begin with */
    void *trust;              /* libldap's TLS context; NULL: no URL needs one */
};

/* ---- life ---- */

/* Wiping has to be said before anything else is asked. The first handle reads what there is of SASL; it has no other
 * use. */
static bool start_library(void)
{
    static BerMemoryFunctions wiping = { library_malloc, library_calloc, library_realloc, library_free };
    static bool done;
    LDAP *ld = NULL;
    if (done)
        return true;
    ldap_lib.ber_set_option(NULL, LBER_OPT_MEMORY_FNS, &wiping);
    done = ldap_lib.initialize(&ld, "ldap://") == LDAP_SUCCESS;
    if (ld != NULL)
        ldap_lib.unbind_ext_s(ld, NULL, NULL);
    return done;
}

/* There is no public way to give a TLS context back: each lives as long as this process. */
static void *contexts[VERIFIERS_MAX + 1 /* the directory's */];

static bool keep_context(void *context)
{
    for (size_t i = 0; i < COUNT_OF(contexts); i++)
        if (contexts[i] == NULL) {
            contexts[i] = context;
            return true;
        }
    return false;
}

/* libldap takes trust from files only; this one is read once, here. The context is made by a handle that has no other
 * use. */
static bool make_trust(struct state *s, const char *path)
{
    int demand = LDAP_OPT_X_TLS_HARD, oldest = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, client = 0;
    LDAP *ld = NULL;
    bool good = ldap_lib.initialize(&ld, "ldaps://") == LDAP_SUCCESS &&
                ldap_lib.set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
                ldap_lib.set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, path) == LDAP_OPT_SUCCESS &&
                ldap_lib.set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest) == LDAP_OPT_SUCCESS &&
                ldap_lib.set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS &&
                ldap_lib.get_option(ld, LDAP_OPT_X_TLS_CTX, &s->trust) == LDAP_OPT_SUCCESS && s->trust != NULL &&
                keep_context(s->trust);
    if (ld != NULL)
        ldap_lib.unbind_ext_s(ld, NULL, NULL);
    return good;
}

static bool take_trust(struct state *s, struct span ca)
{
    char path[32];
    int fd = memfd_create("ca", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool good = fd >= 0 && write(fd, ca.at, ca.n) == (ssize_t)ca.n && make_trust(s, path);
    if (fd >= 0)
        close(fd);
    return good;
}

bool ldap_open_library(struct verifier *v, struct buf *why)
{
    const char *ca = v->config->ca_file[0] != '\0' ? v->config->ca_file : v->house->tls.ca_file;
    struct span trusted = bundle_find(v->bundle, ca);
    struct state *s = calloc(1, sizeof *s);
    setenv("LDAPNOINIT", "1", 1); /* what ldap.conf says of TLS is not our configuration */
    bool opened =
        s != NULL && library_open(HOMEWARD_LDAP_LIBRARY, symbols, COUNT_OF(symbols), &ldap_lib, why) && start_library();
    if (!opened || (trusted.n > 0 && !take_trust(s, trusted))) {
        bool told = !opened || buf_printf(why, "%s: libldap cannot use these CAs", ca);
        (void)told; /* a full buf has told enough */
        free(s);
        return false;
    }
    library_resolver();
    v->state = s;
    return true;
}

void ldap_close_library(struct verifier *v)
{
    free(v->state);
    v->state = NULL;
}

/* ---- time ----
 *
 * libldap bounds its waits for answers, but neither a TLS handshake nor a write. This layer, between TCP and TLS, fails
 * whatever is still on the wire when the time is over. */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool wait_for(const Sockbuf_IO_Desc *layer, short events)
{
    const struct ldap_thread *t = layer->sbiod_pvt;
    struct pollfd p = { .fd = -1, .events = events };
    int64_t left = t->until_ms - now_ms();
    ldap_lib.ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
    if (left > 0 && p.fd >= 0 && poll(&p, 1, (int)left) > 0)
        return true;
    errno = ETIMEDOUT;
    return false;
}

static ber_slen_t read_in_time(Sockbuf_IO_Desc *layer, void *to, ber_len_t n)
{
    return wait_for(layer, POLLIN) ? LBER_SBIOD_READ_NEXT(layer, to, n) : -1;
}

static ber_slen_t write_in_time(Sockbuf_IO_Desc *layer, void *from, ber_len_t n)
{
    return wait_for(layer, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(layer, from, n) : -1;
}

static int layer_setup(Sockbuf_IO_Desc *layer, void *of_thread)
{
    layer->sbiod_pvt = of_thread;
    return 0;
}

static int layer_end(Sockbuf_IO_Desc *layer UNUSED)
{
    return 0;
}

static int layer_control(Sockbuf_IO_Desc *layer, int option, void *argument)
{
    return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}

static Sockbuf_IO in_time = {
    .sbi_setup = layer_setup,
    .sbi_remove = layer_end,
    .sbi_ctrl = layer_control,
    .sbi_read = read_in_time,
    .sbi_write = write_in_time,
    .sbi_close = layer_end,
};

static int on_connect(LDAP *ld UNUSED, Sockbuf *sb, LDAPURLDesc *url UNUSED, struct sockaddr *address UNUSED,
                      struct ldap_conncb *of_thread)
{
    return ldap_lib.ber_sockbuf_add_io(sb, &in_time, (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2,
                                       of_thread->lc_arg);
}

static void on_disconnect(LDAP *ld UNUSED, Sockbuf *sb UNUSED, struct ldap_conncb *of_thread UNUSED)
{
}

void ldap_start_clock(struct ldap_thread *t)
{
    t->until_ms = now_ms() + t->v->config->timeout_ms;
}

/* ---- a thread ---- */

void *ldap_begin(void *verifier)
{
    struct ldap_thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->v = verifier;
    t->on_connect = (struct ldap_conncb){ on_connect, on_disconnect, t };
    t->search.as_service = true;
    return t;
}

static void hang_up(LDAP **ld)
{
    if (*ld != NULL)
        ldap_lib.unbind_ext_s(*ld, NULL, NULL);
    *ld = NULL;
}

void ldap_end(void *of_thread)
{
    struct ldap_thread *t = of_thread;
    if (t == NULL)
        return;
    ldap_start_clock(t); /* for the goodbyes */
    hang_up(&t->search.ld);
    hang_up(&t->bind.ld);
    free(t);
}

/* ---- connecting ---- */

static bool set_times(LDAP *ld, int64_t ms)
{
    struct timeval most = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    return ldap_lib.set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &most) == LDAP_OPT_SUCCESS &&
           ldap_lib.set_option(ld, LDAP_OPT_TIMEOUT, &most) == LDAP_OPT_SUCCESS;
}

static bool set_options(LDAP *ld, struct ldap_thread *t)
{
    const struct state *s = t->v->state;
    int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_HARD;
    return ldap_lib.set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_lib.set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_lib.set_option(ld, LDAP_OPT_CONNECT_CB, &t->on_connect) == LDAP_OPT_SUCCESS &&
           ldap_lib.set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
           (s->trust == NULL || ldap_lib.set_option(ld, LDAP_OPT_X_TLS_CTX, s->trust) == LDAP_OPT_SUCCESS) &&
           set_times(ld, t->v->config->timeout_ms);
}

int ldap_bind_as(LDAP *ld, const char *dn, struct span password)
{
    struct berval credential = { .bv_val = (char *)password.at, .bv_len = password.n };
    return ldap_lib.sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &credential, NULL, NULL, NULL);
}

static void explain(LDAP *ld, const char *url, int result, struct judgement *j)
{
    char *more = NULL;
    if (ld != NULL && ldap_lib.get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more) != LDAP_OPT_SUCCESS)
        more = NULL;
    judgement_down(j, "%s: %s%s%s", url, ldap_lib.err2string(result), more != NULL ? ": " : "",
                   more != NULL ? more : "");
    ldap_lib.memfree(more);
}

/* One URL. Without a bind_dn to sign in as, or StartTLS, the first question will make the connection. */
static LDAP *dial(struct ldap_thread *t, const char *url, bool as_service, struct judgement *j)
{
    const struct verifier_config *config = t->v->config;
    LDAP *ld = NULL;
    ldap_start_clock(t);
    int result = ldap_lib.initialize(&ld, url);
    if (result == LDAP_SUCCESS && !set_options(ld, t))
        result = LDAP_LOCAL_ERROR;
    if (result == LDAP_SUCCESS && config->starttls && strncmp(url, "ldap://", 7) == 0)
        result = ldap_lib.start_tls_s(ld, NULL, NULL);
    if (result == LDAP_SUCCESS && as_service && config->bind_dn[0] != '\0')
        result = ldap_bind_as(ld, config->bind_dn, secret_span(&t->v->secret));
    if (result != LDAP_SUCCESS) {
        explain(ld, url, result, j);
        hang_up(&ld);
    }
    return ld;
}

/* The URL that does not answer is not the one to begin with. */
static void prefer_another(const struct verifier *v, size_t url)
{
    struct state *s = v->state;
    size_t expected = url;
    atomic_compare_exchange_strong(&s->preferred, &expected, (url + 1) % v->config->urls.n);
}

bool ldap_link_up(struct ldap_thread *t, struct ldap_link *link, struct judgement *j)
{
    const struct strings *urls = &t->v->config->urls;
    struct state *s = t->v->state;
    for (size_t i = 0; i < urls->n && link->ld == NULL; i++) {
        link->url = atomic_load(&s->preferred);
        link->proven = false;
        link->ld = dial(t, urls->at[link->url], link->as_service, j);
        if (link->ld == NULL)
            prefer_another(t->v, link->url);
    }
    return link->ld != NULL;
}

void ldap_link_end(struct ldap_link *link)
{
    hang_up(&link->ld);
}

void ldap_explain(const struct ldap_thread *t, const struct ldap_link *link, int result, struct judgement *j)
{
    explain(link->ld, t->v->config->urls.at[link->url], result, j);
}

/* The connection is of no use any more: a fresh one may do better. */
static bool is_broken(int result)
{
    return result == LDAP_SERVER_DOWN || result == LDAP_CONNECT_ERROR || result == LDAP_TIMEOUT ||
           result == LDAP_UNAVAILABLE || result == LDAP_BUSY || result == LDAP_PROTOCOL_ERROR ||
           result == LDAP_OPERATIONS_ERROR || result == LDAP_ENCODING_ERROR || result == LDAP_DECODING_ERROR;
}

/* One that has served before may just have been closed meanwhile by a server that is well. */
bool ldap_link_failed(struct ldap_thread *t, struct ldap_link *link, int result, struct judgement *j)
{
    bool broken = is_broken(result);
    if (!broken) {
        link->proven = true;
        return false;
    }
    ldap_explain(t, link, result, j);
    hang_up(&link->ld);
    if (!link->proven)
        prefer_another(t->v, link->url);
    return true;
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
#endif
