/* What `homewardctl serve` shows. status and sites are the answers of Homeward to those commands, NULL when it could
 * not be asked. Each returns the HTTP status. */
#ifndef CTL_PAGES_H
#define CTL_PAGES_H

#include "ctl/ctl.h"

unsigned page_status(const struct reply *status, const struct reply *sites, struct buf *to);
unsigned page_metrics(const struct reply *status, const struct reply *sites, struct buf *to);
unsigned page_health(const struct reply *status, const struct reply *sites, struct buf *to); /* is main alive? */
unsigned page_ready(const struct reply *status, const struct reply *sites,
                    struct buf *to); /* may clients be sent here? */

/* NULL: clients may be sent here. Else why not, in a sentence. */
const char *pages_unready(const struct reply *status, const struct reply *sites);

#endif
