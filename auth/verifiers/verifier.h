/* Verifiers: who judges a credential. Each kind is a row of operations (verify_file.c, verify_http.c, …); the chain
 * (chain.h) asks them one after the other. */
#ifndef AUTH_VERIFIERS_VERIFIER_H
#define AUTH_VERIFIERS_VERIFIER_H

#include "auth/names/names.h"
#include "auth/verifiers/workers.h"
#include "proxy/base/secret.h"
#include "proxy/wire/sasl.h"

/* One credential to be judged, in memory of its own. */
struct attempt {
    enum protocol protocol;
    enum sasl_mechanism mechanism;
    bool tls;        /* the client's link is protected */
    unsigned number; /* of the attempts of its connection, from 1 */
    struct addr client;
    char *login; /* canonical: whose credential it is */
    char *typed; /* as the client wrote it */
    struct secret secret;
    struct secret known; /* what `prepare` found for `judge`: a hash */
};

enum judged {
    JUDGED_BY_SITE, /* not judged here: the home site does it */
    JUDGED_YES,
    JUDGED_NO,
    JUDGED_UNKNOWN, /* no account of this verifier: the next one is asked */
    JUDGED_DENIED,  /* an account that never signs in, whatever its name */
    JUDGED_DOWN     /* it cannot say: an outage */
};

/* What was said, and what is known of the account beside it: heap strings, NULL where nothing was said. */
struct judgement {
    enum judged is;
    bool of_account;        /* JUDGED_DOWN, for this account alone */
    char detail[128];       /* JUDGED_DOWN: why, for the log; no secret, no text from a client */
    char *name;             /* the account's own name, when it is not the one that was asked for */
    char *site;             /* where home is */
    char *store_name;       /* the name at the store */
    char *options;          /* words as in switches.h */
    struct secret password; /* for the store, in place of the client's */
    bool is_all;            /* said by a directory that knows the home too: no other need be asked */
};

void judgement_fini(struct judgement *j); /* wipes; j is empty and usable again */

/* A down one, with its detail. judgement_unclear: only what it says of this account is of no use; it is well itself. */
void judgement_down(struct judgement *j, const char *format, ...) PRINTF_LIKE(2, 3);
void judgement_unclear(struct judgement *j, const char *format, ...) PRINTF_LIKE(2, 3);

struct verifier {
    const struct verifier_kind *kind;
    const struct verifier_config *config;
    const struct config *house;
    const struct name_rules *names;
    struct span bundle;      /* the files that the configuration names */
    struct secret secret;    /* of config->secret_file */
    void *state;             /* the kind's own; constant while threads run */
    struct workers *workers; /* NULL: it judges nothing itself */
    bool is_down;            /* the last judgement was JUDGED_DOWN */
};

struct verifier_kind {
    bool passwords, tokens; /* what it can judge */
    bool by_account;        /* it works hard for one judgement: those of one account one after the other */
    int niceness;
    /* False: *why says what is wrong. All that follow may be NULL. */
    bool (*open)(struct verifier *v, struct buf *why);
    void (*close)(struct verifier *v);
    /* In the loop. last: nobody else will be asked, so an account that is unknown should take as long as any. False:
     * j->is has been set already. */
    bool (*prepare)(struct verifier *v, struct attempt *a, bool last, struct judgement *j);
    void *(*begin)(void *verifier); /* in each thread: a connection of its own */
    void (*end)(void *of_thread);
    void (*judge)(const struct verifier *v, void *of_thread, const struct attempt *a, struct judgement *j); /* there */
};

extern const struct verifier_kind verify_site, verify_file, verify_http, verify_oauth, verify_ldap;

/* No verifier: it only says what is known of a name (directory.driver). JUDGED_YES: that it is somebody. */
extern const struct verifier_kind find_ldap;

/* The site that a verifier means by a value of its own: by the table of its options (`sites`), a site of that name, or
 * the site that has this host, and port if one is given (0: any), among its back ends. NULL: none. */
const char *verifier_site(const struct verifier *v, struct span value, enum protocol protocol, uint16_t port);

#endif
