/* OpenSSL's big buffers, apart from the heap. A handshake has two to four of 16 to 22 KiB, and each record one for as
 * long as it is read or written (SSL_MODE_RELEASE_BUFFERS): connections share the few that are warm. Were they held
 * while a connection waits, the pages that a big message once touched would pass from one holder to the next until all
 * holders had all pages; in the heap they would leave holes between what sessions keep, whose edges cost an idle
 * session 3 kB. */
#ifndef PROXY_NET_TLS_POOL_H
#define PROXY_NET_TLS_POOL_H

#include <stddef.h>

/* Before anything else of OpenSSL, in a process of one thread. blocks: how many at most; what there is no block for
 * comes from the heap, and so does everything when the pool cannot be had. */
void tls_pool_open(size_t blocks);

void tls_pool_trim(void); /* the memory of blocks that are free goes back to the system */

#endif
