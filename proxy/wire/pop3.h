/* POP3 lines, both directions (RFC 1939, 2449, 5034). */
#ifndef PROXY_WIRE_POP3_H
#define PROXY_WIRE_POP3_H

#include "proxy/base/buf.h"

enum {
    POP3_LINE_MAX = 512, /* a client's command line with CRLF, but for AUTH and SASL responses; RFC 2449 has 255 */
    POP3_REPLY_LINE_MAX = 4096, /* a server's line */
};

/* Commands that exist before login. */
enum pop3_verb {
    POP3_UNKNOWN,
    POP3_CAPA,
    POP3_STLS,
    POP3_USER,
    POP3_PASS,
    POP3_AUTH,
    POP3_QUIT,
    POP3_NOOP,
};

/* Spans borrow from the input line. The argument of USER and PASS is everything behind the one space that follows the
 * verb, spaces at both ends kept; that of AUTH likewise. */
struct pop3_command {
    enum pop3_verb verb;
    struct span name;     /* at most 32 bytes, for the log */
    struct span argument; /* at == NULL: there was none */
};

/* A line without its CRLF (the line reader below gives them). False: empty, or control bytes in the verb. */
bool pop3_command_parse(struct span line, struct pop3_command *command) MUST_CHECK;

enum pop3_status { POP3_OK, POP3_ERR, POP3_CONTINUE /* "+ …" */ };
struct pop3_reply {
    enum pop3_status status;
    struct span code; /* RFC 2449 8: inside [ ] right behind the status; empty when there is none */
    struct span text; /* behind the code; behind "+ " of a continuation */
};
/* A line without its CRLF. False: not POP3. */
bool pop3_reply_parse(struct span line, struct pop3_reply *reply) MUST_CHECK;

/* Lines of either protocol: the line from the front of in, without CRLF or LF; *used includes them. */
enum line_read { LINE_MORE, LINE_READ, LINE_TOO_LONG /* no LF among the first max octets */ };
enum line_read line_read(struct span in, size_t max, struct span *line, size_t *used) MUST_CHECK;

#endif
