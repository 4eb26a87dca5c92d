/* Entering. A call that is in no row of the table raises SIGSYS: its handler, which nobody can replace any more, tells
 * main which one it was and ends the process. A call made while it runs, or while the signal is blocked, ends it
 * without a word: the kernel does that. */
#include "proxy/net/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/net/landlock.h"
#include "proxy/net/sandbox_rules.h"

enum { CALLS_MAX = 512, EXIT_STOPPED = 128 + SIGSYS };

struct sandbox_kernel sandbox_of_kernel(void)
{
    const uint32_t trap = SECCOMP_RET_TRAP;
    return (struct sandbox_kernel){
        .seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0,
        .landlock = landlock_abi(),
    };
}

/* ---- the end ---- */

static struct {
    int last_fd;
    char *names[CALLS_MAX];
} stopped;

static void on_stopped(int signal UNUSED, siginfo_t *info, void *context UNUSED)
{
    char text[96];
    int number = info->si_syscall;
    const char *name = number >= 0 && number < CALLS_MAX && stopped.names[number] != NULL ? stopped.names[number] : "?";
    int n = snprintf(text, sizeof text, "the sandbox stopped it: system call %s (%d)", name, number);
    struct message m = { .type = MSG_FAILED, .text.text = span_bytes(text, n > 0 ? (size_t)n : 0) };
    bool told = ipc_send_now(stopped.last_fd, &m);
    (void)told; /* main is gone: nobody else would hear it */
    _exit(EXIT_STOPPED);
}

static bool prepare_last_words(const struct role *role)
{
    struct sigaction action = { .sa_sigaction = on_stopped, .sa_flags = SA_SIGINFO };
    stopped.last_fd = role->last_fd;
    for (int i = 0; i < CALLS_MAX; i++)
        stopped.names[i] = sandbox_call_name(i);
    return sigfillset(&action.sa_mask) == 0 && sigaction(SIGSYS, &action, NULL) == 0;
}

/* ---- the way in ---- */

/* What libraries open the first time that they are used, and then never again. */
static void warm(void)
{
    unsigned char byte;
    time_t now = time(NULL);
    struct tm utc;
    tzset();
    gmtime_r(&now, &utc);
    (void)RAND_bytes(&byte, 1); /* who needs it looks at its result */
}

#ifdef HOMEWARD_SANITIZED
#define TO_LOOK "/", /* for leaks */
#else
#define TO_LOOK
#endif

/* Landlock does not tell one file of a folder from another, and the resolver's files are replaced as often as a network
 * changes: so it is folders. What is secret in them is kept by its owner and mode. */
static const char *const *paths_for(unsigned needs)
{
    static const char *const none[] = { TO_LOOK NULL };
    static const char *const resolver[] = { TO_LOOK "/etc",
                                            "/run/systemd/resolve",
                                            "/run/NetworkManager",
                                            "/run/resolvconf",
                                            "/usr/share/ca-certificates",
                                            "/usr/local/share/ca-certificates",
                                            NULL };
    return (needs & SANDBOX_RESOLVES) != 0 ? resolver : none;
}

static bool complain(struct buf *why, const char *what, int error)
{
    bool told = buf_printf(why, "the sandbox cannot be entered (%s): %s; run.sandbox = \"off\" goes without it\n", what,
                           strerror(error));
    (void)told; /* a full buf has told enough */
    return false;
}

static void tell(const struct sandbox_kernel *kernel)
{
    bool whole = kernel->seccomp && kernel->landlock > 0;
    struct log_line l;
    log_begin(&l, whole ? LOG_INFO : LOG_WARNING, "sandbox");
    log_word(&l, "seccomp", kernel->seccomp ? "on" : "missing");
    if (kernel->landlock > 0)
        log_number(&l, "landlock", kernel->landlock);
    else
        log_word(&l, "landlock", "missing");
    log_end(&l);
}

bool sandbox_enter(const struct role *role, unsigned needs, struct buf *why)
{
    struct sandbox_kernel kernel = sandbox_of_kernel();
    if (role->sandbox == ROLE_OPEN) {
        log_say(LOG_WARNING, "sandbox", "it is switched off (run.sandbox)");
        return true;
    }
    if (role->sandbox == ROLE_FENCED_FULLY && (!kernel.seccomp || kernel.landlock == 0))
        return complain(why, kernel.seccomp ? "landlock" : "seccomp", ENOSYS);
    warm();
    tell(&kernel);
    if (kernel.landlock > 0 && !landlock_enter(kernel.landlock, paths_for(needs), (needs & SANDBOX_DIALS) != 0))
        return complain(why, "landlock", errno);
    if (!kernel.seccomp)
        return true;
    if (!prepare_last_words(role))
        return complain(why, "sigaction", errno);
    int error = sandbox_filter(needs);
    return error == 0 || complain(why, "seccomp", error);
}
