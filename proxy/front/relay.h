/* The relay: bytes between the two conns, backpressure, ends and cuts passed on, and the rest of an idle session. */
#ifndef PROXY_FRONT_RELAY_H
#define PROXY_FRONT_RELAY_H

#include "proxy/front/session.h"

void relay_init(void); /* the queues of time */

/* The welcome has been said: what was pipelined goes up, what the site said too early comes down, the signin goes. May
 * end the session. */
void relay_begin(struct session *s);

void relay_client_ready(struct session *s, unsigned events);
void relay_site_ready(struct session *s, unsigned events);

/* Say BYE with this reason at the next safe point and end. */
void relay_dismiss(struct session *s, enum why why, const char *reason);

/* Bytes wait where they are, both ways; and go on. */
void relay_pause(struct session *s);
void relay_resume(struct session *s);

/* The site's connection ends at once, whatever is under way; the client hears it as a loss of the store. */
void relay_lose_site(struct session *s, enum why why);

void relay_leave_queues(struct session *s); /* safe in every state */
void relay_fini(struct session *s);         /* gives back what is held */

#endif
