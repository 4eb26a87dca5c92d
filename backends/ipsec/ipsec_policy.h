/* The two policies of one socket, by which the kernel lets nothing out and nothing in but ESP (RFC 4301 4.4.1). They
 * hang on the socket and go where it goes: a process that gets the descriptor can neither change nor remove them.
 * Needs CAP_NET_ADMIN. */
#ifndef BACKENDS_IPSEC_IPSEC_POLICY_H
#define BACKENDS_IPSEC_IPSEC_POLICY_H

#include "backends/ipsec/ipsec_judge.h"

/* Before connect, on a socket of the peer's family (an IPv6 socket would let a v4-mapped address out in clear; the peer
 * is never one, see addr.h). False: errno tells; the socket must not be used then. */
bool ipsec_policy_set(int fd, const struct ipsec_rule *rule, const struct addr *peer) MUST_CHECK;

/* Can this process do that, in this kernel? NULL, or one clear sentence for the admin. */
const char *ipsec_policy_cannot(void);

#endif
