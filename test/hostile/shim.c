/* Put before a program by LD_PRELOAD, it makes the Nth allocation or system call of one process fail, as a page of
 * shared memory says (the file that $HOMEWARD_FAULTS names; faults.py writes it). Allocations of the program's own code
 * are told from those of its libraries by the address that they return to. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum what {
    NOTHING,
    OWN_ALLOCATIONS,
    LIBRARY_ALLOCATIONS,
    ACCEPT,
    SOCKET,
    CONNECT,
    EPOLL_CTL,
    SENDMSG,
    RECVMSG,
    READ,
    WRITE,
    SETSOCKOPT
};

/* The same fields stand in faults.py. */
static struct plan {
    atomic_int pid; /* whose; 0: nobody's */
    atomic_int what;
    atomic_int error;  /* errno; 0: a short count */
    atomic_int at;     /* the Nth of them; -N: every Nth */
    atomic_int seen;   /* so far */
    atomic_int failed; /* of these */
} * plan;

static uintptr_t own_from, own_to;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t each);
void *__libc_realloc(void *old, size_t n);
int __vasprintf_chk(char **to, int flag, const char *format, va_list arguments);
int __asprintf_chk(char **to, int flag, const char *format, ...);

static int find_own(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            own_from = info->dlpi_addr + part->p_vaddr;
            own_to = own_from + part->p_memsz;
        }
    }
    return 1; /* the program itself comes first */
}

__attribute__((constructor)) static void open_plan(void)
{
    const char *path = getenv("HOMEWARD_FAULTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    dl_iterate_phdr(find_own, NULL);
    void *page = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED)
        plan = page;
}

static int is_due(enum what what)
{
    if (plan == NULL || atomic_load(&plan->what) != (int)what || atomic_load(&plan->pid) != getpid())
        return 0;
    int n = atomic_fetch_add(&plan->seen, 1) + 1, at = atomic_load(&plan->at);
    int due = at > 0 ? n == at : at < 0 && n % -at == 0;
    if (due)
        atomic_fetch_add(&plan->failed, 1);
    return due;
}

static int is_own(const void *caller)
{
    return (uintptr_t)caller >= own_from && (uintptr_t)caller < own_to;
}

#define ALLOCATION_FAILS() (is_due(is_own(__builtin_return_address(0)) ? OWN_ALLOCATIONS : LIBRARY_ALLOCATIONS))

static void *none(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t n)
{
    return ALLOCATION_FAILS() ? none() : __libc_malloc(n);
}

void *calloc(size_t n, size_t each)
{
    return ALLOCATION_FAILS() ? none() : __libc_calloc(n, each);
}

void *realloc(void *old, size_t n)
{
    return ALLOCATION_FAILS() ? none() : __libc_realloc(old, n);
}

void *reallocarray(void *old, size_t n, size_t each)
{
    size_t bytes;
    if (ALLOCATION_FAILS() || __builtin_mul_overflow(n, each, &bytes))
        return none();
    return __libc_realloc(old, bytes);
}

/* ---- what prints into memory of its own ---- */

int __vasprintf_chk(char **to, int flag, const char *format, va_list arguments)
{
    static int (*next)(char **, int, const char *, va_list);
    if (next == NULL)
        next = (int (*)(char **, int, const char *, va_list))dlsym(RTLD_NEXT, "__vasprintf_chk");
    if (!ALLOCATION_FAILS())
        return next(to, flag, format, arguments);
    errno = ENOMEM;
    return -1;
}

int __asprintf_chk(char **to, int flag, const char *format, ...)
{
    va_list arguments;
    if (ALLOCATION_FAILS()) {
        errno = ENOMEM;
        return -1;
    }
    va_start(arguments, format);
    int n = __vasprintf_chk(to, flag, format, arguments);
    va_end(arguments);
    return n;
}

/* ---- system calls ---- */

#define NEXT(name)                                                                                                     \
    static __typeof__(name) *next;                                                                                     \
    if (next == NULL)                                                                                                  \
    next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FAIL_IF_DUE(what)                                                                                              \
    if (is_due(what)) {                                                                                                \
        errno = atomic_load(&plan->error);                                                                             \
        return -1;                                                                                                     \
    }

/* How many bytes are to be moved: half of them where a short count is due. */
static ssize_t shortened(enum what what, size_t n)
{
    if (!is_due(what))
        return (ssize_t)n;
    if (atomic_load(&plan->error) == 0)
        return (ssize_t)(n > 1 ? n / 2 : n);
    errno = atomic_load(&plan->error);
    return -1;
}

int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict n, int flags)
{
    NEXT(accept4);
    FAIL_IF_DUE(ACCEPT);
    return next(fd, from, n, flags);
}

int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    FAIL_IF_DUE(SOCKET);
    return next(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
    NEXT(connect);
    FAIL_IF_DUE(CONNECT);
    return next(fd, to, n);
}

int epoll_ctl(int fd, int what, int of, struct epoll_event *event)
{
    NEXT(epoll_ctl);
    if (what == EPOLL_CTL_ADD) /* the others need no memory */
        FAIL_IF_DUE(EPOLL_CTL);
    return next(fd, what, of, event);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    NEXT(setsockopt);
    FAIL_IF_DUE(SETSOCKOPT);
    return next(fd, level, name, value, n);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    FAIL_IF_DUE(SENDMSG);
    return next(fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg);
    FAIL_IF_DUE(RECVMSG);
    return next(fd, message, flags);
}

ssize_t read(int fd, void *to, size_t n)
{
    NEXT(read);
    ssize_t some = shortened(READ, n);
    return some < 0 ? -1 : next(fd, to, (size_t)some);
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
    NEXT(recv);
    ssize_t some = shortened(READ, n);
    return some < 0 ? -1 : next(fd, to, (size_t)some, flags);
}

ssize_t write(int fd, const void *from, size_t n)
{
    NEXT(write);
    ssize_t some = shortened(WRITE, n);
    return some < 0 ? -1 : next(fd, from, (size_t)some);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
    NEXT(send);
    ssize_t some = shortened(WRITE, n);
    return some < 0 ? -1 : next(fd, from, (size_t)some, flags);
}
