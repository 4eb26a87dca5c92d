/* The simulator: a second world below proxy/net/{conn,ipc,deadline,loop,watch,dns}.h, in which the real front process
 * runs (proxy/front, the login dialogues of backends/, proxy/wire) and everything around it is made of a seed: clients,
 * stores, auth, backends, main, the clock, how bytes are cut and when what fails.
 *
 * A world is some sessions at once, from the first connection until nothing is left; the same seed makes the same
 * world. After every step all invariants are looked at; the first that does not hold ends the program with the seed.
 *
 *   random.c   the seed
 *   clock.c    the loop and deadlines, on a clock of its own
 *   wire.c     links of bytes, and the end of them that a model has
 *   conn.c     conn.h on links; grid.c  when refusals are told
 *   channel.c  ipc.h on queues
 *   stubs.c    listeners, TLS contexts, hashes
 *   client.c   mail programs: what they hear; client_commands.c  what they say
 *   store.c    mail stores; store_login.c  up to the login; store_session.c  after it
 *   spares.c   connections that stand ready
 *   orders.c   what an admin and main order
 *   helpers.c  auth.c, backends.c  the two helpers; supervisor.c  main
 *   ways.c     the ways to members: the real backends/ways, on dns.c and sockets.c
 *   plan.c     what is to happen to each session; secrets.c  its secrets
 *   world.c    the schedule and the invariants
 *   house.c    the configuration
 *   main.c     the command line */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include "proxy/base/buf.h"
#include "proxy/net/ipc.h"
#include "proxy/wire/sasl.h"

#define SIM_REQUIRE(condition) ((condition) ? (void)0 : sim_die(#condition, __FILE__, __LINE__))
void sim_die(const char *what, const char *file, int line) __attribute__((noreturn)); /* says the seed */

/* With TALK=1 and one seed: what is said and done, a line each. */
extern bool sim_talks;
void sim_note(unsigned slot, const char *what, struct span bytes);

/* ---- random.c ---- */

void random_begin(uint64_t seed);
void random_feed(struct span bytes); /* these are drawn first (test/fuzz/fuzz_session.c); borrowed */
uint32_t random_below(uint32_t n);   /* 0 to n - 1; n > 0 */
bool random_chance(unsigned per_mille);
size_t random_size(size_t most);                             /* 1 to most: often all, often few */
void random_text(char *to, size_t n, const char *alphabet);  /* with its NUL behind */
void random_noise(char *to, size_t n, const char *alphabet); /* the same, but what was fed as it is */
uint64_t random_digest(void); /* of all that was drawn since random_begin: equal worlds have equal ones */

/* ---- clock.c ---- */

void clock_begin(void);
bool clock_run_later(void);        /* what was queued for later; false: nothing was */
int64_t clock_next(void);          /* when the next deadline or alarm is due; INT64_MAX: none */
void clock_advance(int64_t to_ms); /* rings what is due */
bool clock_stopped(void);          /* loop_stop was called */
size_t clock_waiting(void);        /* deadlines and alarms that are set */
extern void (*clock_life)(void);   /* what loop_run does */

/* ---- wire.c ---- */

enum { WIRE_ROOM = 16384, FD_BASE = 1 << 20 };

struct wire { /* one direction */
    char *at;
    size_t n, seen, room; /* bytes under way; of them, those that have arrived; how many may be under way */
    bool notified;        /* close_notify before the end */
    bool ended, end_seen; /* FIN */
    bool reset;
};

struct link {
    struct wire wires[2];
    struct wire *in, *out; /* as the front sees it */
    int fd;                /* the front's end; -1: closed */
    bool peer_gone;        /* the model has let go of its end */
    bool to_site;
    bool may_be_clear;        /* a credential may go through it in clear */
    bool must_guard, guarded; /* IPsec */
    bool peer_tls, front_tls;
    uint8_t peer_shake;
    uint8_t manner; /* how bytes arrive */
    uint8_t bad;    /* enum sim_fault: its member fails at once */
    unsigned slot;  /* whose it is */
    uint64_t visit; /* to_site: the session's id for backends */
    struct conn *conn;
    char rooms[2][WIRE_ROOM]; /* last, and not cleared */
};

