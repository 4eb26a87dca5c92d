/* The words of token introspection (RFC 7662), apart from the asking. */
#ifndef AUTH_VERIFIERS_VERIFY_OAUTH_H
#define AUTH_VERIFIERS_VERIFY_OAUTH_H

#include "auth/verifiers/http.h"

/* Opens the library that reads JSON. False: *why says why not. */
bool introspection_open(struct buf *why) MUST_CHECK;

/* What the answer means for an attempt that named an account. */
void introspection_read(const struct verifier *v, const struct attempt *a, const struct http_answer *answer,
                        struct judgement *j);

#endif
