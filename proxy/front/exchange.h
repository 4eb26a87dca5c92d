/* A SASL exchange with the client (RFC 4422), the same for both protocols: lines of base64 in, challenges out,
 * credentials at the end. */
#ifndef PROXY_FRONT_EXCHANGE_H
#define PROXY_FRONT_EXCHANGE_H

#include "proxy/base/secret.h"
#include "proxy/wire/sasl.h"

/* One attempt's credentials: wiped after use, never logged, never in a message. */
struct credentials {
    enum sasl_mechanism mechanism; /* SASL_NONE: LOGIN, or USER and PASS */
    char name[SASL_NAME_MAX + 1];  /* as typed; n is strlen, since names hold no NUL */
    char authzid[SASL_NAME_MAX + 1];
    struct secret secret; /* password or token */
};

bool credentials_set(struct credentials *c, enum sasl_mechanism m, struct span name, struct span authzid,
                     struct span secret) MUST_CHECK; /* false: the name is unusable, or no memory */
void credentials_wipe(struct credentials *c);

struct exchange {
    enum sasl_mechanism mechanism; /* SASL_NONE: none is under way */
    bool refused;                  /* a bearer's error was sent as a challenge; any line ends it (RFC 7628 3.2.3) */
    struct secret name;            /* LOGIN's first answer */
    bool has_name;
};

enum exchange_step {
    EXCHANGE_CHALLENGE, /* send *challenge (base64, static) as a continuation */
    EXCHANGE_DONE,      /* credentials are filled in */
    EXCHANGE_CANCELLED, /* the client sent "*" */
    EXCHANGE_BAD,       /* not base64, or not what the mechanism defines */
    EXCHANGE_REFUSED,   /* the line that follows a bearer's error */
};

/* initial: the initial response as it stands on the command line ("=" for an empty one); at == NULL: there was none. */
enum exchange_step exchange_begin(struct exchange *x, enum sasl_mechanism m, struct span initial,
                                  struct credentials *to, const char **challenge) MUST_CHECK;
enum exchange_step exchange_line(struct exchange *x, struct span line, struct credentials *to,
                                 const char **challenge) MUST_CHECK;
void exchange_end(struct exchange *x); /* forgets and wipes */

/* The error of a refused bearer token, as a challenge in base64: the same for everybody, whatever the reason. */
const char *exchange_refuse(struct exchange *x, enum sasl_mechanism m);

#endif
