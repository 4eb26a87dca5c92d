/* What somebody would try who has taken a role over. Loaded into the real program by LD_PRELOAD: when the test has
 * written the name of an attempt into the file $HOMEWARD_ESCAPE, every role makes that attempt from inside its own
 * loop, and says on stderr what came of it, if it can still say anything. It can also hide parts of the kernel. No part
 * of the product. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ORDER_BYTES = 4096, NAME_MAX_BYTES = 32, IPSEC_POLICY = 16, XFRM_POLICY = 17, XFRM_POLICY_V6 = 35, CHANNEL = 3 };

static const char *order; /* mapped: a name, and behind NAME_MAX_BYTES a path */
static char role[32];
static pid_t parent;

static const char *path(void)
{
    return order + NAME_MAX_BYTES;
}

/* ---- files ---- */

static long read_file(void)
{
    return open(path(), O_RDONLY);
}

static long read_etc(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static long write_file(void)
{
    return open(path(), O_WRONLY | O_CREAT, 0600);
}

static long read_secretly(void)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = { .flags = O_RDONLY };
    return syscall(SYS_openat2, AT_FDCWD, path(), &how, sizeof how);
}

static long remove_file(void)
{
    return unlink(path());
}

static long make_folder(void)
{
    return mkdir("/tmp/homeward-escape", 0700);
}

static long change_root(void)
{
    return chroot("/");
}

static long memory_file(void)
{
    return memfd_create("program", 0);
}

/* ---- programs and processes ---- */

static long run_program(void)
{
    char *const argv[] = { (char *)"/bin/true", NULL };
    return execve(argv[0], argv, NULL);
}

static long run_by_descriptor(void)
{
    char *const argv[] = { (char *)"true", NULL };
    return syscall(SYS_execveat, CHANNEL, "", argv, NULL, AT_EMPTY_PATH);
}

static long split(void)
{
    return syscall(SYS_fork);
}

static long look_into_main(void)
{
    return ptrace(PTRACE_ATTACH, parent, NULL, NULL);
}

static long read_main(void)
{
    char byte;
    struct iovec here = { &byte, 1 }, there = { &parent, 1 };
    return process_vm_readv(parent, &here, 1, &there, 1, 0);
}

static long steal_from_main(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, parent, 0);
    return syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}

static long signal_main(void)
{
    return kill(parent, 0);
}

static long signal_thread_of_main(void)
{
    return syscall(SYS_tgkill, parent, parent, 0);
}

static long be_debugged(void)
{
    return prctl(PR_SET_DUMPABLE, 1);
}

/* ---- memory that runs ---- */

static long map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                                  : 0;
}

static long make_code(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

/* ---- the network ---- */

static long dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == ECONNREFUSED ? 0 : -1;
}

static long dial_on_what_is_there(void)
{
    struct sockaddr to = { .sa_family = AF_UNSPEC };
    return connect(CHANNEL, &to, sizeof to);
}

static long dial_by_sending(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    return sendto(CHANNEL, "", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to);
}

static long bind_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&at, sizeof at);
}

static long open_port(void)
{
    return listen(CHANNEL, 1);
}

static long open_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long open_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long open_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
}

static long allow_clear_text(void)
{
    char policy[256] = { 0 };
    return setsockopt(CHANNEL, IPPROTO_IP, XFRM_POLICY, policy, sizeof policy);
}

static long allow_clear_text_v6(void)
{
    char policy[256] = { 0 };
    return setsockopt(CHANNEL, IPPROTO_IPV6, XFRM_POLICY_V6, policy, sizeof policy);
}

static long allow_clear_text_pfkey(void)
{
    char policy[256] = { 0 };
    return setsockopt(CHANNEL, IPPROTO_IP, IPSEC_POLICY, policy, sizeof policy);
}

static long attach_filter(void)
{
    int program = -1;
    return setsockopt(CHANNEL, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program);
}

/* ---- the kernel, and the sandbox itself ---- */

static long own_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long load_bpf(void)
{
    char attribute[128] = { 0 };
    return syscall(SYS_bpf, 0, attribute, sizeof attribute);
}

static long use_ring(void)
{
    char parameters[120] = { 0 };
    return syscall(SYS_io_uring_setup, 1, parameters);
}

static long use_keys(void)
{
    return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static long watch_performance(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long silence_sandbox(void)
{
    return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1 : 0;
}

static long silence_sandbox_by_a_long_number(void)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } ignore = { .handler = (void *)SIG_IGN };
    return syscall(SYS_rt_sigaction, 0x100000000UL | SIGSYS, &ignore, NULL, 8);
}

