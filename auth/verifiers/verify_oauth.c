/* The verifier `oauth`: a token is shown to the server that made it (token introspection, RFC 7662), which says whether
 * it is good and whose it is. Only bearer tokens are judged here: XOAUTH2 and OAUTHBEARER (RFC 7628). */
#include <stdlib.h>

#include "auth/verifiers/verify_oauth.h"

#if defined HOMEWARD_HAS_CURL && defined HOMEWARD_HAS_JANSSON
#include <jansson.h>
#include <time.h>

#include "auth/verifiers/library.h"

#define LIBRARY "libjansson.so.4"

static struct {
    __typeof__(&json_loadb) loadb;
    __typeof__(&json_delete) delete;
    __typeof__(&json_object_get) object_get;
    __typeof__(&json_string_value) string_value;
    __typeof__(&json_string_length) string_length;
    __typeof__(&json_number_value) number_value;
    __typeof__(&json_array_size) array_size;
    __typeof__(&json_array_get) array_get;
} json;

#define SYMBOL(member)                                                                                                 \
    {                                                                                                                  \
        "json_" #member, (size_t)((char *)&json.member - (char *)&json)                                                \
    }

bool introspection_open(struct buf *why)
{
    const struct library_symbol symbols[] = {
        SYMBOL(loadb),         SYMBOL(delete),       SYMBOL(object_get), SYMBOL(string_value),
        SYMBOL(string_length), SYMBOL(number_value), SYMBOL(array_size), SYMBOL(array_get),
    };
    return library_open(LIBRARY, symbols, COUNT_OF(symbols), &json, why);
}

static bool open_libraries(struct verifier *v, struct buf *why)
{
    return introspection_open(why) && http_open(v, why);
}

/* ---- the question ---- */

/* application/x-www-form-urlencoded, all that is not unreserved. */
static bool add_encoded(struct buf *to, struct span s)
{
    bool fits = true;
    for (size_t i = 0; i < s.n && fits; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || c == '.';
        fits = plain ? buf_add_byte(to, s.at[i]) : buf_printf(to, "%%%02X", c);
    }
    return fits;
}

/* RFC 6749 2.3.1: both parts of the Basic credential are encoded as in a form. */
static bool compose(struct http_question *q, const struct verifier *v, const struct attempt *a, struct buf *user,
                    struct buf *password)
{
    struct span client_id = span_of(v->config->client_id);
    if (!http_header(q, "Accept", SPAN("application/json")) || !buf_add_text(&q->form, "token=") ||
        !add_encoded(&q->form, secret_span(&a->secret)) || !buf_add_text(&q->form, "&token_type_hint=access_token"))
        return false;
    if (!add_encoded(user, client_id) || !add_encoded(password, secret_span(&v->secret)))
        return false;
    q->user = buf_span(user);
    q->password = buf_span(password);
    return true;
}

/* ---- the answer ---- */

/* jansson's macros would call the library directly: types are looked at here. */
static struct span string_of(const json_t *value)
{
    if (value == NULL || value->type != JSON_STRING)
        return SPAN_NONE;
    return span_bytes(json.string_value(value), json.string_length(value));
}

static bool has_word(struct span list, struct span word)
{
    struct span each;
    while (span_word(&list, &each))
        if (span_eq(each, word))
            return true;
    return false;
}

static bool has_scope(const struct verifier *v, const json_t *answer)
{
    struct span wanted = span_of(v->config->scope), word, given = string_of(json.object_get(answer, "scope"));
    while (span_word(&wanted, &word))
        if (!has_word(given, word))
            return false;
    return true;
}

/* One name or an array of them. */
static bool has_audience(const struct verifier *v, const json_t *answer)
{
    struct span wanted = span_of(v->config->audience);
    const json_t *given = json.object_get(answer, "aud");
    if (wanted.n == 0 || span_eq(string_of(given), wanted))
        return true;
    if (given == NULL || given->type != JSON_ARRAY)
        return false;
    for (size_t i = 0; i < json.array_size(given); i++)
        if (span_eq(string_of(json.array_get(given, i)), wanted))
            return true;
    return false;
}

