/* Exceptions from the safe defaults that come to their end: told every day from thirty days before it, and every day
 * after it. A check (at a start, at a reload) names all of them anyway, and fails when one is overdue. */
#ifndef PROXY_SUPERVISOR_WEAK_H
#define PROXY_SUPERVISOR_WEAK_H

#include "config/config.h"

enum { WEAK_NOTICE_S = 30 * 86400 };

/* Pure: a line for each exception that ends within thirty days of now_s, or has ended. False: no memory. */
bool weak_tell(const struct config *config, int64_t now_s, struct buf *to) MUST_CHECK;

void weak_start(void); /* log that once a day for the settings in force */
void weak_stop(void);

#endif
