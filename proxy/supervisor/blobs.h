/* Bytes that main holds and its processes share: sealed memfds, which nobody can change or cut while another reads. */
#ifndef PROXY_SUPERVISOR_BLOBS_H
#define PROXY_SUPERVISOR_BLOBS_H

#include "proxy/base/span.h"

enum { BLOB_MAX = 1 << 30 };

/* A sealed copy of the bytes (none is fine), close-on-exec. -1: the kernel has no memory, errno says more. */
int blob_make(const char *name, struct span bytes);

/* Zeroed bytes of a fixed size that may be written: for tables that survive the crash of their owner. -1 as above. */
int blob_make_table(const char *name, size_t bytes);

/* Map a blob for reading. An empty one gives SPAN_NONE. False when fd is not a sealed memfd (whoever made it could cut
 * it while we read), is over BLOB_MAX, or memory is short. fd may be closed afterwards. */
bool blob_map(int fd, struct span *bytes) MUST_CHECK;
void blob_unmap(struct span *bytes); /* safe for SPAN_NONE */

/* Do two blobs hold the same bytes? What cannot be mapped is never the same. */
bool blob_same(int a, int b);

#endif
