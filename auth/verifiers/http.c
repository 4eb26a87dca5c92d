/* libcurl, in the threads of a verifier. */
#include "auth/verifiers/http.h"

#ifdef HOMEWARD_HAS_CURL
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "auth/verifiers/library.h"
#include "config/bundle.h"

#define LIBRARY "libcurl.so.4"

static struct {
    __typeof__(&curl_global_init_mem) global_init_mem;
    __typeof__(&curl_easy_init) easy_init;
    __typeof__(&curl_easy_cleanup) easy_cleanup;
    __typeof__(&curl_easy_reset) easy_reset;
    __typeof__(&curl_easy_setopt) easy_setopt;
    __typeof__(&curl_easy_perform) easy_perform;
    __typeof__(&curl_easy_getinfo) easy_getinfo;
    __typeof__(&curl_easy_strerror) easy_strerror;
    __typeof__(&curl_slist_append) slist_append;
    __typeof__(&curl_slist_free_all) slist_free_all;
} curl;

#define SYMBOL(member)                                                                                                 \
    {                                                                                                                  \
        "curl_" #member, (size_t)((char *)&curl.member - (char *)&curl)                                                \
    }

struct http {                 /* of a verifier */
    _Atomic size_t preferred; /* the URL to begin with */
    struct span ca;
};

struct thread {
    const struct verifier *v;
    CURL *handle;
};

/* libcurl's copies of what is sent and of what comes are wiped when it gives them back. */

static void *curl_malloc(size_t n)
{
    return library_malloc(n, NULL);
}

static void *curl_calloc(size_t n, size_t each)
{
    return library_calloc(n, each, NULL);
}

static void *curl_realloc(void *p, size_t n)
{
    return library_realloc(p, n, NULL);
}

static void curl_free_wiped(void *p)
{
    library_free(p, NULL);
}

static bool start_library(void)
{
    return curl.global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_free_wiped, curl_realloc, strdup, curl_calloc) ==
           CURLE_OK;
}

bool http_open(struct verifier *v, struct buf *why)
{
    const struct library_symbol symbols[] = {
        SYMBOL(global_init_mem), SYMBOL(easy_init),      SYMBOL(easy_cleanup), SYMBOL(easy_reset),
        SYMBOL(easy_setopt),     SYMBOL(easy_perform),   SYMBOL(easy_getinfo), SYMBOL(easy_strerror),
        SYMBOL(slist_append),    SYMBOL(slist_free_all),
    };
    const char *ca = v->config->ca_file[0] != '\0' ? v->config->ca_file : v->house->tls.ca_file;
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL || !library_open(LIBRARY, symbols, COUNT_OF(symbols), &curl, why) || !start_library()) {
        free(h);
        return false;
    }
    library_resolver();
    h->ca = bundle_find(v->bundle, ca);
    v->state = h;
    return true;
}

void http_close(struct verifier *v)
{
    free(v->state);
    v->state = NULL;
}

void *http_begin(void *verifier)
{
    struct thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct thread){ .v = verifier, .handle = curl.easy_init() };
    return t;
}

void http_end(void *of_thread)
{
    struct thread *t = of_thread;
    if (t != NULL && t->handle != NULL)
        curl.easy_cleanup(t->handle);
    free(t);
}

/* ---- one transfer ---- */

static size_t take_header(char *at, size_t size, size_t n, void *answer)
{
    struct http_answer *a = answer;
    return buf_add(&a->headers, span_bytes(at, size * n)) ? size * n : 0;
}

static size_t take_body(char *at, size_t size, size_t n, void *answer)
{
    struct http_answer *a = answer;
    return buf_add(&a->body, span_bytes(at, size * n)) ? size * n : 0;
}

static struct curl_slist *list_headers(const struct buf *headers)
{
    struct curl_slist *list = NULL;
    for (struct span rest = buf_span(headers); rest.n > 0;) {
        struct curl_slist *longer = curl.slist_append(list, rest.at);
        if (longer == NULL) {
            curl.slist_free_all(list);
            return NULL;
        }
        list = longer;
        rest = span_after(rest, strlen(rest.at) + 1);
    }
    return list;
}

static void wipe_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l != NULL; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl.slist_free_all(list);
}

/* Its own default is a folder of CAs beside ours. */
static bool set_trust(CURL *handle, const struct http *h)
{
    struct curl_blob ca = { .data = (void *)h->ca.at, .len = h->ca.n, .flags = CURL_BLOB_NOCOPY };
    return curl.easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_CAINFO, NULL) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           (h->ca.n == 0 || curl.easy_setopt(handle, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK);
}

/* What a server says is never followed anywhere else. */
static bool set_manners(CURL *handle, const struct verifier *v)
{
    long most_ms = (long)v->config->timeout_ms;
    return curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_PROXY, "") == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_TIMEOUT_MS, most_ms) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, most_ms) == CURLE_OK;
}

