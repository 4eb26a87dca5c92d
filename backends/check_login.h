/* The part of a check that signs in with the site's test account: the login dialogue (login.h) from the greeting on,
 * between a connection and the tester's password. */
#ifndef BACKENDS_CHECK_LOGIN_H
#define BACKENDS_CHECK_LOGIN_H

#include "backends/login/login.h"
#include "backends/testers.h"
#include "proxy/net/conn.h"

enum check_login_is {
    CHECK_LOGIN_WAITS,
    CHECK_LOGIN_IN,
    CHECK_LOGIN_REFUSED, /* the member answers, and does not like the account: not its fault */
    CHECK_LOGIN_FAILED
};

/* Embedded in a check; zeroed memory is one that does nothing. */
struct check_login {
    struct conn *conn; /* lent */
    const struct member *member;
    const struct tester *tester;
    struct login *login;
    struct login_order order;
    struct buf in, out;
    bool begun;      /* the dialogue has been fed */
    const char *why; /* of all but WAITS */
};

/* On a connection that has just been made. False: no memory. Then check_login_ready, now and whenever the connection
 * is. */
bool check_login_start(struct check_login *l, struct conn *conn, const struct member *m, enum protocol p,
                       const struct tester *tester) MUST_CHECK;
enum check_login_is check_login_ready(struct check_login *l) MUST_CHECK;
const char *check_login_stage(const struct check_login *l); /* "tls", "greeting", "login": the one it is in */
void check_login_stop(struct check_login *l);               /* wipes; safe at any time */

#endif
