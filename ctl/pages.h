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

/* What users enter into their mail programs. settings: the answer to that command, or NULL; none: NULL. */
unsigned page_settings(const struct reply *settings, const struct reply *none, struct buf *to);
unsigned page_autoconfig(const struct reply *settings, const struct reply *none, struct buf *to);

/* NULL: clients may be sent here. Else why not, in a sentence. */
const char *pages_unready(const struct reply *status, const struct reply *sites);

#endif
