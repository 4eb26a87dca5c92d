/* Taking over: the check of the new program, then exec of it. */
#include "proxy/supervisor/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/supervisor/change.h"
#include "proxy/supervisor/handover.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/notify.h"

static char program[PATH_MAX];

void takeover_init(void)
{
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
}

static _Noreturn void become_checker(void)
{
    int nowhere = open("/dev/null", O_RDWR);
    if (nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
        dup2(nowhere, STDERR_FILENO) >= 0)
        execl(program, program, "-t", "-c", house.file, (char *)NULL);
    _exit(127);
}

/* Would the new program start? A few moments in which main does nothing else; nobody needs it for a login. */
static bool is_good(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        become_checker();
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void takeover(void)
{
    char *const argv[] = { program, (char *)"-c", (char *)house.file, NULL };
    if (house.phase != PHASE_SERVE || change_is_under_way()) {
        log_say(LOG_WARNING, "takeover", "not now: a change is under way; ask again");
        return;
    }
    if (!is_good()) {
        log_say(LOG_ERROR, "takeover", "%s -t does not accept %s: this program goes on", program, house.file);
        return;
    }
    log_say(LOG_INFO, "takeover", "%s takes over; sessions stay where they are", program);
    notify("RELOADING=1");
    if (handover_begin()) {
        execv(program, argv);
        int error = errno;
        handover_abort();
        errno = error;
    }
    log_say(LOG_ERROR, "takeover", "%s: %s: this program goes on", program, strerror(errno));
    notify("READY=1");
}
