/* What a prepared user name may be made of: the IdentifierClass of RFC 8264, its context rules (RFC 5892 appendix A)
 * and the Bidi rule (RFC 5893). Only in builds with libunistring. */
#ifndef AUTH_NAMES_PRECIS_RULES_H
#define AUTH_NAMES_PRECIS_RULES_H

#include "proxy/base/check.h"

/* at: code points in NFC, lower case, widths mapped. */
bool precis_allows(const uint32_t *at, size_t n);

#endif
