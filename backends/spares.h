/* Connections that stand ready (`spare` of a site): this process connects them to members, a front makes each ready and
 * keeps it, and a dial to that member names one in place of a connection of its own. Who stands where is known here, so
 * that a mailbox's place, a member's health and an admin's orders count for them as for every other connection.
 *
 * Each is used once. One that has stood for long is replaced before its store loses patience; how long that is, is
 * learned from stores that end them. */
#ifndef BACKENDS_SPARES_H
#define BACKENDS_SPARES_H

#include "backends/members/site.h"
#include "proxy/net/ipc.h"

struct spares; /* all of one front */
struct spare;

void spares_open(const struct config *config); /* after sites_open and reach_open; config must outlive it */
void spares_close(void);
void spares_stop(void); /* no new ones: a successor is there */

/* channel: to the front; must outlive it. NULL: no memory. */
struct spares *spares_new(struct ipc *channel);
void spares_free(struct spares **s); /* safe for NULL; none may be taken then */

/* What the front says of one (MSG_SPARE_READY, MSG_SPARE_GONE). */
void spares_ready(struct spares *s, uint64_t id);
void spares_gone(struct spares *s, uint64_t id, enum spare_end end, struct span why);

/* One for this dial, or NULL. It is then used, or given back; both clear the pointer and do nothing for NULL. s may be
 * NULL. */
struct spare *spares_take(struct spares *s, const struct member *m, enum protocol p);
struct addr spare_address(const struct spare *taken);
uint64_t spare_use(struct spare **taken); /* returns its id for the front, or 0 */
void spare_give_back(struct spare **taken);

size_t spares_count(const struct member *m, enum protocol p); /* that stand ready, at all fronts */

#endif
