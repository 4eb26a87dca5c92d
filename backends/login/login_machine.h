/* The inside of a login dialogue, shared by its protocols (login_imap.c, login_pop3.c) and by nobody else.
 *
 * The trick: reading and writing never mix. A protocol's `take` reads one reply and at most sets `say`, the one thing
 * to be said next; the machine (login.c) calls it when all input has been read. So whatever stands in the input at that
 * moment was sent before it was asked for, and no reply to a command can be older than the command. */
#ifndef BACKENDS_LOGIN_LOGIN_MACHINE_H
#define BACKENDS_LOGIN_LOGIN_MACHINE_H

#include "backends/login/login.h"

enum { LOGIN_TEXT_MAX = 400, LOGIN_ALERTS_MAX = 2048, LOGIN_LIST_MAX = 8192, LOGIN_LINE_MAX = 128 * 1024 };

enum login_stage { AT_GREETING, AT_STARTTLS, AT_CAPABILITY, AT_LOGIN, AT_AFTER };

enum login_awaits { /* what a "+" would mean */
                    AWAITS_NOTHING,
                    AWAITS_LITERAL,  /* go on with the next argument of LOGIN */
                    AWAITS_RESPONSE, /* send the SASL response */
                    AWAITS_FAILURE,  /* a bearer mechanism: the token was refused, and the refusal wants an answer */
};

enum pop3_asked { ASKED_STLS, ASKED_CAPA, ASKED_XCLIENT, ASKED_USER, ASKED_PASS, ASKED_AUTH };

typedef void login_say(struct login *l); /* fills l->line, or ends the login */

struct login_dialogue {
    bool (*take)(struct login *l, struct span *in); /* one reply; false: there is no whole one, or the login ended */
    void (*next)(struct login *l);                  /* protected now, nothing known: choose what to say */
    login_say *login;                               /* what is said for somebody */
};
extern const struct login_dialogue login_imap, login_pop3;

struct login {
    const struct login_order *order;
    const struct login_dialogue *dialogue;
    enum login_stage stage;
    bool greeted, handshake, secured, ended;
    bool credential_in_line, credential_sent;
    bool withheld; /* the credential is in `line` and waits to be confirmed */
    bool confirmed;
    bool stands_ready; /* nobody's, and the next thing to say is somebody's */
    bool tls_refused;  /* it was offered, and then was not to be had */
    enum login_awaits awaits;
    size_t taken_bytes;
    login_say *say;
    struct buf line;     /* secret: what say wrote */
    struct buf response; /* secret: the SASL response in base64 */
    struct buf listed;   /* capabilities before login, of this connection */
    bool asked_list;     /* no more will be learned about them */
    struct buf after;    /* capabilities after login */
    struct buf text, alerts;
    struct login_answer answer;

    unsigned tags, tag, id_tag; /* IMAP: the last one made, the one of the command under way, ID's (0: none open) */
    size_t argument;            /* IMAP: arguments of LOGIN written so far */

    enum pop3_asked asked[3]; /* POP3: replies that must come, in this order */
    size_t n_asked;
    bool xclient, in_capa, has_mechanism, has_stls;
};

/* An order without a credential: made to stand ready. */
bool login_is_nobodys(const struct login *l);

/* STARTTLS or STLS, which is listed or must be there, is to be asked for; the list is there or not needed. */
bool login_wants_tls(const struct login *l, bool listed);

/* login.c: ends of a login. The first one counts. */
void login_end(struct login *l, enum login_outcome outcome, const char *why);
void login_fault(struct login *l, const char *why);
void login_in(struct login *l);

bool login_count(struct login *l, size_t bytes) MUST_CHECK; /* false: the site has said too much, it ended */
void login_start_tls(struct login *l);                      /* the site agreed: forget everything it said */
void login_write(struct login *l, struct span s);           /* to the line; ends the login when memory is short */
bool login_respond(struct login *l);                        /* l->response from the credential; false: it ended */
/* Its name ends a command, with the response behind it if the site takes that there; else the "+" brings it. */
void login_say_mechanism(struct login *l, bool response_too);
void login_continue(struct login *l); /* a "+" arrived: what awaits it goes on, or it is a fault */

enum sasl_mechanism login_mechanism(const struct login *l); /* the client's bearer one, else PLAIN */
struct span login_credential(const struct login *l);
struct forwarded login_forwarded(const struct login *l); /* what this site may be told */

/* login_texts.c: the words of a site. */
struct login_refusal {
    const char *code;
    enum login_outcome outcome;
    const char *why;
};
extern const struct login_refusal login_imap_refusals[], login_pop3_refusals[];

/* looked_at: the name or the credential had been given; a refusal before that says nothing about either. */
void login_refused(struct login *l, const struct login_refusal *table, bool looked_at, struct span code,
                   struct span text);
bool login_code_is(struct span code, const char *name); /* `name`, alone or before a space or slash; case ignored */
void login_keep_text(struct login *l, struct span text);
void login_keep_alert(struct login *l, struct span text);
void login_keep_list(struct login *l, struct buf *list, struct span words);

#endif
