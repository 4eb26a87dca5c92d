/* A session: one client's connection from accept to close. It owns its two conns, its signin (everything that only the
 * login needs) and what the relay holds; nothing else owns any of it.
 *
 * The states are rows of one table in session.c. session_enter changes the state, session_close ends a session and logs
 * it, and both are the only ones that do. A function that may have ended the session returns MUST_CHECK bool: false
 * means it is gone, touch nothing. */
#ifndef PROXY_FRONT_SESSION_H
#define PROXY_FRONT_SESSION_H

#include "config/config.h"
#include "proxy/base/list.h"
#include "proxy/net/conn.h"
#include "proxy/net/deadline.h"
#include "proxy/net/messages.h"
#include "proxy/wire/follow.h"

enum session_state {
    S_PROXY,   /* the balancer's header is awaited */
    S_TLS,     /* the client's handshake */
    S_LOGIN,   /* commands before login */
    S_AUTH,    /* auth has been asked */
    S_DIAL,    /* backends has been asked */
    S_HANDIN,  /* the login at the back end */
    S_REFUSE,  /* a refusal waits for its moment */
    S_RELAY,   /* bytes go through */
    S_IDLE,    /* the same, and nothing has come for three seconds */
    S_CLOSING, /* the last words are on their way, and what the client still sends is thrown away */
    SESSION_STATES
};

/* Why a session ended: a closed set for the log. */
enum why {
    WHY_NONE,
    WHY_LOGOUT,     /* LOGOUT or QUIT */
    WHY_CLIENT_EOF, /* the client just went */
    WHY_CLIENT_CUT,
    WHY_SITE_EOF,
    WHY_SITE_CUT,
    WHY_SITE_SILENT, /* the store took a command and said nothing */
    WHY_TLS,         /* the handshake failed */
    WHY_PROXY_HEADER,
    WHY_NETWORK, /* not one of the networks that may connect */
    WHY_LOGIN_TIMEOUT,
    WHY_IDLE_TIMEOUT,
    WHY_ERRORS,    /* too many unusable commands */
    WHY_FAILURES,  /* too many failed logins */
    WHY_PROTOCOL,  /* not this protocol at all, or a line without end */
    WHY_INJECTION, /* bytes behind STARTTLS */
    WHY_ADDRESS_FULL,
    WHY_TOO_MANY,
    WHY_MOVED, /* the mailbox had to move to another member */
    WHY_IPSEC, /* what its link goes through must not carry it */
    WHY_DRAIN,
    WHY_KICK, /* by an admin */
    WHY_MEMORY,
    WHYS
};

struct signin;
struct port;
struct trace_note;

/* One direction of the relay. */
struct flow {
    struct buf *held; /* what the sink did not take; NULL most of the time */
    bool ended;       /* the source has come to its end … */
    bool cut;         /* … without saying so */
    bool broken;      /* … and its conn is of no use any more */
    bool end_told;    /* and the sink has been told */
};

struct session {
    struct list link;
    uint64_t id;      /* between processes */
    uint64_t sid;     /* in logs */
    uint8_t state;    /* enum session_state */
    uint8_t protocol; /* enum protocol */
    uint8_t why;      /* enum why, once it is closing */
    uint8_t bye_why;  /* … of `leaving` */
    uint8_t ttl;      /* how many more front ends may follow */
    bool counted;     /* in the front's table of connections before login */
    bool admitted;    /* auth counts it */
    bool signed_in;
    bool leased;    /* backends counts it */
    bool leaving;   /* a BYE is due at the next safe point */
    bool overdue;   /* the time for the login is over; an answer is still under way */
    bool ipsec;     /* what goes to the site may do so inside ESP only … */
    bool unguarded; /* … and nobody watches that now: not a byte goes either way */
    bool trusted;   /* the client's address was told by a trusted front end */
    struct conn *client, *site;
    struct port *port;
    struct signin *signin; /* NULL from the relay on */
    struct flow up, down;
    struct follow follow;
    struct deadline limit;  /* before the login: the time for it; then: the client's idle limit */
    struct deadline stay;   /* relay: until it rests; closing: until the last words must have gone */
    struct deadline answer; /* relay: until the store must have said something */
    const char *bye;        /* the reason for `leaving` */
    struct addr peer;       /* who the client really is */
    struct addr backend;
    uint64_t member;
    char *mailbox;  /* canonical; NULL before the verdict */
    char *delegate; /* canonical: who opened it, when that is somebody else; else NULL */
    char *site_name;
    struct trace_note *trace; /* NULL while nobody traces */
    char *client_name;        /* what the client said of itself; may be NULL */
    int64_t accepted_ms;
    uint32_t tls_ms, auth_ms, dial_ms, handin_ms;
    uint64_t up_bytes, down_bytes;
};

/* fd is owned from now on. May refuse politely and return at once. */
void session_open(struct port *port, int fd, const struct addr *peer);

void session_enter(struct session *s, enum session_state next);

/* The one way to end: logs, tells the helpers, and gives everything back. What waits to be written to the client is
 * dropped. */
void session_close(struct session *s, enum why why);

/* Say last words (may be empty), end our side, take no more; the session closes when the client has ended its side, or
 * after a few seconds. The site's side ends at once. */
void session_finish(struct session *s, enum why why, struct span last_words);

/* End it as a cut: what the client does not hear is that all is well. */
void session_cut(struct session *s, enum why why);

/* Write to the client before the relay: what it does not take at once is held in the signin. */
bool session_say(struct session *s, struct span bytes) MUST_CHECK;

/* End this session for an outside reason with a sentence: at once where it is safe, else at the next safe point. */
void session_dismiss(struct session *s, enum why why, const char *reason);

/* The client's conn is to be protected now; early: the greeting of implicit TLS. */
bool session_start_tls(struct session *s) MUST_CHECK;

/* An answer cannot even be put together: the session ends. False, as all that may end one. */
bool session_out_of_memory(struct session *s) MUST_CHECK;

/* What the client sends is wanted (or not) before the relay. */
void session_listen(struct session *s, bool wanted);

/* How the site is reached: link=, and of IPsec its reqid. */
void session_log_link(struct log_line *l, const struct session *s);

/* IPsec: nobody watches the link any more, or again; or it must end at once. */
void session_unguard(struct session *s);
void session_guarded(struct session *s);
void session_lose_link(struct session *s);

bool session_before_relay(const struct session *s);
const char *session_state_name(const struct session *s);
const char *session_link_word(const struct session *s); /* NULL before the site is known */
const char *session_id_text(const struct session *s, char text[17]);

void sessions_init(void); /* the queues of time */

#endif
