/* Landlock, the part of the sandbox that looks at names: landlock(7). */
#ifndef PROXY_NET_LANDLOCK_H
#define PROXY_NET_LANDLOCK_H

#include "proxy/base/check.h"

int landlock_abi(void); /* 0: this kernel has none, or it is switched off */

/* From now on this thread, and what it starts, opens nothing below any folder but these, for reading; binds no TCP
 * port, and connects to none unless it may; signals nobody outside and finds no abstract UNIX socket. Each of it as far
 * as the kernel's ABI goes. paths end with NULL; what does not exist is skipped. False: errno. */
bool landlock_enter(int abi, const char *const *paths, bool may_connect) MUST_CHECK;

#endif
