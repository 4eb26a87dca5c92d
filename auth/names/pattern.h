/* Patterns with wildcards: * is any text, ? one character of UTF-8. */
#ifndef AUTH_NAMES_PATTERN_H
#define AUTH_NAMES_PATTERN_H

#include "proxy/base/span.h"

bool pattern_fits(struct span pattern, struct span s); /* bytes as they are; takes at most |pattern| * |s| steps */

#endif
