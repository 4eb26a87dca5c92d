/* HTTP questions by libcurl, for verifiers: one handle in each thread, which keeps its connections; several URLs, of
 * which the one that answered last is asked first. */
#ifndef AUTH_VERIFIERS_HTTP_H
#define AUTH_VERIFIERS_HTTP_H

#include "auth/verifiers/verifier.h"

enum { HTTP_BODY_MAX = 65536, HTTP_HEADERS_MAX = 65536 };

/* For verifier_kind.open, begin and end. */
bool http_open(struct verifier *v, struct buf *why) MUST_CHECK;
void http_close(struct verifier *v);
void *http_begin(void *verifier);
void http_end(void *of_thread);

struct http_question {
    struct buf headers;         /* secret: lines "Name: value" with a NUL behind each */
    struct buf form;            /* secret: the body of a POST; empty: GET */
    struct span user, password; /* HTTP Basic; user.n == 0: none */
};
void http_question_init(struct http_question *q);
void http_question_fini(struct http_question *q);                                          /* wipes */
bool http_header(struct http_question *q, const char *name, struct span value) MUST_CHECK; /* no CR, LF, NUL in it */

struct http_answer {
    long status;
    struct buf headers; /* secret: as they came, one behind the other with CRLF */
    struct buf body;    /* secret */
};
void http_answer_init(struct http_answer *a);
void http_answer_fini(struct http_answer *a);

/* The value of a header, trimmed; the last of that name; at == NULL: there is none. */
struct span http_answer_header(const struct http_answer *a, const char *name);

/* Asks one URL after the other until one gives a status below 500. False: none did, and j is down. */
bool http_ask(const struct verifier *v, void *of_thread, const struct http_question *q, struct http_answer *a,
              struct judgement *j) MUST_CHECK;

const char *http_library_version(void); /* "": not compiled in */

#endif
