/* Landlock by its system calls. The constants are the kernel's ABI (landlock(7), Documentation/userspace-api/landlock);
 * they stand here because the headers of a Debian 12 know the first two versions only. */
#include "proxy/net/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 }; /* the same number on every architecture */
enum { ASK_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum { FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3 };
enum { NET_BIND_TCP = 1 << 0, NET_CONNECT_TCP = 1 << 1 };
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 };

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

enum { BYTES_FS = offsetof(struct ruleset, net), BYTES_NET = offsetof(struct ruleset, scoped) };
enum { BYTES_ALL = sizeof(struct ruleset), TCP = NET_BIND_TCP | NET_CONNECT_TCP };
enum { SCOPES = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL };

/* What a version of the ABI can refuse, and how long its struct is. Files: 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV. */
static const struct version {
    uint64_t fs, net, scoped;
    size_t bytes;
} versions[] = {
    {0,              0,   0,      0        },
    { (1 << 13) - 1, 0,   0,      BYTES_FS },
    { (1 << 14) - 1, 0,   0,      BYTES_FS },
    { (1 << 15) - 1, 0,   0,      BYTES_FS },
    { (1 << 15) - 1, TCP, 0,      BYTES_NET},
    { (1 << 16) - 1, TCP, 0,      BYTES_NET},
    { (1 << 16) - 1, TCP, SCOPES, BYTES_ALL},
};

int landlock_abi(void)
{
    long abi = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static bool allow_reading(int ruleset, const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES; /* not there, or not for us anyway */
    struct path_rule rule = { .allowed = FS_READ_FILE | FS_READ_DIR, .parent_fd = fd };
    bool good = syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return good;
}

bool landlock_enter(int abi, const char *const *paths, bool may_connect)
{
    const struct version *v = &versions[abi < (int)COUNT_OF(versions) ? abi : (int)COUNT_OF(versions) - 1];
    struct ruleset wanted = { .fs = v->fs, .net = v->net, .scoped = v->scoped };
    if (may_connect)
        wanted.net &= NET_BIND_TCP;
    int ruleset = (int)syscall(CREATE_RULESET, &wanted, v->bytes, 0);
    bool good = ruleset >= 0;
    for (; good && *paths != NULL; paths++)
        good = allow_reading(ruleset, *paths);
    good = good && syscall(RESTRICT_SELF, ruleset, 0) == 0;
    if (ruleset >= 0) {
        int error = errno;
        close(ruleset);
        errno = error;
    }
    return good;
}
