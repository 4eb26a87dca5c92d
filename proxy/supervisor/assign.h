/* Which front accepts from which socket: computed anew after every change, and made so with as few words as possible.
 * Every open socket always has somebody as long as any front lives. */
#ifndef PROXY_SUPERVISOR_ASSIGN_H
#define PROXY_SUPERVISOR_ASSIGN_H

#include "proxy/supervisor/child.h"

/* Idempotent. Call it when a front is READY, has fallen or unlistened, and when sockets or generations have changed. */
void assign(const struct generation *current);

void assign_unlistened(struct child *front, uint64_t number); /* it has closed its copy */
void assign_forget(struct child *front);                      /* its process is gone, and all copies with it */

/* Pure: of n fronts, the one of that slot if it can, else one of the others, spread by slot; n if none can. */
size_t assign_pick(const bool *can, size_t n, uint64_t slot);

#endif
