/* What an admin asks of a running Homeward, and what each process answers: words in, lines of JSON out. The lines go
 * into a descriptor that came with the question (memory, or a pipe when they come over time), which main hands on to
 * homewardctl without a look: so main reads nothing that clients of the mail service could have written. */
#ifndef PROXY_NET_CONTROL_H
#define PROXY_NET_CONTROL_H

#include "proxy/base/json.h"
#include "proxy/net/ipc.h"

enum { CONTROL_WORDS_MAX = 24, CONTROL_WORD_MAX = 1024, CONTROL_LINES_MAX = 256 << 20 };

/* Also homewardctl's exit status. */
enum control_status { CONTROL_OK, CONTROL_NO, CONTROL_USAGE, CONTROL_STATUSES };

/* A question that is being answered. */
struct control {
    uint64_t id;
    int fd;                               /* -1: none came, lines go nowhere */
    struct span words[CONTROL_WORDS_MAX]; /* the command first; valid as long as the message */
    size_t n;
    struct buf lines;
    struct json json; /* writes to lines */
};

/* False: they do not fit. */
bool control_pack(const struct span *words, size_t n, struct buf *to) MUST_CHECK;
bool control_unpack(struct span packed, struct span words[CONTROL_WORDS_MAX], size_t *n) MUST_CHECK;

/* Takes the descriptor of the message. False: it is no question (the sender broke the rules), and control_end is not to
 * be called. */
bool control_begin(struct control *c, struct message *m) MUST_CHECK;

bool control_is(const struct control *c, const char *command);
struct span control_word(const struct control *c, size_t i); /* SPAN_NONE when there are fewer */

/* The value of a word "name=value" behind the command; at == NULL when there is none. */
struct span control_option(const struct control *c, const char *name);

/* What every process answers alike: "loglevel LEVEL". False: it was something else. */
bool control_common(const struct control *c);

/* Writes the lines, closes the descriptor, answers. False: the channel is of no use any more. */
bool control_end(struct control *c, struct ipc *channel, enum control_status status, uint64_t number, const char *text);

int control_take_fd(struct control *c); /* for lines that come later; control_end then writes none */

#endif
