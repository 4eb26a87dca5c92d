/* Memory that main holds and this process reads. Offsets in it are checked once, when it is taken: that holds only for
 * bytes that nobody can change or cut off any more, so it must be sealed. */
#ifndef AUTH_DIRECTORY_SEALED_H
#define AUTH_DIRECTORY_SEALED_H

#include "proxy/base/span.h"

/* False: *why (static text) says what is wrong. The descriptor stays the caller's. */
bool sealed_map(int fd, struct span *bytes, const char **why) MUST_CHECK;
void sealed_unmap(struct span *bytes); /* safe for SPAN_NONE */

#endif
