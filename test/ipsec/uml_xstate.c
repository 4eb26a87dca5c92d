/* A shim for linux.uml on processors with more register state than it knows (AMX: Sapphire Rapids and later).
 *
 * User Mode Linux 6.1 saves and loads its guests' registers by PTRACE_GETREGSET with room for AVX-512. The kernel gives
 * what fits, but takes back only the whole area of this processor, so the first guest dies of "ptrace set fp regs
 * failed". Loaded by LD_PRELOAD, this adds what is missing: zeros, marked as not in use. */
#include <cpuid.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum { XSTATE_LEAF = 0xd, HEADER_AT = 512, KNOWN = 0x3ff /* x87, SSE, AVX, MPX, AVX-512, PKRU */ };

static char whole[1 << 16]; /* UML has one thread that does this, and little stack */

static struct iovec completed(const struct iovec *part)
{
    unsigned a, size = 0, c, d;
    uint64_t in_use;
    __cpuid_count(XSTATE_LEAF, 0, a, size, c, d);
    if (part->iov_len >= size || part->iov_len < HEADER_AT + sizeof in_use || size > sizeof whole)
        return *part;
    memcpy(whole, part->iov_base, part->iov_len);
    memset(whole + part->iov_len, 0, size - part->iov_len);
    memcpy(&in_use, whole + HEADER_AT, sizeof in_use);
    in_use &= KNOWN;
    memcpy(whole + HEADER_AT, &in_use, sizeof in_use);
    return (struct iovec){ whole, size };
}

long ptrace(enum __ptrace_request request, ...)
{
    static long (*real)(enum __ptrace_request, ...);
    va_list arguments;
    va_start(arguments, request);
    int pid = va_arg(arguments, int);
    void *address = va_arg(arguments, void *), *data = va_arg(arguments, void *);
    va_end(arguments);
    if (real == NULL)
        real = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
    if (request != PTRACE_SETREGSET || address != (void *)NT_X86_XSTATE)
        return real(request, pid, address, data);
    struct iovec all = completed(data);
    return real(request, pid, address, &all);
}
