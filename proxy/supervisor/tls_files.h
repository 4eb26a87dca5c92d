/* Do the files of a bundle serve: every chain with its key, and every file of CAs? */
#ifndef PROXY_SUPERVISOR_TLS_FILES_H
#define PROXY_SUPERVISOR_TLS_FILES_H

#include "config/config.h"

/* bundle: of the front. Errors and warnings are lines that name the files. */
bool tls_files_check(const struct config *config, struct span bundle, struct buf *errors,
                     struct buf *warnings) MUST_CHECK;

#endif