/* The signal cannot be delivered: the kernel has to end the process by itself. */
static long block_sandbox_and_read(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0);
}

static const struct attempt {
    const char *name;
    long (*make)(void);
} attempts[] = {
    {"read a file",                  read_file                       },
    { "read below /etc",             read_etc                        },
    { "write a file",                write_file                      },
    { "read by openat2",             read_secretly                   },
    { "remove a file",               remove_file                     },
    { "make a folder",               make_folder                     },
    { "change the root",             change_root                     },
    { "make a file of memory",       memory_file                     },
    { "run a program",               run_program                     },
    { "run a descriptor",            run_by_descriptor               },
    { "fork",                        split                           },
    { "trace main",                  look_into_main                  },
    { "read main's memory",          read_main                       },
    { "take main's descriptors",     steal_from_main                 },
    { "signal main",                 signal_main                     },
    { "signal a thread of main",     signal_thread_of_main           },
    { "be debugged",                 be_debugged                     },
    { "map code",                    map_code                        },
    { "make memory code",            make_code                       },
    { "dial",                        dial                            },
    { "connect what is there",       dial_on_what_is_there           },
    { "dial by sending",             dial_by_sending                 },
    { "bind a port",                 bind_port                       },
    { "listen",                      open_port                       },
    { "a UNIX socket",               open_unix                       },
    { "a packet socket",             open_packet                     },
    { "a netlink socket",            open_netlink                    },
    { "an IPsec policy",             allow_clear_text                },
    { "an IPsec policy, IPv6",       allow_clear_text_v6             },
    { "an IPsec policy, PF_KEY",     allow_clear_text_pfkey          },
    { "a socket filter",             attach_filter                   },
    { "a namespace",                 own_namespace                   },
    { "bpf",                         load_bpf                        },
    { "io_uring",                    use_ring                        },
    { "keys",                        use_keys                        },
    { "performance counters",        watch_performance               },
    { "silence the sandbox",         silence_sandbox                 },
    { "silence it by a long number", silence_sandbox_by_a_long_number},
    { "block the signal",            block_sandbox_and_read          },
};

/* ---- when ---- */

/* argv, which no program may have changed yet. */
static void find_role(void)
{
    char line[64] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0)
        close(fd);
    if (n > 10 && strcmp(line, "homeward:") == 0)
        snprintf(role, sizeof role, "%.5s", line + strlen(line) + 1);
}

__attribute__((constructor)) static void prepare(void)
{
    const char *file = getenv("HOMEWARD_ESCAPE");
    int fd = file != NULL ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    find_role();
    if (fd < 0 || role[0] == '\0')
        return;
    void *at = mmap(NULL, ORDER_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    parent = getppid();
    if (at != MAP_FAILED)
        order = at;
}

static void try_it(const struct attempt *a)
{
    char text[160];
    errno = 0;
    long result = a->make();
    int error = errno;
    int n = snprintf(text, sizeof text, "escape \"%s\" of %s: %s\n", a->name, role,
                     result < 0 ? strerrorname_np(error) : "DONE");
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(1);
}

static void look(void)
{
    static bool tried;
    if (order == NULL || order[0] == '\0' || tried)
        return;
    tried = true;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        if (strcmp(order, attempts[i].name) == 0)
            try_it(&attempts[i]);
}

/* ---- a kernel without these ---- */

/* $HOMEWARD_OLD_KERNEL names the fences that are not there: "seccomp", "landlock". */
static bool is_missing(long number)
{
    const char *missing = getenv("HOMEWARD_OLD_KERNEL");
    if (missing == NULL || number < 0)
        return false;
    return (number == SYS_seccomp && strstr(missing, "seccomp") != NULL) ||
           (number >= 444 && number <= 446 && strstr(missing, "landlock") != NULL);
}

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    if (is_missing(number)) {
        errno = ENOSYS;
        return -1;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- the moment ---- */

int epoll_wait(int fd, struct epoll_event *events, int most, int ms)
{
    look();
    return epoll_pwait(fd, events, most, ms, NULL);
}

int epoll_pwait(int fd, struct epoll_event *events, int most, int ms, const sigset_t *mask)
{
    look();
    return (int)syscall(SYS_epoll_pwait, fd, events, most, ms, mask, _NSIG / 8);
}
