/* What main leaves to the program that it becomes (takeover.h): the listening sockets, the fronts with their channels,
 * the channel of the log, what auth and backends have learned. They are descriptors that stay open over the exec,
 * listed in a sealed memfd whose number stands in an environment variable. A successor whose messages are others takes
 * the sockets alone: the fronts, without main then, serve what they have. */
#ifndef PROXY_SUPERVISOR_HANDOVER_H
#define PROXY_SUPERVISOR_HANDOVER_H

#include <stdbool.h>

#include "proxy/net/role.h"

/* ---- the predecessor ---- */

/* Makes the list, keeps open what stands in it, and stops the log for a moment. False: nothing has changed. */
bool handover_begin(void) MUST_CHECK;
void handover_abort(void); /* there was no exec: as before */

/* ---- the successor ---- */

/* In this order, each once. Without a predecessor ends are -1, and nothing is adopted. */
void handover_open(void);                              /* before anything else is started */
void handover_log(int ends[2]);                        /* owned by the caller */
int handover_table(enum role_kind kind, size_t bytes); /* of house.tables, if it is of that size; the caller's */
void handover_adopt(void);                             /* sockets and fronts: when loop and children can be used */

#endif
