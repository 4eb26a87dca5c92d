/* The reserve: connections to stores that stand ready for whoever signs in next (`spare` of a site). TLS is done and
 * verified, the greeting is read, nothing has been said for anybody. backends connects them (MSG_SPARE), knows where
 * they stand and names one in its answer to a dial; this front owns them and their trust.
 *
 * Each serves one login. One that is in doubt serves none: a byte, an end, an error, its age, files that have changed,
 * or a backends process that is gone, and it is thrown away. */
#ifndef PROXY_FRONT_RESERVE_H
#define PROXY_FRONT_RESERVE_H

#include "backends/login/login.h"
#include "proxy/front/session.h"

void reserve_init(void);
size_t reserve_most(const struct config *config); /* how many descriptors it may take */

void reserve_take_in(struct message *m); /* MSG_SPARE */
void reserve_drop(uint64_t id);          /* MSG_SPARE_DROP */

/* All are thrown away: `end` is what backends is told (SPARE_UNWANTED: and no others are taken). */
void reserve_clear(enum spare_end end, const char *why);
void reserve_forget(void); /* … and nobody is told: the process that knew them is gone */

/* The one of that id for this session, whose site, protocol and member it must have: its conn and its dialogue
 * (LOGIN_READY; login_for is the next call to it) are the caller's from now on. False: there is none, or it is in
 * doubt. */
bool reserve_give(uint64_t id, const struct session *s, struct conn **conn, struct login **login) MUST_CHECK;

#endif
