/* Active checks: every few seconds this process goes to each member as far as a login would get before it gives a
 * credential: connect, TLS where that comes first, greeting. So a member that is dead, hangs, or says BYE is avoided
 * before a user meets it, and a member that is well again is used again without a user having to try.
 *
 * At a site with a test account (check_user) they go all the way, through TLS that is verified as for users.
 * At the others trust is not asked: nothing secret is sent. A certificate that does not verify is found there by the
 * fronts at the first login; what was found so is not taken back by a check, only by a login, once the member is due,
 * unless the member has been out of reach since.
 * Sites under IPsec are not checked (their connections need more than an address). */
#ifndef BACKENDS_CHECKS_H
#define BACKENDS_CHECKS_H

#include "backends/members/site.h"

/* After sites_open and reach_open; config must outlive it. bundle: what test accounts need (config/bundle.h). */
void checks_open(const struct config *config, struct span bundle);
void checks_take(struct span bundle); /* their files have changed */
void checks_close(void);

/* Will a check find out when that member is well again? Else a login has to try it, once it is due. */
bool checks_judge(const struct member *m, enum protocol protocol);

/* A fault was seen after the connect, by a login: a check cannot see whether it is over. */
void checks_distrust(const struct member *m, enum protocol protocol);
void checks_trust(const struct member *m, enum protocol protocol); /* a login succeeded */

/* The last login of the test account was refused there. */
bool checks_are_refused(const struct member *m, enum protocol protocol);

#endif
