/* The load generator: what its files know of each other.
 *   load.c          the command line, and the run: open, settle, run, settle, leave
 *   load_session.c  one client's dialogue, over and over in its slot
 *   load_tally.c    counts, reasons and latencies; the lines of JSON that come out */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "test/bench/link.h"

enum mode { MODE_LOGIN, MODE_IDLE, MODE_NOOP, MODE_DOWNLOAD, MODE_UPLOAD, MODES };
enum { USER_MAX = 256 };

struct load_options {
    enum mode mode;
    bool pop3, tls, resume;
    struct sockaddr_in to, source;
    uint64_t sources; /* how many addresses from source on; 0: the kernel's choice */
    const char *server_name, *ca, *user, *password, *suite;
    uint64_t users, sessions, opening, count, message_kib, rate_kib;
    uint64_t rounds; /* of one session, before it leaves; 0: it stays */
    uint64_t duration_us, pause_us, return_us, settle_us, timeout_us;
};

extern struct load_options options;
extern SSL_CTX *client_tls;

enum step {
    STEP_CLOSED,
    STEP_CONNECT,
    STEP_HANDSHAKE,
    STEP_GREETING,
    STEP_USER,
    STEP_LOGIN,
    STEP_PARKED, /* signed in, nothing is asked */
    STEP_IDLE,   /* IDLE is asked, its + is awaited */
    STEP_WAKE,   /* DONE is said */
    STEP_ASKED,  /* NOOP, FETCH or APPEND */
    STEP_LOGOUT,
    STEP_END, /* the end of the connection is awaited */
};

struct session {
    struct link link;
    enum step step;
    bool opened, idles;
    uint64_t number; /* of its user */
    char user[USER_MAX];
    uint32_t start; /* of this user's messages */
    SSL_SESSION *ticket;
    uint64_t rounds; /* since it came */
    uint64_t began_us, asked_us, acted_us;
    uint64_t wake_us;   /* closed or parked: when to go on; 0: not by itself */
    uint64_t allowance; /* bytes that may be read now, with --rate-kib */
    uint64_t message_left, message_at;
    char line[512];
    size_t line_n;
};

/* load_session.c */
void session_open(struct session *s, uint64_t number);
void session_ask(struct session *s);   /* one more round; it is parked */
void session_leave(struct session *s); /* it is parked */
void session_tick(struct session *s, uint64_t passed_us);
int session_on_ticket(SSL *ssl, SSL_SESSION *ticket);

/* load.c: what sessions tell the run */
bool run_takes_round(void); /* one more is wanted, and counted as given */
void run_session_opened(struct session *s);
void run_session_over(struct session *s, bool failed); /* it is closed */

/* load_tally.c */
enum latency { LATENCY_LOGIN, LATENCY_ANSWER, LATENCY_ROUND, LATENCIES };

extern struct tally {
    uint64_t ok, failed, opened, left, resumed, full, end_cut, bytes;
    uint64_t began_us, ended_us; /* of the rounds */
} tally;

void tally_ok(uint64_t bytes);
void tally_failed(const struct session *s, const char *where, const char *why);
void tally_latency(enum latency which, uint64_t us);
void tally_event(const char *event);
void tally_result(void);

#endif
