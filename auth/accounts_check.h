/* What only auth knows about a configuration, for the check: every error is one line with file and line. */
#ifndef AUTH_ACCOUNTS_CHECK_H
#define AUTH_ACCOUNTS_CHECK_H

#include "config/config.h"

/* config: as config_load gave it. False: something is wrong, or no memory. */
bool accounts_check(const struct config *config, struct buf *errors) MUST_CHECK;

#endif
