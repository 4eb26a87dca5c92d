/* What can be said of one account beyond yes and no, as words: in a line of the directory map, and by verifiers.
 *
 *   user=FORMAT                  its name at the store
 *   protocols=imap               what it may be read with
 *   networks=10.0.0.0/8,::1      from where it may sign in
 *   sessions=4                   at once, of each protocol
 *   delegates=bert@x,carl@y      who else may open it
 *   opens=info@x                 what else it may open */
#ifndef AUTH_DIRECTORY_SWITCHES_H
#define AUTH_DIRECTORY_SWITCHES_H

#include "auth/names/names.h"

enum { SWITCHES_TEXT_MAX = 8192, SWITCHES_NAMES_MAX = 65535, SWITCHES_SESSIONS_MAX = 65535 };

struct switches {
    struct span user;      /* a format as in name_expand; at == NULL: not said */
    unsigned protocols;    /* bits; 0: not said */
    unsigned sessions;     /* 0: not said */
    struct span networks;  /* as written; empty: not said */
    struct span delegates; /* canonical names, commas between them; empty: nobody */
    struct span opens;     /* the same of mailboxes */
};

struct switches_reader {
    const struct name_rules *names;
    struct switches *to; /* zeroed; its spans borrow from the words and from `text` */
    struct buf *text;    /* where names go, of SWITCHES_NAMES_MAX; emptied by the first word */
    unsigned seen;       /* 0 at the start */
};

enum switches_read { SWITCHES_READ, SWITCHES_BAD, SWITCHES_TWICE, SWITCHES_UNKNOWN };

/* One word. *expected goes on after "expected"; for SWITCHES_TWICE it is the name of the word. */
enum switches_read switches_read(struct switches_reader *r, struct span word, const char **expected) MUST_CHECK;

/* True where nothing is said. What cannot be understood allows nobody. */
bool switches_allow(const struct switches *s, const struct addr *client);
bool switches_serve(const struct switches *s, enum protocol protocol);

/* Canonical names. */
bool switches_grant(const struct switches *s, struct span delegate);
bool switches_open(const struct switches *s, struct span mailbox);

#endif
