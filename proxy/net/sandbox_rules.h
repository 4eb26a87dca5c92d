/* Which system calls a role may make: the table of the first fence (sandbox_rules.c), and the filter made of it by
 * libseccomp. */
#ifndef PROXY_NET_SANDBOX_RULES_H
#define PROXY_NET_SANDBOX_RULES_H

#include "proxy/base/check.h"

/* Load the filter into this process. needs: of enum sandbox_need. 0, or an errno. */
int sandbox_filter(unsigned needs) MUST_CHECK;

char *sandbox_call_name(int number); /* of this architecture; NULL: none. The caller frees it */

#endif
