/* For the other files of proxy/net only: the libuv loop itself. */
#ifndef PROXY_NET_LOOP_UV_H
#define PROXY_NET_LOOP_UV_H

#include <uv.h>

uv_loop_t *loop_uv(void);

#endif
