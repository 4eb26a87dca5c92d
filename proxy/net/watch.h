/* Readiness of descriptors: one epoll set a process. What a connection is built on; also listeners, channels, netlink,
 * DNS sockets.
 *
 * An epoll set of our own and not libuv's uv_poll_t: that costs a connection eight more system calls and 300 bytes, and
 * ends the process when the kernel has no memory for one more descriptor. */
#ifndef PROXY_NET_WATCH_H
#define PROXY_NET_WATCH_H

#include "proxy/base/check.h"

struct watch;
enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* An error or a hang-up shows as all that is watched for: the call will tell. Level-triggered: it comes again each turn
 * for as long as it is true. */
typedef void watch_fn(void *owner, unsigned events);

struct watch *watch_new(int fd, unsigned events, watch_fn *fn,
                        void *owner);             /* NULL: no memory, or fd cannot be polled */
void watch_set(struct watch *w, unsigned events); /* costs nothing when nothing changes */
void watch_free(struct watch **w); /* before close(fd); the callback is never called again; safe for NULL */

/* For the loop. */
void watch_init(void);           /* aborts when the kernel refuses */
void watch_wait(int timeout_ms); /* sleep until something is ready; -1: however long */
void watch_tell(void);           /* tell the owners of what was ready then */

#endif
