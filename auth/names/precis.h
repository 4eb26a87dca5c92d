/* The local part of a user name as RFC 8265 prepares it (profile UsernameCaseMapped of RFC 8264's IdentifierClass):
 * widths mapped, lower case, NFC, and only letters, digits and the visible characters of ASCII. Without libunistring
 * this build knows ASCII alone, and refuses the rest. */
#ifndef AUTH_NAMES_PRECIS_H
#define AUTH_NAMES_PRECIS_H

#include "proxy/base/buf.h"

enum { PRECIS_BYTES_MAX = 512 /* of what is given, and of what comes out */ };

/* Fullwidth and halfwidth forms become what they stand for, so that a fullwidth "@" is found as one. Nothing else
 * changes. What is not UTF-8 is refused. Added behind what `to` holds. */
bool precis_map_widths(struct span s, struct buf *to) MUST_CHECK;

/* The whole preparation. False: empty, a character that no user name may have, or no memory. What comes out is its own
 * prepared form. Added behind what `to` holds. */
bool precis_username(struct span s, struct buf *to) MUST_CHECK;

const char *precis_library_version(void); /* "": not compiled in */

#endif
