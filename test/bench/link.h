/* One non-blocking TCP connection in an epoll loop, in clear text or in TLS, with what is still to be sent on it: some
 * text, then perhaps a message's bytes, then a few bytes behind them. Only bench programs use this: it aborts where the
 * product would have to go on. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "test/bench/tls.h"

struct link {
    int fd;   /* -1: none */
    SSL *ssl; /* NULL: clear text */
    uint32_t interest;
    bool quiet;     /* do not read now */
    bool tls_write; /* TLS must write before it can go on reading */
    void (*on_ready)(struct link *l);

    char text[2048];
    size_t text_n, text_sent;
    uint32_t body_start; /* of pattern.h */
    uint64_t body_at, body_end;
    char tail[16];
    size_t tail_n, tail_sent;
};

enum { LINK_EOF = 0, LINK_AGAIN = -1, LINK_CUT = -2 };

/* 0, or errno. source: an address to connect from, or NULL. receive_bytes: SO_RCVBUF, or 0. */
int link_connect(struct link *l, const struct sockaddr_in *to, const struct sockaddr_in *source, int receive_bytes);
void link_accept(struct link *l, int fd);
int link_listen(const struct sockaddr_in *at); /* the descriptor; ends the program if it cannot */
void link_close(struct link *l, bool politely);

/* 1 done, LINK_AGAIN, LINK_CUT. SSL_set_... beforehand, on l->ssl. */
int link_handshake(struct link *l);
ssize_t link_read(struct link *l, void *into, size_t n); /* bytes, or LINK_... */
bool link_pending(const struct link *l);                 /* bytes that epoll cannot see */
const char *link_error(void);                            /* of the LINK_CUT just now */

bool link_say(struct link *l, const char *text, size_t n); /* false: no room */
size_t link_room(const struct link *l);                    /* for text; 0 while a message is being sent */
void link_body(struct link *l, uint32_t start, uint64_t n, const char *tail);
int link_flush(struct link *l); /* 1 all is sent, LINK_AGAIN, LINK_CUT; says to epoll what is awaited */
void link_watch(struct link *l);

/* The loop. on_tick runs every tick_ms, until it returns false. */
void loop_init(void);
void loop_watch_fd(struct link *l, int fd);         /* a descriptor that is no connection */
void loop_on_stop(void (*on_stop)(struct link *l)); /* SIGTERM, SIGINT */
void loop_run(int tick_ms, bool (*on_tick)(void));
uint64_t now_us(void); /* when this turn began, or clock_us(): what it is now */
uint64_t clock_us(void);

#endif
