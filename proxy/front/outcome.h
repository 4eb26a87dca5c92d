/* What a login came to, and the sentences that tell the user so. An outage never looks like a wrong password. */
#ifndef PROXY_FRONT_OUTCOME_H
#define PROXY_FRONT_OUTCOME_H

#include "config/config.h"

enum outcome_kind {
    OUTCOME_REFUSED,     /* wrong password, unknown mailbox, switched off …: byte for byte one answer */
    OUTCOME_DENIED,      /* an account that never signs in: the same to the client, another word in the log */
    OUTCOME_SAYS,        /* the site's own code and text, which help the user */
    OUTCOME_UNAVAILABLE, /* anything that is not the user's fault */
    OUTCOME_TOO_MANY,    /* the credential is right */
    OUTCOME_TLS_FIRST,
    OUTCOMES
};

struct outcome {
    enum outcome_kind kind;
    const char *why;        /* for the log: of a closed set */
    struct span code, text; /* OUTCOME_SAYS; they live as long as the signin's back-end dialogue */
    uint64_t sessions_max;  /* OUTCOME_TOO_MANY */
};

/* `NO [CODE] text` or `-ERR [CODE] text`, without tag and CRLF. */
bool outcome_write(const struct outcome *o, enum protocol protocol, struct buf *to) MUST_CHECK;
extern const char *const outcome_results[OUTCOMES]; /* for the log's result= */

#endif
