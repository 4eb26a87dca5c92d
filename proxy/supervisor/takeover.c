/* Taking over: "fd:slot" of each listening socket in an environment variable, then exec. */
#include "proxy/supervisor/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/net/loop.h"
#include "proxy/supervisor/change.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/notify.h"
#include "proxy/supervisor/sockets.h"

enum { LIST_MAX = 1 << 20, FD_MAX = 1 << 30, SLOTS_MAX = 4096 };

static const char variable[] = "HOMEWARD_SOCKETS";
static char program[PATH_MAX];

/* ---- the successor ---- */

static bool adopt_one(struct span entry)
{
    ptrdiff_t colon = span_find(entry, ':');
    uint64_t fd, slot;
    if (colon < 0 || !span_number(span_first(entry, (size_t)colon), FD_MAX, &fd) ||
        !span_number(span_after(entry, (size_t)colon + 1), SLOTS_MAX, &slot))
        return false;
    return sockets_adopt((int)fd, slot);
}

static void adopt(const char *text)
{
    struct span rest = span_of(text), entry;
    while (span_word(&rest, &entry))
        if (!adopt_one(entry))
            log_say(LOG_WARNING, "takeover", "\"%.*s\" is no listening socket", SPAN_ARG(entry));
}

void takeover_init(void)
{
    const char *text = getenv(variable);
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    if (text == NULL)
        return;
    adopt(text);
    unsetenv(variable);
}

/* ---- the predecessor ---- */

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

static bool list_sockets(struct buf *to)
{
    LIST_EACH(link, &sockets) {
        const struct socket *s = OWNER_OF(link, struct socket, link);
        if (s->state == SOCKET_OPEN && !buf_printf(to, "%s%d:%" PRIu64, to->n > 0 ? " " : "", s->fd, s->slot))
            return false;
    }
    return buf_add_byte(to, '\0');
}

static bool keep_open(bool open)
{
    bool good = true;
    LIST_EACH(link, &sockets) {
        const struct socket *s = OWNER_OF(link, struct socket, link);
        if (s->state == SOCKET_OPEN)
            good = fcntl(s->fd, F_SETFD, open ? 0 : FD_CLOEXEC) == 0 && good;
    }
    return good;
}

static bool prepare(struct buf *list)
{
    return list_sockets(list) && setenv(variable, list->at, 1) == 0 && keep_open(true);
}

void takeover(void)
{
    char *const argv[] = { program, (char *)"-c", (char *)house.file, NULL };
    struct buf list;
    if (house.phase != PHASE_SERVE || change_is_under_way()) {
        log_say(LOG_WARNING, "takeover", "not now: a change is under way; ask again");
        return;
    }
    if (!is_good()) {
        log_say(LOG_ERROR, "takeover", "%s -t does not accept %s: this program goes on", program, house.file);
        return;
    }
    buf_init(&list, LIST_MAX);
    log_say(LOG_INFO, "takeover", "%s takes over; sessions stay where they are", program);
    notify("RELOADING=1");
    if (prepare(&list))
        execv(program, argv);
    log_say(LOG_ERROR, "takeover", "%s: %s: this program goes on", program, strerror(errno));
    keep_open(false);
    unsetenv(variable);
    buf_fini(&list);
    notify("READY=1");
}
