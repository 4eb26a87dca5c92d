/* The files that a configuration names (certificates, keys, CAs), read once by the checking process and handed to roles
 * as one sealed memfd: a role opens no file, and a file that breaks on disk cannot keep a role from being born again.
 *
 * Format: per entry a packed path, then the packed bytes (proxy/base/pack.h). */
#ifndef CONFIG_BUNDLE_H
#define CONFIG_BUNDLE_H

#include "config/config.h"

enum { BUNDLE_FILE_MAX = 4 << 20, BUNDLE_MAX = 64 << 20 };

/* Paths that the roles of the mask need, without duplicates, in the order of the configuration. The array is the
 * caller's to free, the strings belong to the configuration. NULL only when memory is short. */
const char **bundle_paths(const struct config *config, unsigned roles, size_t *n);

/* Read them all. Errors as in config_load ("FILE: cannot be read: Permission denied (named by tls.certificates)"). The
 * buf is secret and must be finished by the caller. */
bool bundle_read(const struct config *config, unsigned roles, struct buf *to, struct buf *errors) MUST_CHECK;

/* Secrets that more people can read than need to: a line for each. False: memory is short. */
bool bundle_warn(const struct config *config, unsigned roles, struct buf *warnings) MUST_CHECK;

/* The bytes of one file, borrowed from the bundle; at == NULL when it is not there. */
struct span bundle_find(struct span bundle, const char *path);

#endif
