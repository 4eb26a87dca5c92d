/* The table, and libseccomp (https://github.com/seccomp/libseccomp), which knows the numbers of every architecture and
 * the ways around a filter (other ABIs of the same processor).
 *
 * What is in no row raises SIGSYS (sandbox.c). A row without arguments costs nothing: the kernel keeps a bitmap of
 * them. A few calls that libraries make to see whether they exist are answered with an error and go no further. */
#include "proxy/net/sandbox_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/sandbox.h"

#ifndef IP_XFRM_POLICY
#define IP_XFRM_POLICY 17 /* linux/in.h, which contradicts netinet/in.h */
#endif
#ifndef IPV6_XFRM_POLICY
#define IPV6_XFRM_POLICY 35
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

enum { ALL = 0, ARGS_MAX = 3 };

struct rule {
    int call;
    unsigned needs;  /* for who has one of these; ALL: for everybody */
    unsigned unless; /* but not for who has one of these */
    uint32_t action; /* 0: SCMP_ACT_ALLOW */
    unsigned n;
    struct scmp_arg_cmp args[ARGS_MAX];
};

/* By hand: clang-format would make ten lines of each. */
/* clang-format off */
#define CALL(name, needs) { SCMP_SYS(name), needs, 0, 0, 0, { { 0 } } }
#define WITH(name, needs, ...) \
    { SCMP_SYS(name), needs, 0, 0, sizeof((struct scmp_arg_cmp[]){ __VA_ARGS__ }) / sizeof(struct scmp_arg_cmp), { __VA_ARGS__ } }
#define REFUSED(name, needs, error) { SCMP_SYS(name), needs, 0, SCMP_ACT_ERRNO(error), 0, { { 0 } } }
#define TO_WRITE (O_ACCMODE | O_CREAT | O_TRUNC)
#define IS(arg, value) { arg, SCMP_CMP_EQ, value, 0 }
#define HAS(arg, bits) { arg, SCMP_CMP_MASKED_EQ, bits, bits }
#define LACKS(arg, bits) { arg, SCMP_CMP_MASKED_EQ, bits, 0 }
#define OPTION(needs, level, name) WITH(setsockopt, needs, IS(1, level), IS(2, name))

