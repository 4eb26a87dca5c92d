/* What an admin ordered by hand: sites and members that are drained or in maintenance. The orders live in the memory
 * that main keeps and never reads, so they outlast this process and every reload; they end with Homeward. What shall
 * last longer belongs into the configuration. */
#ifndef BACKENDS_MEMBERS_ORDERS_H
#define BACKENDS_MEMBERS_ORDERS_H

#include "backends/members/site.h"

enum order {
    ORDER_NONE,
    ORDER_DRAIN, /* no new mailboxes; those that live there stay until their last session ends */
    ORDER_MAINT, /* of a site: nobody is let in, whoever has a session there or not */
};
extern const char *const order_names[]; /* "ready", "drain", "maint" */

/* fd: as for health_open, another part of the same memory. Without it orders die with the process. */
void orders_open(int fd);
void orders_close(void);

enum order orders_of_site(const struct site *site);
enum order orders_of_member(const struct member *m); /* its own, not its site's */

/* May it not take new mailboxes, by its configuration, an order to it, or to its site? */
bool orders_drain(const struct member *m);

/* False: there is no room for one more. */
bool orders_set_site(const struct site *site, enum order order) MUST_CHECK;
bool orders_set_member(const struct member *m, enum order order) MUST_CHECK;

#endif
