/* The login dialogue with a back end, from its greeting to "you are in", as a machine without a socket: bytes in,
 * bytes out. The front drives it (proxy/front/handin), because the front holds the connection and the credential.
 *
 * One table of operations for each protocol (login_imap.c, login_pop3.c). Nothing that was negotiated with one
 * connection is remembered for another. Exactly one credential is ever written by one struct login. */
#ifndef BACKENDS_LOGIN_LOGIN_H
#define BACKENDS_LOGIN_LOGIN_H

#include "config/config.h"
#include "proxy/base/secret.h"
#include "proxy/wire/forwarded.h"
#include "proxy/wire/sasl.h"

enum { SITE_INPUT_MAX = 65536 /* everything a back end may say up to the end of the login */ };

/* How to say it. All borrowed for the life of the login. */
struct login_order {
    const struct site_config *site;
    enum protocol protocol;
    bool implicit_tls;        /* the conn is protected before the greeting */
    bool starttls;            /* the site's security: it must become protected, or nothing is said */
    bool starttls_if_offered; /* inside IPsec: clear text is good enough, TLS is better */
    bool must_confirm;        /* inside IPsec: LOGIN_CONFIRM before the credential */
    bool may_forward;         /* client_info: a verified TLS, IPsec or loopback link, and not switched off */
    enum sasl_mechanism client_mechanism; /* bearer mechanisms are handed through; all others bring a password */
    struct span user;                     /* whose credential it is, by the name at the store */
    struct span authzid; /* whose mailbox is asked for, when that is another one (RFC 4616): only SASL can say it */
    const struct secret *credential;   /* password or token; NULL: nobody's yet, see LOGIN_READY */
    const struct forwarded *forwarded; /* who the client is */
    struct span client_id; /* IMAP: `"name" "mutt" …`, what the client said of itself, already quoted; may be empty */
};

enum login_step {
    LOGIN_MORE,      /* send what was written, come again with more input */
    LOGIN_START_TLS, /* nothing left to send, no input left over: do the handshake, then say login_protected */
    LOGIN_READY,     /* an order without a credential: all is said that can be said for nobody; then login_for */
    LOGIN_CONFIRM,   /* nothing left to send; may the credential go? Say login_confirmed, or let go of the login */
    LOGIN_DONE,      /* see answer; what follows in the input belongs to the session */
};

enum login_outcome {
    LOGIN_IN,
    LOGIN_WRONG,      /* the credential was refused: the one answer, whatever the site's words */
    LOGIN_SAYS,       /* refused with a code that helps the user: code and text go to the client */
    LOGIN_TEMPORARY,  /* the site says that it is in trouble, by code or by a known phrase */
    LOGIN_SITE_FAULT, /* it broke the protocol, lacks TLS, cannot take this credential: nobody's password is wrong */
};

struct login_answer {
    enum login_outcome outcome;
    const char *why; /* of a closed set, for the log: "ok", "refused", "no_starttls", "preauth", "garbage" … Not the
                        site's fault though SITE_FAULT: "unwritable", no form carries this name or credential */
    bool credential_sent; /* if so, no other member may be tried */
    struct span code;     /* our spelling of it, without brackets; for LOGIN_SAYS, and LOGIN_TEMPORARY if it had one */
    struct span text;     /* human text, printable, at most 400 bytes; for LOGIN_IN the OK's own. Only for these three
                             outcomes; empty when the site repeated the credential: have words of your own */
    struct span capabilities; /* IMAP, after login: the list; at == NULL: the site did not say even when asked */
    struct span alerts; /* IMAP: whole untagged "* OK [ALERT] …\r\n" lines that the client should still see, bounded */
};

struct login;

struct login *login_new(const struct login_order *order); /* order is borrowed; NULL: no memory */
void login_free(struct login **l);                        /* wipes */

/* A credential echoed by the site, raw, quoted or in base64, is in no span of the answer.
 *
 * Takes bytes from the front of *in and adds what is to be sent to out (a secret buf: it will hold the credential).
 * Call first with empty input. Bytes behind a STARTTLS answer, or before anything was asked, are the end (SITE_FAULT).
 */
enum login_step login_feed(struct login *l, struct span *in, struct buf *out) MUST_CHECK;
enum login_step login_protected(struct login *l,
                                struct buf *out) MUST_CHECK; /* after the handshake of LOGIN_START_TLS */

/* After LOGIN_CONFIRM: the credential is added to out. in: what arrived since, which nobody asked for. */
enum login_step login_confirmed(struct login *l, struct span in, struct buf *out) MUST_CHECK;

/* After LOGIN_READY: for whom it is, from now on (the order before may be gone). All input must have been read, and
 * none have come since. */
enum login_step login_for(struct login *l, const struct login_order *order, struct buf *out) MUST_CHECK;

const char *login_stage(
    const struct login *l);                /* "greeting", "starttls", "capability", "login", "after": for the log */
bool login_greeted(const struct login *l); /* the greeting has been read */
bool login_credential_sent(const struct login *l);
const struct login_answer *login_answer(const struct login *l); /* after LOGIN_DONE; spans live as long as l */

/* Does this text of a refusal without a code announce trouble (Exchange, Courier, Cyrus, UW; plus the site's own)? */
bool login_text_is_temporary(struct span text, const struct site_config *site);
extern const char *const login_temporary_phrases[]; /* ends with NULL; the built-in list, for the manual and -T */

#endif