static bool is_in_time(const json_t *answer)
{
    const json_t *end = json.object_get(answer, "exp"), *begin = json.object_get(answer, "nbf");
    double now = (double)time(NULL);
    bool late = end != NULL && (end->type == JSON_INTEGER || end->type == JSON_REAL) && json.number_value(end) <= now;
    bool early =
        begin != NULL && (begin->type == JSON_INTEGER || begin->type == JSON_REAL) && json.number_value(begin) > now;
    return !late && !early;
}

/* The token must be of the account that the client named. */
static bool is_of_account(const struct verifier *v, const struct attempt *a, struct span claim)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    bool same = name_canonical(v->names, claim, &name) && span_eq(buf_span(&name), span_of(a->login));
    buf_fini(&name);
    return same;
}

static void take_object(const struct verifier *v, const struct attempt *a, const json_t *answer, struct judgement *j)
{
    const json_t *active = json.object_get(answer, "active");
    struct span claim = string_of(json.object_get(answer, v->config->name_claim));
    if (active == NULL || (active->type != JSON_TRUE && active->type != JSON_FALSE))
        judgement_down(j, "its answer does not say whether the token is active");
    else if (active->type == JSON_FALSE || !is_in_time(answer) || !has_scope(v, answer) || !has_audience(v, answer))
        j->is = JUDGED_NO;
    else if (claim.n == 0)
        judgement_unclear(j, "its answer has no %s", v->config->name_claim);
    else
        j->is = is_of_account(v, a, claim) ? JUDGED_YES : JUDGED_NO;
}

void introspection_read(const struct verifier *v, const struct attempt *a, const struct http_answer *answer,
                        struct judgement *j)
{
    if (answer->status != 200) {
        judgement_down(j, "it answers with status %ld", answer->status);
        return;
    }
    json_t *value = json.loadb(answer->body.n > 0 ? answer->body.at : "", answer->body.n, JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL || value->type != JSON_OBJECT)
        judgement_down(j, "its answer is no JSON object");
    else
        take_object(v, a, value, j);
    if (value != NULL && --value->refcount == 0) /* as json_decref does; nobody else holds it */
        json.delete(value);
}

static void judge(const struct verifier *v, void *of_thread, const struct attempt *a, struct judgement *j)
{
    struct http_question q;
    struct http_answer answer;
    struct buf user, password;
    http_question_init(&q);
    http_answer_init(&answer);
    buf_init_secret(&user, 1024);
    buf_init_secret(&password, 16384);
    if (!compose(&q, v, a, &user, &password))
        judgement_down(j, "the question does not fit");
    else if (http_ask(v, of_thread, &q, &answer, j))
        introspection_read(v, a, &answer, j);
    buf_fini(&user);
    buf_fini(&password);
    http_answer_fini(&answer);
    http_question_fini(&q);
}
#else
bool introspection_open(struct buf *why)
{
    return !buf_add_text(why, "this build has no libcurl or no libjansson");
}

void introspection_read(const struct verifier *v UNUSED, const struct attempt *a UNUSED,
                        const struct http_answer *answer UNUSED, struct judgement *j)
{
    judgement_down(j, "this build has no libcurl or no libjansson");
}

static bool open_libraries(struct verifier *v UNUSED, struct buf *why)
{
    return !buf_add_text(why, "this build has no libcurl or no libjansson");
}

static void judge(const struct verifier *v UNUSED, void *of_thread UNUSED, const struct attempt *a UNUSED,
                  struct judgement *j)
{
    judgement_down(j, "this build has no libcurl or no libjansson");
}
#endif

const struct verifier_kind verify_oauth = {
    .tokens = true, .open = open_libraries, .close = http_close, .begin = http_begin, .end = http_end, .judge = judge
};