static bool set_who(CURL *handle, const struct http_question *q)
{
    char *user = q->user.n > 0 ? span_copy(q->user) : NULL, *password = user != NULL ? span_copy(q->password) : NULL;
    bool good = q->user.n == 0 ||
                (password != NULL && curl.easy_setopt(handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
                 curl.easy_setopt(handle, CURLOPT_USERNAME, user) == CURLE_OK &&
                 curl.easy_setopt(handle, CURLOPT_PASSWORD, password) == CURLE_OK);
    if (password != NULL)
        explicit_bzero(password, q->password.n);
    free(user);
    free(password);
    return good;
}

static bool set_question(CURL *handle, const char *url, const struct http_question *q, const struct curl_slist *headers)
{
    return curl.easy_setopt(handle, CURLOPT_URL, url) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers) == CURLE_OK && set_who(handle, q) &&
           (q->form.n == 0 || (curl.easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)q->form.n) == CURLE_OK &&
                               curl.easy_setopt(handle, CURLOPT_POSTFIELDS, q->form.at) == CURLE_OK));
}

static bool set_answer(CURL *handle, struct http_answer *a)
{
    return curl.easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_HEADERDATA, a) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl.easy_setopt(handle, CURLOPT_WRITEDATA, a) == CURLE_OK;
}

/* An option that this libcurl does not know ends it: it may be the one that makes it safe. The reset keeps connections
 * and forgets all the rest. */
static CURLcode transfer(struct thread *t, const char *url, const struct http_question *q, struct http_answer *a)
{
    CURL *handle = t->handle;
    struct curl_slist *headers = list_headers(&q->headers);
    CURLcode code = CURLE_FAILED_INIT;
    if (headers != NULL && set_manners(handle, t->v) && set_trust(handle, t->v->state) &&
        set_question(handle, url, q, headers) && set_answer(handle, a))
        code = curl.easy_perform(handle);
    if (code == CURLE_OK)
        code = curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &a->status);
    curl.easy_reset(handle);
    wipe_headers(headers);
    return code;
}

/* The URL that does not answer is not the one to begin with. */
static void prefer_another(struct http *h, size_t url, size_t n)
{
    size_t expected = url;
    atomic_compare_exchange_strong(&h->preferred, &expected, (url + 1) % n);
}

bool http_ask(const struct verifier *v, void *of_thread, const struct http_question *q, struct http_answer *a,
              struct judgement *j)
{
    struct thread *t = of_thread;
    struct http *h = v->state;
    size_t n = v->config->urls.n;
    if (t == NULL || t->handle == NULL) {
        judgement_down(j, "memory is short");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = atomic_load(&h->preferred);
        buf_clear(&a->headers);
        buf_clear(&a->body);
        CURLcode code = transfer(t, v->config->urls.at[at], q, a);
        if (code == CURLE_OK && a->status < 500)
            return true;
        prefer_another(h, at, n);
        if (code == CURLE_OK)
            judgement_down(j, "%s: status %ld", v->config->urls.at[at], a->status);
        else
            judgement_down(j, "%s: %s", v->config->urls.at[at], curl.easy_strerror(code));
    }
    return false;
}

const char *http_library_version(void)
{
    return LIBCURL_VERSION;
}
#else
bool http_open(struct verifier *v UNUSED, struct buf *why)
{
    return !buf_add_text(why, "this build has no libcurl");
}

void http_close(struct verifier *v UNUSED)
{
}

void *http_begin(void *verifier UNUSED)
{
    return NULL;
}

void http_end(void *of_thread UNUSED)
{
}

bool http_ask(const struct verifier *v UNUSED, void *of_thread UNUSED, const struct http_question *q UNUSED,
              struct http_answer *a UNUSED, struct judgement *j)
{
    judgement_down(j, "this build has no libcurl");
    return false;
}

const char *http_library_version(void)
{
    return "";
}
#endif

/* ---- questions and answers ---- */

void http_question_init(struct http_question *q)
{
    *q = (struct http_question){ .user = SPAN_NONE };
    buf_init_secret(&q->headers, HTTP_HEADERS_MAX);
    buf_init_secret(&q->form, HTTP_BODY_MAX);
}

void http_question_fini(struct http_question *q)
{
    buf_fini(&q->headers);
    buf_fini(&q->form);
}

bool http_header(struct http_question *q, const char *name, struct span value)
{
    return !span_has(value, '\0') && !span_has(value, '\r') && !span_has(value, '\n') &&
           buf_add_text(&q->headers, name) && buf_add_text(&q->headers, value.n > 0 ? ": " : ";") &&
           buf_add(&q->headers, value) && buf_add_byte(&q->headers, '\0');
}

void http_answer_init(struct http_answer *a)
{
    a->status = 0;
    buf_init_secret(&a->headers, HTTP_HEADERS_MAX);
    buf_init_secret(&a->body, HTTP_BODY_MAX);
}

void http_answer_fini(struct http_answer *a)
{
    buf_fini(&a->headers);
    buf_fini(&a->body);
}

struct span http_answer_header(const struct http_answer *a, const char *name)
{
    struct span rest = buf_span(&a->headers), found = SPAN_NONE, want = span_of(name);
    while (rest.n > 0) {
        ptrdiff_t end = span_find(rest, '\n');
        struct span line = end < 0 ? rest : span_first(rest, (size_t)end);
        ptrdiff_t colon = span_find(line, ':');
        if (colon > 0 && span_eq_nocase(span_first(line, (size_t)colon), want))
            found = span_trim(span_after(line, (size_t)colon + 1));
        rest = span_after(rest, end < 0 ? rest.n : (size_t)end + 1);
    }
    return found;
}
