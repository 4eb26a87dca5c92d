/* Reads the replies of an IMAP server up to and including its answer to a login (RFC 9051 7), tolerantly in form,
 * strictly in size: any number of untagged lines, literals inside them, response codes anywhere. */
#ifndef PROXY_WIRE_IMAP_REPLY_H
#define PROXY_WIRE_IMAP_REPLY_H

#include "proxy/base/buf.h"

enum { IMAP_REPLY_LINE_MAX = 16384 /* one reply with its literals */ };

enum imap_reply_kind { IMAP_UNTAGGED, IMAP_TAGGED, IMAP_CONTINUE };
enum imap_status { IMAP_STATUS_NONE, IMAP_OK, IMAP_NO, IMAP_BAD_REPLY, IMAP_BYE, IMAP_PREAUTH };

/* Spans borrow from the input. */
struct imap_reply {
    enum imap_reply_kind kind;
    struct span tag;          /* of a tagged reply */
    enum imap_status status;  /* NONE for other untagged data */
    struct span code;         /* inside [ ], without them; empty when there is none */
    struct span text;         /* human text behind the code; behind "+ " of a continuation */
    struct span data;         /* untagged data as a whole, behind "* ": "CAPABILITY IMAP4rev1 …" */
    struct span capabilities; /* from [CAPABILITY …] or "* CAPABILITY …", without that word; at == NULL: none */
};

enum imap_read { IMAP_READ_MORE, IMAP_READ_REPLY, IMAP_READ_BROKEN /* not IMAP, or over the limit */ };

/* One reply from the front of in; *used is its length with CRLF (a bare LF is tolerated). The caller keeps unread bytes
 * and calls again from the reply's start when there are more. */
enum imap_read imap_reply_read(struct span in, struct imap_reply *reply, size_t *used) MUST_CHECK;

/* Is this word in a capability list? ASCII case is ignored; the list is separated by spaces. */
bool capability_has(struct span list, struct span word);

#endif