void wire_begin(void);
struct link *link_new(bool to_site, unsigned slot); /* the fd is the front's */
struct link *link_of(int fd);                       /* NULL: no link of that number */
void link_widen(struct link *l);
bool fd_is_ours(int fd);
void fd_close(int fd);
int channel_fd(void *channel); /* a number for a channel's end */
void *channel_of(int fd);
size_t links_open(void);

bool link_arrives(struct link *l); /* more bytes, or the end, come into view; false: nothing was under way */
bool link_has_news(const struct link *l);

/* The model's end. Under TLS what is written and read is scrambled on the wire. */
size_t peer_read(struct link *l, char *to, size_t room);
size_t peer_write(struct link *l, struct span bytes); /* how much there was room for */
bool peer_can_read(const struct link *l);             /* bytes, an end or a reset */
bool peer_can_write(const struct link *l);
bool peer_sees_end(const struct link *l);
int peer_handshake(struct link *l, bool as_server); /* 1 done, 0 later, -1 the other side is none */
void peer_end(struct link *l, bool cut);
void peer_reset(struct link *l);
void peer_let_go(struct link **l);
void wire_scramble(char *at, size_t n);

extern const struct span shake_words[3]; /* hello, answer, finish */

/* ---- grid.c: when a client hears that its login is refused ---- */

struct grid {
    int64_t moments[8]; /* the last in which something was read or taken; a ring */
    size_t n;
    bool told; /* a refusal has been offered, and not all of it is taken */
};
void grid_moment(struct grid *g);
void grid_offered(struct grid *g, struct span bytes, unsigned slot);
void grid_taken(struct grid *g, bool all);

/* ---- conn.c ---- */

/* Lets the front's end of one of a slot's links do what it waits for; false: it waits in vain. */
bool conn_wakes_slot(unsigned slot, bool to_site);
void conn_moves(struct link *l, unsigned slot); /* it is another slot's from now on */
size_t conns_alive(void);

/* ---- channel.c ---- */

struct slot;
struct channel;
struct channel *channel_new(void (*take)(void *model, struct message *m), void (*let_go)(void *model), void *model);
int channel_front_end(struct channel *c);                     /* to be given to the front, once */
void channel_say(struct channel *c, const struct message *m); /* model to front */
void channel_die(struct channel *c, bool lose); /* the model's process ends; lose: what is under way too */
bool channel_is_quiet(const struct channel *c);
bool channels_move(void); /* one message of one channel; false: nothing moves */
size_t channels_alive(void);

/* ---- supervisor.c ---- */

int main_begin(void); /* its channel, once a process: the front's end */
void main_says(const struct message *m);
bool main_is_quiet(void);
bool main_is_dead(void);
void main_listens(void);
void main_unlistens(void);
void main_dies(void);

/* ---- orders.c ---- */

enum drain { DRAIN_NO, DRAIN_IN_SILENCE, DRAIN_WITH_WORDS, DRAIN_MAIN_DIES, DRAINS };
void orders_begin(enum drain how);
bool orders_act(void);
int64_t orders_next(void);
void orders_kick_all(void);
bool orders_maintain(unsigned site); /* it is in maintenance */
void orders_front_hears(const struct message *m);
void orders_require(void);
void orders_require_nothing(void); /* at the end */

/* ---- dns.c ---- */

enum address_kind { ADDRESS_LIVES, ADDRESS_REFUSES, ADDRESS_SILENT };
enum address_kind dns_kind(const struct addr *a);
bool dns_has_told(const struct addr *a); /* it is in force for a name, and that name's */
bool dns_told_any(const char *name);
bool dns_told_one_that_lives(const char *name, unsigned *version); /* version: grows with each good answer */
void dns_begin_world(bool in_trouble);
void dns_forget(void); /* who asked is no more */

/* ---- sockets.c ---- */

