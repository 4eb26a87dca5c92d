/* Everything that only the login needs: the dialogue before it, the credentials, the questions to auth and backends,
 * the dialogue with the back end. It hangs off s->signin and dies, wiped, when the relay starts.
 *
 * The story (signin.c): signin_start after a dialogue has credentials -> auth -> backends -> handin -> relay, or an
 * outcome that the dialogue tells the client, after which commands are read again. */
#ifndef PROXY_FRONT_SIGNIN_H
#define PROXY_FRONT_SIGNIN_H

#include "backends/login/login.h"
#include "proxy/front/exchange.h"
#include "proxy/front/outcome.h"
#include "proxy/front/process.h"
#include "proxy/wire/imap_command.h"

enum {
    PIPELINED_MAX = 65536, /* bytes kept behind a login that is under way; the longest SASL line too */
    OUT_MAX = 65536,
    LEFT_MAX = 256 * 1024, /* what a login may leave to one direction of the relay */
};

struct signin {
    struct session *s;
    struct buf in;     /* read from the client, not yet understood */
    struct buf out;    /* not yet taken by the client */
    bool client_ended; /* the client has ended its side; what it sent before is still answered */
    bool spoken;       /* the client has said something */
    bool finishing;    /* what is in `out` are the last words */

    /* the dialogue */
    struct imap_reader imap;
    char tag[IMAP_TAG_MAX + 1];
    struct secret pop3_user;
    bool has_pop3_user;
    struct exchange exchange;
    struct credentials credentials;
    unsigned errors, failures;
    struct buf client_id;       /* what the client said of itself, as quoted strings, for the back end */
    struct addr hop;            /* who is connected, whatever a PROXY header or a front end said of the client */
    struct forwarded forwarded; /* what a front end before us said; then: what we tell the store */
    char sid[FORWARDED_SESSION_MAX + 1];

    /* the login */
    struct question verdict, dial;
    struct question confirm; /* IPsec: may the credential go? */
    const struct site *site;
    char store_name[SASL_NAME_MAX + 1];
    char store_login[SASL_NAME_MAX + 1];      /* the delegate's; "": none */
    char master_login[2 * SASL_NAME_MAX + 2]; /* with the form user*master */
    struct secret store_password;             /* a verifier's, in place of the client's; n == 0: none */
    bool verified;                            /* auth has judged the credential */
    uint8_t delay;                            /* points of the grid that a refusal waits longer */
    bool user_full;
    uint64_t sessions_max;
    uint64_t tried[TRIED_MAX];
    size_t n_tried;
    const char *ipsec; /* what backends said of the associations, for the log; NULL: nothing */
    bool no_inner_tls; /* STARTTLS inside IPsec came to grief: without it, then */
    bool ready_made;   /* the connection is one of the reserve */
    char *host;        /* of the member that was dialled */
    int64_t read_ms;   /* when the command with the credential was read */
    int64_t dialed_ms, step_ms;
    struct alarm budget; /* of the whole login */
    struct alarm moment; /* when a refusal may be told */
    struct outcome outcome;
    struct login_order order;
    struct login *login;   /* the dialogue with the back end */
    struct buf to_site;    /* what it wants to send */
    struct buf from_site;  /* what it has not read yet */
    struct alarm greeting; /* TLS and greeting of one member */
};

struct signin *signin_new(struct session *s);
void signin_free(struct signin **in); /* wipes; also frees the questions and the back end's half of the dialogue */

/* s->signin->credentials are complete. May end the session. */
void signin_start(struct session *s);

/* The client has gone while the login was under way. */
void signin_abort(struct session *s);

/* Within signin*.c. */
void signin_ask(struct session *s); /* auth; then: */
void signin_dial(struct session *s);
void signin_end(struct session *s, const struct outcome *o); /* the attempt; may end the session */
void signin_unavailable(struct session *s, const char *why);

/* handin.c: the connection to a member is there (fd); what it comes to goes back by signin_accepted, signin_failed. */
void handin_start(struct session *s, int fd);
bool handin_start_ready(struct session *s, uint64_t spare) MUST_CHECK; /* the same with one of the reserve; false: it is
                                                                          not to be had, and nothing has happened */
void handin_ready(struct session *s);
void handin_too_late(struct session *s);  /* the time for the whole login is over */
void handin_resume(struct session *s);    /* after a pause in which its IPsec link was not watched */
void handin_lose_link(struct session *s); /* its IPsec link must not be used */
void handin_end(struct session *s);       /* drop the dialogue and the connection */
void signin_accepted(struct session *s);
/* fault: whose; retry: no credential was sent, another member may do better. */
void signin_failed(struct session *s, const struct outcome *o, enum dial_stage stage, enum dial_fault fault,
                   bool retry);

/* The same member again: what went wrong was an extra (IPsec's inner TLS), or a connection of the reserve was gone. */
void signin_redial(struct session *s);

/* signin_log.c: the lines of an attempt. */
void signin_log_failure(struct session *s, const struct outcome *o);
void signin_log_success(struct session *s);
void signin_log_member(struct session *s, const struct outcome *o, enum dial_stage stage); /* it failed; whose fault */

#endif
