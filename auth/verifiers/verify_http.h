/* The words of nginx's auth_http, apart from the asking. */
#ifndef AUTH_VERIFIERS_VERIFY_HTTP_H
#define AUTH_VERIFIERS_VERIFY_HTTP_H

#include "auth/verifiers/http.h"

/* The question's headers. False: something does not fit. */
bool auth_http_compose(struct http_question *q, const struct verifier *v, const struct attempt *a) MUST_CHECK;

/* What the answer means. */
void auth_http_read(const struct verifier *v, const struct attempt *a, const struct http_answer *answer,
                    struct judgement *j);

#endif