static const struct rule rules[] = {
    /* what there is already */
    CALL(read, ALL), CALL(readv, ALL), CALL(pread64, ALL), CALL(write, ALL), CALL(writev, ALL), CALL(lseek, ALL),
    CALL(recvfrom, ALL), CALL(recvmsg, ALL), CALL(close, ALL), CALL(shutdown, ALL), CALL(fstat, ALL),
    CALL(getsockname, ALL), CALL(getpeername, ALL), CALL(getsockopt, ALL),
    CALL(epoll_wait, ALL), CALL(epoll_pwait, ALL), CALL(epoll_pwait2, ALL), CALL(epoll_ctl, ALL), CALL(poll, ALL),
    CALL(ppoll, ALL),
    WITH(sendto, ALL, LACKS(3, MSG_FASTOPEN)), WITH(sendmsg, ALL, LACKS(2, MSG_FASTOPEN)), /* a connect in disguise */
    WITH(newfstatat, ALL, HAS(3, AT_EMPTY_PATH)), /* fstat(3) */
    WITH(fcntl, ALL, IS(1, F_DUPFD_CLOEXEC)), WITH(fcntl, ALL, IS(1, F_GETFL)), WITH(fcntl, ALL, IS(1, F_SETFL)),
    WITH(fcntl, ALL, IS(1, F_GETFD)), WITH(fcntl, ALL, IS(1, F_SETFD)), WITH(fcntl, ALL, IS(1, F_GET_SEALS)),
    WITH(ioctl, ALL, IS(1, FIONBIO)), WITH(ioctl, ALL, IS(1, FIONREAD)),
    OPTION(ALL, SOL_SOCKET, SO_LINGER), OPTION(ALL, SOL_SOCKET, SO_KEEPALIVE), OPTION(ALL, SOL_SOCKET, SO_SNDBUF),
    OPTION(ALL, SOL_SOCKET, SO_RCVBUF), OPTION(ALL, IPPROTO_TCP, TCP_NODELAY), OPTION(ALL, IPPROTO_TCP, TCP_KEEPIDLE),
    OPTION(ALL, IPPROTO_TCP, TCP_KEEPINTVL),
    OPTION(ALL, IPPROTO_TCP, TCP_USER_TIMEOUT), OPTION(ALL, IPPROTO_TCP, TCP_QUICKACK),
    /* memory, time, chance, itself */
    CALL(brk, ALL), CALL(munmap, ALL), CALL(mremap, ALL), CALL(madvise, ALL),
    WITH(mmap, ALL, LACKS(2, PROT_EXEC)), WITH(mmap2, ALL, LACKS(2, PROT_EXEC)), WITH(mprotect, ALL, LACKS(2, PROT_EXEC)),
    CALL(clock_gettime, ALL), CALL(clock_getres, ALL), CALL(clock_nanosleep, ALL), CALL(gettimeofday, ALL),
    CALL(time, ALL), CALL(nanosleep, ALL), CALL(getrandom, ALL), CALL(futex, ALL), CALL(sched_yield, ALL),
    CALL(sched_getaffinity, ALL), CALL(restart_syscall, ALL), CALL(rt_sigreturn, ALL), CALL(rt_sigprocmask, ALL),
    CALL(getpid, ALL), CALL(gettid, ALL), CALL(getppid, ALL), CALL(getuid, ALL), CALL(geteuid, ALL), CALL(getgid, ALL),
    CALL(getegid, ALL), CALL(exit, ALL), CALL(exit_group, ALL),
    WITH(prlimit64, ALL, IS(2, 0)), CALL(getrlimit, ALL),
    WITH(rt_sigaction, ALL, IS(0, SIGABRT)), WITH(rt_sigaction, SANDBOX_RESOLVES, IS(0, SIGPIPE)), /* never SIGSYS */
    /* asked for by libraries on newer systems than Debian 12; they have another way */
    REFUSED(io_uring_setup, ALL, ENOSYS), REFUSED(clone3, SANDBOX_THREADS, ENOSYS),
    { SCMP_SYS(prctl), ALL, 0, SCMP_ACT_ERRNO(EINVAL), 1, { IS(0, PR_SET_VMA) } },
    /* fronts */
    CALL(accept4, SANDBOX_ACCEPTS),
    /* who opens connections */
    WITH(socket, SANDBOX_DIALS, IS(0, AF_INET)), WITH(socket, SANDBOX_DIALS, IS(0, AF_INET6)),
    CALL(connect, SANDBOX_DIALS), OPTION(SANDBOX_DIALS, IPPROTO_IP, IP_RECVERR),
    OPTION(SANDBOX_DIALS, IPPROTO_IPV6, IPV6_RECVERR), OPTION(SANDBOX_DIALS, IPPROTO_IPV6, IPV6_V6ONLY),
    OPTION(SANDBOX_DIALS, IPPROTO_TCP, TCP_FASTOPEN_CONNECT), /* newer c-ares */
    OPTION(SANDBOX_DIALS, SOL_SOCKET, SO_RCVTIMEO), OPTION(SANDBOX_DIALS, SOL_SOCKET, SO_SNDTIMEO),
    /* who binds them to IPsec */
    OPTION(SANDBOX_IPSEC, IPPROTO_IP, IP_XFRM_POLICY), OPTION(SANDBOX_IPSEC, IPPROTO_IPV6, IPV6_XFRM_POLICY),
    OPTION(SANDBOX_IPSEC, IPPROTO_TCP, TCP_LINGER2),
    WITH(socket, SANDBOX_IPSEC, IS(0, AF_NETLINK), IS(2, NETLINK_XFRM)), CALL(bind, SANDBOX_IPSEC | SANDBOX_RESOLVES),
    /* threads; who has them has an allocator that asks /proc how to give memory back, and lives without an answer */
    WITH(clone, SANDBOX_THREADS, HAS(0, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)), CALL(set_robust_list, SANDBOX_THREADS),
    /* the C library's own two signals */
    WITH(rt_sigaction, SANDBOX_THREADS, IS(0, __SIGRTMIN)), WITH(rt_sigaction, SANDBOX_THREADS, IS(0, __SIGRTMIN + 1)),
    CALL(rseq, SANDBOX_THREADS), WITH(prctl, SANDBOX_THREADS, IS(0, PR_SET_NAME)),
    WITH(setpriority, SANDBOX_THREADS, IS(0, PRIO_PROCESS)),
    { SCMP_SYS(openat), SANDBOX_THREADS, SANDBOX_RESOLVES, SCMP_ACT_ERRNO(EACCES), 1, { LACKS(2, TO_WRITE) } },
    /* getaddrinfo(3), libcurl, libldap: to read, never to write; which files Landlock says */
    WITH(openat, SANDBOX_RESOLVES, LACKS(2, TO_WRITE)), CALL(newfstatat, SANDBOX_RESOLVES),
    CALL(stat, SANDBOX_RESOLVES), CALL(statx, SANDBOX_RESOLVES), CALL(access, SANDBOX_RESOLVES),
    CALL(faccessat, SANDBOX_RESOLVES), CALL(faccessat2, SANDBOX_RESOLVES), CALL(readlink, SANDBOX_RESOLVES),
    CALL(readlinkat, SANDBOX_RESOLVES), CALL(getdents64, SANDBOX_RESOLVES), CALL(getcwd, SANDBOX_RESOLVES),
    CALL(uname, SANDBOX_RESOLVES), CALL(getrusage, SANDBOX_RESOLVES), CALL(sysinfo, SANDBOX_RESOLVES),
    CALL(pipe2, SANDBOX_RESOLVES), CALL(eventfd2, SANDBOX_RESOLVES | SANDBOX_THREADS), WITH(socketpair, SANDBOX_RESOLVES, IS(0, AF_UNIX)),
    CALL(sendmmsg, SANDBOX_RESOLVES), CALL(recvmmsg, SANDBOX_RESOLVES),
    WITH(socket, SANDBOX_RESOLVES, IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE)),
    WITH(socket, SANDBOX_RESOLVES, IS(0, AF_UNIX)), /* nscd, systemd-resolved */
    OPTION(SANDBOX_RESOLVES, SOL_SOCKET, SO_PASSCRED), OPTION(SANDBOX_RESOLVES, IPPROTO_IP, IP_MTU_DISCOVER),
    OPTION(SANDBOX_RESOLVES, IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    { SCMP_SYS(mmap), SANDBOX_RESOLVES, 0, SCMP_ACT_ERRNO(EACCES), 1, { HAS(2, PROT_EXEC) } }, /* a module of NSS */
#ifdef HOMEWARD_SANITIZED
    /* what looks for leaks stops its own threads as a debugger does, and reads about them */
    CALL(open, ALL), CALL(openat, ALL), CALL(clone, ALL), CALL(ptrace, ALL), CALL(wait4, ALL), CALL(prctl, ALL), CALL(sigaltstack, ALL),
    CALL(readlink, ALL), CALL(readlinkat, ALL), CALL(getdents, ALL), CALL(getdents64, ALL), CALL(process_vm_readv, ALL), CALL(dup, ALL),
    CALL(dup2, ALL), CALL(pipe2, ALL), CALL(tgkill, ALL), CALL(kill, ALL), CALL(stat, ALL), CALL(newfstatat, ALL),
    CALL(set_robust_list, ALL), CALL(rseq, ALL), CALL(rt_sigaction, ALL), CALL(sched_setaffinity, ALL), CALL(setrlimit, ALL), CALL(getcwd, ALL),
#endif
};
/* clang-format on */

static int add(scmp_filter_ctx filter, const struct rule *r, unsigned needs)
{
    if ((r->needs != ALL && (r->needs & needs) == 0) || (r->unless & needs) != 0)
        return 0;
    return seccomp_rule_add_array(filter, r->action != 0 ? r->action : SCMP_ACT_ALLOW, r->call, r->n, r->args);
}

/* abort(3) and nobody else's end. */
static int add_abort(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp own = IS(0, (scmp_datum_t)getpid());
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own);
}

int sandbox_filter(unsigned needs)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (filter == NULL)
        return ENOMEM;
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* No foreign code runs in here, so the brake on speculation that older kernels put on is not needed; who does not
     * know the attribute is not one of these. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; error == 0 && i < COUNT_OF(rules); i++)
        error = add(filter, &rules[i], needs);
    if (error == 0)
        error = add_abort(filter);
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return -error;
}

char *sandbox_call_name(int number)
{
    return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
}
