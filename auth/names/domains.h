/* Names of domains in their one form: lower case, internationalised ones as IDNA's ASCII (RFC 5891, UTS 46), no dot at
 * the end. Without libidn2 this build knows plain ASCII alone, and refuses the rest. */
#ifndef AUTH_NAMES_DOMAINS_H
#define AUTH_NAMES_DOMAINS_H

#include "proxy/base/buf.h"

enum { DOMAIN_BYTES_MAX = 253 };

/* Added behind what `to` holds. False: not a domain (an empty label, one over 63 bytes, a character that no host name
 * or Windows domain has), or no memory. What comes out is its own form. */
bool domain_canonical(struct span s, struct buf *to) MUST_CHECK;

const char *domain_library_version(void); /* "": not compiled in */

#endif
