/* What this front holds, told to helpers: counts and places come from live sessions, so a successor is told them all.
 */
#ifndef PROXY_FRONT_HOLD_H
#define PROXY_FRONT_HOLD_H

#include "proxy/front/helper.h"

void hold_tell_all(struct helper *h);          /* MSG_HOLD for each session that this helper counts, then MSG_HELD */
void hold_tell(struct helper *h, uint64_t id); /* one session, if it is counted by now */
void hold_revoked(uint64_t id, enum revoke_why why);

/* IPsec: no backends process watches the links any more: their bytes stop until each is told to be guarded again. */
void hold_lost(const struct helper *h);
void hold_guarded(uint64_t id);

/* auth's key for the marks of credentials. */
void hold_mark_key(struct span key);

#endif
