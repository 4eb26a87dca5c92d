/* Every message between processes: one table (messages.c) gives each its name, its fields, and how many descriptors
 * come with it. A message is a struct here, packed field by field on the wire. */
#ifndef PROXY_NET_MESSAGES_H
#define PROXY_NET_MESSAGES_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"

enum message_type {
    /* main to a role */
    MSG_BOOT = 1,    /* fds: configuration memfd, [bundle memfd, state memfd]: what the role is born with */
    MSG_CHANNEL,     /* fd: a channel; to a front: to the auth or backends of now; to auth, backends: to a front */
    MSG_LISTEN,      /* fd: a listening socket to accept from */
    MSG_UNLISTEN,    /* stop accepting from that one */
    MSG_BUNDLE,      /* fd: the files as they are now (certificates were replaced) */
    MSG_TICKET_KEYS, /* the keys of now */
    MSG_MAP,         /* fd: compiled directory map */
    MSG_ACCOUNTS,    /* fd: compiled accounts of the verifier "file" */
    MSG_HOSTS,       /* fd: /etc/hosts, open for reading, because it has changed */
    MSG_DRAIN,       /* take nothing new; leave when what you have is done */
    MSG_STATUS,      /* log your gauges */
    MSG_CONTROL,     /* what an admin asks; also from homewardctl to main. fd: where the answer's lines are written */
    /* a role to main */
    MSG_READY,       /* it serves */
    MSG_FAILED,      /* it cannot: text says why; main gives the sentence to the admin */
    MSG_UNLISTENED,  /* that socket is closed here, its queue was empty */
    MSG_UNCONNECTED, /* of a front: it has had no channel to that helper for a while */
    MSG_CHECKED,     /* the checker's good news; fds: configuration, bundles of front, auth, backends, map, accounts */
    MSG_CONTROLLED,  /* the answer to CONTROL, under its id; also from main to homewardctl. fd: the lines */
    /* front to auth */
    MSG_ASK,          /* may this be who it claims, and where is home? */
    MSG_CANCEL,       /* the client left: do not answer (to auth and to backends) */
    MSG_LOGIN_RESULT, /* what the site said */
    MSG_SESSION_GONE,
    MSG_HOLD, /* on a new channel, to both: a session that exists */
    MSG_HELD, /* … those were all */
    /* auth to front */
    MSG_MARK_KEY, /* before anything else: what marks of credentials are made with */
    MSG_VERDICT,
    MSG_REVOKE, /* auth, backends to front: end that session */
    /* front to backends */
    MSG_DIAL,          /* a connection to this mailbox's member of that site, please */
    MSG_DIAL_OUTCOME,  /* how far it came, or that the session is over */
    MSG_SPARE_READY,   /* a connection of MSG_SPARE stands ready */
    MSG_SPARE_GONE,    /* … or is no more */
    MSG_IPSEC_CONFIRM, /* IPsec: a credential is about to be sent; is its link still good? */
    /* backends to front */
    MSG_DIALED,          /* fd: the connected socket, when status is DIAL_OK and no spare is named */
    MSG_SPARE,           /* fd: a connected socket to make ready for whoever comes; the id is its own */
    MSG_SPARE_DROP,      /* that one is not wanted any more */
    MSG_IPSEC_CONFIRMED, /* the answer to CONFIRM */
    MSG_IPSEC_GUARDED,   /* the IPsec link of that HOLD is watched from now on: bytes may flow again */
    MSG_TYPES
};

enum verdict_status {
    VERDICT_OK,
    VERDICT_REFUSED,      /* unknown mailbox, protocol switched off, authzid of somebody else: like a wrong password */
    VERDICT_DENIED,       /* an account that never signs in: to the client like VERDICT_REFUSED */
    VERDICT_UNAVAILABLE,  /* no map, or a site that this generation does not have */
    VERDICT_ADDRESS_FULL, /* too many sessions from this address */
    VERDICT_STATUSES
};
enum login_result { LOGIN_ACCEPTED, LOGIN_REFUSED, LOGIN_UNREACHABLE, LOGIN_RESULTS };
enum dial_status {
    DIAL_OK,
    DIAL_UNREACHABLE, /* no member could be connected within the time left, or all have been tried */
    DIAL_NO_SITE,     /* backends does not know the site */
    DIAL_LOOP,        /* the member's address is one of our own listeners */
    DIAL_STATUSES
};
/* The last stage that a member reached; OUTCOME_IN and OUTCOME_GONE frame the life of a session. */
enum dial_stage { STAGE_CONNECTED, STAGE_TLS, STAGE_GREETING, STAGE_LOGIN, STAGE_IN, STAGE_GONE, DIAL_STAGES };
enum dial_fault { /* whose fault, for health: only MEMBER faults make a member avoided */
                  FAULT_NONE,
                  FAULT_MEMBER, /* it stalled, cut, broke the protocol, showed a bad certificate, said BYE */
                  FAULT_OTHER,  /* the client left, our own trouble, wrong password */
                  DIAL_FAULTS
};
enum spare_end {
    SPARE_FAILED,   /* it did not become ready */
    SPARE_LOST,     /* the store ended it, or said something */
    SPARE_LET_GO,   /* the front's own affair */
    SPARE_UNWANTED, /* and it takes no others */
    SPARE_ENDS
};
enum revoke_why {
    REVOKE_TOO_MANY,
    REVOKE_MOVED, /* the mailbox had to go to another member */
    REVOKE_IPSEC, /* what its link goes through must not carry it any more */
    REVOKE_WHYS
};

enum { MESSAGE_FDS_MAX = 6, MESSAGE_WHY_MAX = 64, TRIED_MAX = 8, TICKET_KEY_BYTES = 80, TICKET_KEYS_MAX = 3 };
enum { MESSAGE_SECRET_MAX = 12288 /* a password, or a token that a verifier looks at */, MARK_KEY_BYTES = 16 };

