/* Follows a session after the login just closely enough to know where a line of ours could be put in, without reading
 * mail: line ends and literals of IMAP (RFC 9051 4.3), and the commands after which the rules change (COMPRESS, RFC
 * 4978; LOGOUT, QUIT). */
#ifndef PROXY_WIRE_FOLLOW_H
#define PROXY_WIRE_FOLLOW_H

#include "proxy/base/span.h"

/* One direction. Zero-initialised: at the start of a line. */
struct follow_line {
    uint64_t literal; /* octets of a literal that are still to come */
    uint64_t number;  /* of a literal that is being announced */
    uint8_t step;     /* inside an announcement at a line's end */
    uint8_t digits;   /* of its number */
    bool plus;        /* … of a non-synchronising literal */
    bool in_line;     /* the last octet was not a line's end */
};

struct follow {
    struct follow_line up, down;
    bool imap;
    bool awaits_go_ahead;      /* the client announced a synchronising literal */
    bool tag_read;             /* of the store's line, or it is of no interest */
    uint32_t up_tag, down_tag; /* hashes of the tags of both lines */
    bool opaque;               /* COMPRESS was asked for: nothing can be put in any more */
    bool leaving;              /* LOGOUT, QUIT or BYE was said: the end that follows is the right one */
    uint8_t bye;               /* how much of "* BYE" has been read at a line's start */
    uint8_t word;              /* which word of the client's line is being read */
    uint8_t command_n;
    char command[8];
};

void follow_init(struct follow *f, bool imap);
void follow_up(struct follow *f, struct span bytes);   /* client to site */
void follow_down(struct follow *f, struct span bytes); /* site to client */

/* May a line be put in between what has gone down and what comes next? */
static inline bool follow_is_between_lines(const struct follow *f)
{
    return !f->down.in_line && f->down.literal == 0 && !f->opaque;
}

#endif
