/* The sandbox of a role: two fences that the kernel keeps, so that whoever takes a role over by its parsers finds
 * nothing to go on with. seccomp(2): a list of the system calls that the role makes, with arguments where these matter;
 * any other ends the process. Landlock (landlock(7)): what is reached by name, files and TCP ports, even if the first
 * fence has a gap. Both hold for the life of the process and for all its threads.
 *
 * Everything that is opened lazily must have been opened before: libraries, their settings, random numbers. */
#ifndef PROXY_NET_SANDBOX_H
#define PROXY_NET_SANDBOX_H

#include "proxy/net/role.h"

/* What a role does, beyond talking on the descriptors that it has. */
enum sandbox_need {
    SANDBOX_ACCEPTS = 1,  /* takes connections from listening sockets that it was given */
    SANDBOX_DIALS = 2,    /* opens TCP connections, asks DNS */
    SANDBOX_THREADS = 4,  /* starts threads */
    SANDBOX_RESOLVES = 8, /* by the C library and others' code: reads files of the resolver and of trust */
    SANDBOX_IPSEC = 16    /* sets IPsec policies on its sockets, reads associations */
};

struct sandbox_kernel {
    bool seccomp;
    int landlock; /* its ABI, 0: it has none, or it is switched off */
};

struct sandbox_kernel sandbox_of_kernel(void); /* asks; changes nothing */

/* Go inside, before the first thread and before the first byte from the network, and log what holds. Does nothing when
 * role->sandbox says so; a fence that this kernel does not have is left out, unless role->sandbox demands both.
 * needs: of enum sandbox_need. False: *why is a sentence, and the role must not serve. */
bool sandbox_enter(const struct role *role, unsigned needs, struct buf *why) MUST_CHECK;

#endif
