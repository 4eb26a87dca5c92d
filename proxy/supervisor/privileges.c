/* Capabilities, by the kernel's own calls. */
#include "proxy/supervisor/privileges.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert(CAP_NET_ADMIN < 32, "it stands in the first word of a set");

enum { WORDS = _LINUX_CAPABILITY_U32S_3 };

static struct __user_cap_header_struct ours(void)
{
    return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

static bool read_sets(struct __user_cap_data_struct sets[WORDS])
{
    struct __user_cap_header_struct header = ours();
    return syscall(SYS_capget, &header, sets) == 0;
}

bool privileges_have_net_admin(void)
{
    struct __user_cap_data_struct sets[WORDS];
    return read_sets(sets) && (sets[0].permitted & CAP_TO_MASK(CAP_NET_ADMIN)) != 0;
}

bool privileges_hold(void)
{
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
}

/* Who has nothing needs no leave to give it up: a service manager may have forbidden the call. */
bool privileges_reduce(bool keep_net_admin)
{
    struct __user_cap_header_struct header = ours();
    struct __user_cap_data_struct now[WORDS] = { 0 }, wanted[WORDS] = { 0 };
    /* A kernel without ambient capabilities (before 4.3) has none to clear. */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (!read_sets(now))
        return false;
    wanted[0].permitted = keep_net_admin ? now[0].permitted & CAP_TO_MASK(CAP_NET_ADMIN) : 0;
    wanted[0].effective = wanted[0].permitted;
    return memcmp(now, wanted, sizeof now) == 0 || syscall(SYS_capset, &header, wanted) == 0;
}
