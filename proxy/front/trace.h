/* The trace of single sessions, for an admin who asks why one client fails. Secrets are left out by construction: what
 * is written down are names of commands, states, status words and codes out of tables in trace.c, and numbers; no byte
 * that a client or a store sent is ever copied, and an argument has no way in.
 *
 * A trace follows a user (by a shell pattern on the name) or a network, for a set time, and ends by itself. What a
 * session did before its user was known is kept until it is. */
#ifndef PROXY_FRONT_TRACE_H
#define PROXY_FRONT_TRACE_H

#include "proxy/front/session.h"
#include "proxy/net/control.h"
#include "proxy/wire/imap_command.h"
#include "proxy/wire/pop3.h"

struct trace_note; /* what is kept for one session while there is any trace */

/* trace PATTERN|NETWORK for=SECONDS; lines go to the descriptor that came with it. */
enum control_status trace_start(struct control *c);

void trace_opened(struct session *s);
void trace_closed(struct session *s, const char *why); /* also gives its note back */
void trace_state(struct session *s, const char *state);
void trace_imap(struct session *s, enum imap_verb verb); /* commands before the login */
void trace_pop3(struct session *s, enum pop3_verb verb);
void trace_said(struct session *s, struct span bytes); /* our own words to the client: only status and code are noted */
void trace_site(struct session *s, const char *stage, const char *why); /* both of closed sets */
void trace_relay(struct session *s, bool up, struct span bytes);

#endif
