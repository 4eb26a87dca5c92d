/* The inside of a mail store, for store.c, store_login.c and store_session.c. */
#ifndef TEST_SIM_STORE_INSIDE_H
#define TEST_SIM_STORE_INSIDE_H

#include "proxy/wire/imap_command.h"
#include "test/sim/sim.h"

enum { LOG_MAX = 1 << 20, STORE_SASL_LINE = 16384 };
enum store_phase { ST_TLS, ST_GREET, ST_LOGIN, ST_LIST, ST_SESSION, ST_SILENT, ST_OVER };

struct store {
    const struct plan *plan;
    struct link *link;
    enum store_phase phase;
    unsigned steps, fault_at, noises, attempt;
    enum sim_fault fault;
    bool lists_in_greeting, initial_response, literal_plus, plain, lists_after; /* what kind of store it is */
    enum sasl_mechanism mechanism;                                              /* of the exchange that is under way */
    bool deaf; /* its noise may have been a challenge, which a token's login answers: no command comes then */
    bool starts_tls, awaits_response, challenged, listed, leaving, said_end, let_in;
    struct imap_reader reader;
    char user[40];
    const char *awaited; /* whose login it was dialled for */
    struct buf in, out;
    struct buf down_log; /* what it said in the session */
    struct buf safe;     /* places in it where a line is complete, as size_t */
    size_t up_got;
    uint64_t literal; /* of the client's command: octets to come */
    char tag[16];
    bool in_literal_line, compressed;
};

void store_says(struct store *s, struct span text);
void store_says_line(struct store *s, const char *format, ...) PRINTF_LIKE(2, 3);
void store_answered(struct store *s); /* a line is complete: here one of somebody else would do no harm */
void store_keeps_tag(struct store *s, struct span tag);
bool store_reads_line(struct store *s, struct span *line, size_t *used);
void store_greets(struct store *s);
bool store_reads_login(struct store *s);   /* the same, as the next */
bool store_reads_session(struct store *s); /* one thing of its input; false: there is none */

#endif
