/* A listening socket that main opened: it accepts, a few a turn, and pauses when the process runs out of descriptors.
 */
#ifndef PROXY_NET_LISTENER_H
#define PROXY_NET_LISTENER_H

#include "proxy/base/addr.h"

struct listener;

/* fd: connected, non-blocking, close-on-exec; the callee owns it. peer: where it comes from. */
typedef void listener_accepted_fn(void *owner, struct listener *l, int fd, const struct addr *peer);
typedef void listener_closed_fn(void *owner, struct listener *l);

/* Owns fd. NULL: no memory (fd is closed). */
struct listener *listener_new(int fd, listener_accepted_fn *accepted, void *owner);

/* Accept what still waits, then close and say `closed` (later, outside this call); the listener is freed after that. */
void listener_finish(struct listener *l, listener_closed_fn *closed);

#endif
