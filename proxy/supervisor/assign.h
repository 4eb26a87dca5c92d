/* Which front accepts from which socket: computed anew after every change, and made so with as few words as possible.
 * Every open socket always has somebody as long as any front lives. */
#ifndef PROXY_SUPERVISOR_ASSIGN_H
#define PROXY_SUPERVISOR_ASSIGN_H

#include "proxy/supervisor/child.h"

/* Idempotent. Call it when a front is READY, has fallen or unlistened, and when sockets or generations have changed. */
void assign(const struct generation *current);

/* A predecessor's front accepts from that socket. What cannot be kept track of it is told to close. */
void assign_adopt(struct child *front, uint64_t number);

/* Calls found for each socket that this front accepts from and will. */
void assign_tell(const struct child *front, void (*found)(void *to, uint64_t number), void *to);

void assign_unlistened(struct child *front, uint64_t number); /* it has closed its copy */
void assign_forget(struct child *front);                      /* its process is gone, and all copies with it */

/* Pure: of n fronts, the one of that slot if it can, else one of the others, spread by slot; n if none can. */
size_t assign_pick(const bool *can, size_t n, uint64_t slot);

#endif
