/* Names of mailboxes: the one canonical form of what people type, by which everything is looked up and counted, and
 * the name that a store gets. */
#ifndef AUTH_NAMES_H
#define AUTH_NAMES_H

#include "proxy/base/buf.h"

enum { NAME_BYTES_MAX = 512 /* of a name as typed, and of the name that a store gets */ };

/* The canonical mailbox of a name as typed: ASCII letters folded, the domain without the dot at its end. Nothing is
 * trimmed. A name without '@' stays one: it has no domain. Canonical names are their own canonical form.
 * False: control characters, not UTF-8, a local part or domain that is empty, more than one '@', over
 * NAME_BYTES_MAX, or no memory. `to` is cleared first. */
bool name_canonical(struct span typed, struct buf *to) MUST_CHECK;

/* The same for a domain alone, added behind what `to` holds. */
bool name_canonical_domain(struct span typed, struct buf *to) MUST_CHECK;

struct span name_local(struct span canonical);
struct span name_domain(struct span canonical); /* without '@'; at == NULL when there is none */

/* The formats of user_format and user=…: %u canonical name, %n local part, %d domain, %t as typed, %% a percent. */
bool name_format_is_valid(struct span format);

/* The name at the store. `typed` has been accepted by name_canonical, `canonical` is what it gave. False: the format
 * is not valid, it asks for the domain of a name without one, the result is empty or over the bound of `to`, or no
 * memory. `to` is cleared first. */
bool name_expand(struct span format, struct span canonical, struct span typed, struct buf *to) MUST_CHECK;

#endif
