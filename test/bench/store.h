/* The stub store, seen from its two protocols. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test/bench/link.h"

enum { STORE_LINE_MAX = 16384, STORE_NAME_MAX = 256 };

struct door;

struct visitor {
    struct link link;
    const struct door *door; /* where it came in */
    in_port_t peer_port;
    uint64_t answer_us; /* when what was read may be looked at; 0: at once */
    struct visitor *next_waiting;

    size_t n;       /* bytes in line[] */
    size_t invited; /* IMAP: up to here literals were asked for */
    bool leaving;
    char user[STORE_NAME_MAX];  /* "": nobody yet */
    char named[STORE_NAME_MAX]; /* POP3: who USER said */
    uint32_t start;             /* of this user's messages */

    /* a message that is coming in */
    uint64_t upload_left, upload_at;
    bool upload_good;
    char tag[64];

    char line[STORE_LINE_MAX];
};

/* One protocol. take: the first command of line[0..n); bytes used, or 0 if it is not whole yet; it may answer by
 * store_say(). */
struct dialogue {
    void (*greet)(struct visitor *v);
    size_t (*take)(struct visitor *v);
};

extern const struct dialogue dialogue_imap, dialogue_pop3;

void store_say(struct visitor *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Does this password belong to this user? If so the visitor is signed in and the log says it. */
bool store_sign_in(struct visitor *v, const char *user, size_t user_n, const char *password, size_t password_n);
/* The same for base64 of NUL authcid NUL password. */
bool store_sign_in_plain(struct visitor *v, const char *base64, size_t n);

/* Messages are as long as their number says, in KiB. False: there is no such message. */
bool store_message_bytes(const char *number, uint64_t *bytes);

#endif