struct msg_boot {
    uint64_t slot, generation;
};
struct msg_channel {
    uint8_t to; /* enum role_kind of the other end */
};
struct msg_listen {
    uint64_t socket;   /* main's number for it */
    uint64_t listener; /* index in the role's configuration: protocol in bit 16 */
};
struct msg_ticket_keys {
    struct span keys; /* up to TICKET_KEYS_MAX of TICKET_KEY_BYTES: the first encrypts */
};
struct msg_drain {
    uint64_t spread_ms, deadline_ms;
    uint8_t say_bye;
};
struct msg_text {
    struct span text;
};
struct msg_control {
    struct span words; /* packed strings, see proxy/net/control.h */
};
struct msg_controlled {
    uint8_t status; /* enum control_status */
    uint8_t more;   /* main to homewardctl: another answer follows */
    uint64_t number;
    struct span who, text; /* which process; a sentence */
};
struct msg_ask {
    uint8_t protocol, mechanism, trusted_hop;
    uint8_t tls;               /* the client's link is protected */
    uint8_t attempt;           /* of this connection, from 1 */
    uint16_t mark;             /* tells one credential from another and nothing else (MSG_MARK_KEY); 0: not known */
    struct span name, authzid; /* as typed */
    struct span secret;        /* password or token; empty where no verifier needs it */
    struct addr client;
};
struct msg_verdict {
    uint8_t status;
    uint8_t delay;         /* points of the grid that a refusal waits longer */
    uint8_t verified;      /* the credential is right; otherwise the site judges it */
    uint8_t user_full;     /* the credential may still be tried, but the answer is "too many" */
    uint64_t sessions_max; /* of this user and protocol */
    struct span mailbox;   /* canonical: whose session it is */
    struct span delegate;  /* canonical: who signs in, when that is somebody else */
    struct span site, store_name;
    struct span store_login; /* the delegate's name at the store; it asks to act for store_name (RFC 4616 authzid) */
    struct span password;    /* for the store, in place of the client's; empty: none */
    struct span why;         /* of our closed set, for the log: "unknown", "protocol_off", … */
};
struct msg_mark_key {
    struct span key; /* MARK_KEY_BYTES */
};
struct msg_login_result {
    uint8_t result;
};
struct msg_hold {
    uint8_t protocol, signed_in;
    uint8_t mode, algorithms; /* IPsec: what the link was dialled under, as reqid */
    uint64_t member;          /* hash of host and port, 0 before the dial */
    uint64_t reqid;           /* 0: the link is none that IPsec must protect */
    struct addr client;
    struct addr local, backend; /* the two ends of an IPsec link */
    struct span mailbox, site;
};
struct msg_dial {
    uint8_t protocol;
    uint64_t ms_left;
    struct span site, mailbox;
    struct span tried; /* up to TRIED_MAX members, 8 bytes each, that have failed this login */
};
struct msg_dialed {
    uint8_t status;
    uint64_t member, ms;
    uint64_t spare;   /* the id of the connection that stands ready for it; 0: none, the descriptor came along */
    struct span host; /* as configured: the name to verify */
    struct addr address;
    struct span why; /* for the log, when it failed */
};
struct msg_spare {
    uint8_t protocol;
    uint64_t member;
    struct span site, host; /* host: as configured, the name to verify */
    struct addr address;
};
struct msg_spare_gone {
    uint8_t end;     /* enum spare_end */
    struct span why; /* for the log */
};
struct msg_dial_outcome {
    uint8_t stage, fault;
    uint64_t ms;
    struct span why;
};
struct msg_ipsec_confirmed {
    uint8_t good;
    struct span why; /* for the log, when it is not */
};
struct msg_revoke {
    uint8_t why;
};

struct message {
    enum message_type type;
    uint64_t id; /* of the session, for all between fronts and helpers */
    union {
        struct msg_boot boot;
        struct msg_channel channel;
        struct msg_listen listen; /* also UNLISTEN, UNLISTENED */
        struct msg_ticket_keys ticket_keys;
        struct msg_drain drain;
        struct msg_text text; /* FAILED, CHECKED */
        struct msg_control control;
        struct msg_controlled controlled;
        struct msg_ask ask;
        struct msg_verdict verdict;
        struct msg_login_result login_result;
        struct msg_mark_key mark_key;
        struct msg_hold hold;
        struct msg_dial dial;
        struct msg_dialed dialed;
        struct msg_spare spare;
        struct msg_spare_gone spare_gone;
        struct msg_dial_outcome dial_outcome;
        struct msg_ipsec_confirmed ipsec_confirmed;
        struct msg_revoke revoke;
    };
    int fds[MESSAGE_FDS_MAX];
    size_t n_fds;
};

const char *message_name(enum message_type type); /* "ask" … NULL for an unknown one */

/* A number for all that two programs must agree on to understand each other: the same tables, the same number. */
uint64_t messages_fingerprint(void);

/* It may hold a credential or a key: whoever has had it in memory wipes that. */
bool message_is_secret(enum message_type type);

/* How many descriptors may come with it. */
void message_fds(enum message_type type, size_t *least, size_t *most);

/* The packet without descriptors. False: a field is over its bound, or `to` is full. */
bool message_pack(const struct message *m, struct buf *to) MUST_CHECK;

/* Strict: every byte is accounted for, enumerations are inside their range. Spans borrow from the packet. */
bool message_unpack(struct span packet, struct message *m) MUST_CHECK;
bool message_unpack_next(struct span *packet, struct message *m) MUST_CHECK; /* the first of several */

#endif
