/* The client's side of a session before the relay and after its end: the PROXY header, the handshake, bytes in and out.
 */
#ifndef PROXY_FRONT_ARRIVAL_H
#define PROXY_FRONT_ARRIVAL_H

#include "proxy/front/session.h"
#include "proxy/wire/forwarded.h"

bool arrival_may_connect(const struct port *port, const struct addr *peer); /* is it in the listener's networks? */
void arrival_begin(struct session *s);     /* a fresh session: header, handshake or greeting first, as its port says */
void arrival_header(struct session *s);    /* S_PROXY: readable */
void arrival_handshake(struct session *s); /* S_TLS: ready */
void arrival_bytes(struct session *s, unsigned events);  /* S_LOGIN to S_REFUSE */
void arrival_linger(struct session *s, unsigned events); /* S_CLOSING */
void arrival_last_words(struct session *s);
bool arrival_flush(struct session *s) MUST_CHECK; /* send what is in signin->out */
bool arrival_is_behind(const struct session *s);  /* so much is in it that no command is read before some has gone */

/* What a front end before this one says of the client (ID, XCLIENT). */
void arrival_believe(struct session *s, const struct forwarded *told);
void arrival_doubt(struct session *s); /* forget it: it was said in clear */

/* The state is S_LOGIN again, or input came: let the dialogue read on. May end the session. */
void arrival_read_on(struct session *s);

#endif