size_t sockets_open(void);
bool socket_is(int fd);
void socket_closed(int fd);

/* ---- ways.c ---- */

void ways_require(void);
void ways_require_allowed(const struct addr *a); /* it is about to be dialled */
const char *way_host(unsigned site);

/* ---- helpers.c ---- */

void helpers_start_world(bool disturbed);
void helpers_end_world(void);
bool helpers_act(void); /* answers that are due, deaths, births; false: nothing was due */
int64_t helpers_next(void);
void helpers_require_equal(void);                                          /* what they count is what lives */
void helpers_front_hears(const struct message *m, const struct ipc *from); /* before it does; NULL: of a death */
void helpers_forget(const struct slot *s);
void helpers_settle(void); /* no more disturbances */

/* ---- secrets.c: those of a session, in all their forms ---- */

#define MASTER_USER "opener"
#define MASTER_PASSWORD "mAster-of-all-mailboxes"

enum form {
    FORM_PASSWORD, /* or token */
    FORM_WRONG,
    FORM_BASE64, /* the right one, for AUTH LOGIN */
    FORM_SASL,   /* the whole message: right, wrong, of the other */
    FORM_SASL_WRONG,
    FORM_SASL_OTHER,
    FORM_GIVEN, /* by auth, for the store */
    FORM_GIVEN_SASL,
    FORM_GIVEN_SASL_OTHER,
    FORM_MASTER,
    FORM_MASTER_SASL,
    FORM_MASTER_SASL_OTHER,
    FORMS
};
enum { /* masks of them */
       SECRETS_OWN = (1 << FORM_GIVEN) - 1,
       SECRETS_GIVEN = (1 << FORM_MASTER) - (1 << FORM_GIVEN),
       SECRETS_MASTER = (1 << FORMS) - (1 << FORM_MASTER)
};

struct plan;
void secrets_draw(struct plan *p, bool given);
void secrets_known(const struct plan *p); /* from here on they are searched for */
void secrets_over(const struct plan *p);
unsigned secrets_in(const struct plan *p, struct span bytes); /* a mask; NULL: of all sessions */

/* ---- plan.c ---- */

enum { PLAN_LARGE = 20000, PLAN_SMALL = 300 };
void plans_begin(bool disturbed, bool has_clean_ones);
void plan_draw(struct plan *p);

/* ---- client.c, store.c ---- */

enum sim_fault { FAULT_NO, FAULT_FIN, FAULT_RESET, FAULT_STALL, FAULT_GARBAGE, FAULT_CERTIFICATE, FAULT_KINDS };

/* What is to happen to one session: drawn before it begins. */
struct plan {
    unsigned user;
    uint8_t protocol, port, site;
    enum sasl_mechanism mechanism; /* PLAIN: a password, however it is said */
    bool implicit, starttls, proxied;
    bool wrong_first; /* the first password is wrong */
    bool clean;       /* nothing fails: it must come to its good end */
    enum sim_fault client_fault, store_fault;
    unsigned client_fault_at, store_fault_at; /* after so many steps of the model */
    enum sim_fault member_fault;              /* of the site's first member; the second is well */
    uint8_t verdict;                          /* enum verdict_status; VERDICT_STATUSES: never */
    uint8_t dialed;                           /* enum dial_status; DIAL_STATUSES: never */
    unsigned auth_ms, dial_ms;
    uint8_t delay;            /* points of the grid that a refusal waits longer */
    unsigned commands;        /* after the login */
    size_t largest;           /* octets of a literal */
    bool injects;             /* bytes behind STARTTLS */
    bool confirm;             /* IPsec: its link is good */
    bool full;                /* too many sessions of this user */
    bool crosses;             /* an answer comes when the time for the login is over */
    bool judged;              /* auth knows whether the credential is right */
    bool hopeless;            /* a token, at a site that takes none */
    bool refuses_master;      /* the store does, though it is right */
    char name[24], other[24]; /* who signs in at first, and who after that has failed */
    size_t form_n[FORMS];     /* 0: there is none */
    char forms[FORMS][120];   /* secrets.c */
};

struct client;
struct store;
struct client *client_new(const struct plan *p, struct link *l);
bool client_acts(struct client *c); /* one step; false: it can do nothing now */
bool client_is_over(const struct client *c);
bool client_is_owed(const struct client *c); /* the front has all of its login, and it has no answer */
void client_judge(const struct client *c,
                  const struct store *s); /* after its end; s: of the login that succeeded, or NULL */
void client_free(struct client **c);
const struct buf *client_up_log(const struct client *c);
const char *client_user(const struct client *c); /* who signs in at the moment */
unsigned client_attempt(const struct client *c); /* the how manieth time; from 1 */

struct store *store_new(const struct plan *p, struct link *l, const char *user); /* NULL: for nobody yet */
bool store_acts(struct store *s);
void store_adopt(struct store *s, const struct plan *p, const char *user); /* it serves that session from now on */
bool store_is_silent(const struct store *s);                               /* it has failed already */
bool store_is_over(const struct store *s);
bool store_let_in(const struct store *s);
const struct buf *store_down_log(const struct store *s);
size_t store_safe_before(const struct store *s,
                         size_t at); /* the last place at or before it where a line may be put in */
size_t store_up_got(const struct store *s);
void store_free(struct store **s);

void compress(char *at, size_t n); /* and back: what COMPRESS makes of bytes; to the front they are opaque */

/* ---- spares.c ---- */

struct slot;
void spares_begin(void);
bool spares_act(void);
bool spares_are_gone(void);
const struct plan *spare_plan(unsigned slot);
bool spares_order(struct message *m);      /* one more is wanted: what to say to the front */
void spares_hear(const struct message *m); /* ready, or gone */
void spares_forget(void);                  /* who knew them is dead */
uint64_t spares_drop_one(void);            /* its id; 0: there is none */
uint64_t spares_give(struct slot *s);      /* the same */

/* ---- house.c ---- */

struct config;
extern const struct config *house_config;
extern bool house_judges;         /* auth sees credentials and judges some, and the master opens some sites */
bool house_open(unsigned number); /* of HOUSES */
enum { HOUSES = 2 };              /* the front is born and calls clock_life, then leaves */

/* ---- world.c ---- */

enum { SLOTS = 8, SPARES_MAX = 12 };

struct slot {
    struct plan plan;
    struct link *client_link, *site_link;
    struct client *client;
    struct store *store;
    bool used;
    unsigned judged; /* attempts whose credential a store has got: 1 << their number */
};
extern struct slot slots[SLOTS];

const struct plan *plan_of(unsigned slot);   /* of a slot, or from SLOTS on of a spare */
struct slot *slot_by_name(struct span name); /* "u17", "u17@sim" */
struct link *slot_dial(struct slot *s, unsigned member);
uint64_t slot_take_spare(struct slot *s); /* the id of one that stood ready; 0: there is none */
/* May a world be one in which the front is drained? Each of these runs in a process of its own, unless it is the last.
 */
extern enum drains { NO_DRAINS, DRAINS_APART, DRAINS_HERE } world_drains;
void world_run(unsigned sessions);

struct totals {
    uint64_t worlds, sessions, steps, logins, clean, refused, bytes, deaths, faults, spares, names, outages;
};
extern struct totals totals;

extern const struct port_fact {
    uint8_t protocol;
    bool implicit, starttls, clear_login, proxied;
} port_facts[];
extern const size_t n_port_facts;
enum { SITE_NORTH, SITE_SOUTH, SITE_HERE, SITE_SEALED };
extern const struct site_fact {
    const char *name;
    bool tls, starttls, ipsec, spare;
    bool master, star;   /* the master opens its mailboxes; by a name of both */
    unsigned mechanisms; /* 1 << enum sasl_mechanism: the tokens that its stores take */
} * site_facts;
extern const size_t n_site_facts;
bool port_listens(unsigned port);
void accept_on(unsigned port, int fd, const struct addr *peer); /* stubs.c: a connection for a listener */

#endif
