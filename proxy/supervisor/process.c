/* Processes: born by fork and exec of this very program, ended when both are true: the kernel says so, and the channel
 * has been read to its end (its last words come through that, and may be read after SIGCHLD). */
#include "proxy/supervisor/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/supervisor/birth.h"
#include "proxy/supervisor/logger.h"

enum { PATIENCE_MS = 5000, FREE_FD = ROLE_LOG_FD + 1 };

static struct list running = { &running, &running };

/* ---- the end ---- */

static void tell_end(struct later *l)
{
    struct process *p = OWNER_OF(l, struct process, ending);
    list_remove(&p->link);
    alarm_clear(&p->patience);
    p->running = false;
    p->events->ended(p, p->status);
}

static void end_if_complete(struct process *p)
{
    if (p->reaped && p->channel == NULL)
        loop_later(&p->ending, tell_end);
}

static void reap(int signal UNUSED)
{
    int status;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        LIST_EACH(link, &running) {
            struct process *p = OWNER_OF(link, struct process, link);
            if (p->pid != pid || p->reaped)
                continue;
            p->reaped = true;
            p->status = status;
            end_if_complete(p);
        }
    }
}

void processes_init(void)
{
    loop_on_signal(SIGCHLD, reap);
}

static void lose_patience(struct alarm *a)
{
    process_kill(OWNER_OF(a, struct process, patience));
}

static void on_message(void *owner, struct message *m)
{
    struct process *p = owner;
    p->events->message(p, m);
}

/* Without its channel nobody can tell it anything: it must go, and usually is going already. */
static void on_closed(void *owner, const char *why UNUSED)
{
    struct process *p = owner;
    ipc_free(&p->channel);
    if (!p->reaped && !alarm_set(&p->patience, PATIENCE_MS, lose_patience))
        process_kill(p);
    end_if_complete(p);
}

void process_kill(struct process *p)
{
    if (!p->running || p->reaped)
        return;
    p->killed = true;
    kill(p->pid, SIGKILL);
}

const char *process_end_text(int status, char text[64])
{
    if (WIFSIGNALED(status))
        snprintf(text, 64, "died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, 64, "ended with status %d", WEXITSTATUS(status));
    return text;
}

void process_send(struct process *p, const struct message *m)
{
    if (p->channel != NULL && !ipc_send(p->channel, m))
        process_kill(p);
}

/* ---- the start ---- */

/* In the new process, where only what a signal handler may do is allowed: descriptors to their places, then exec. */
static _Noreturn void become(int channel, int log, char *const argv[], const sigset_t *mask)
{
    static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN); /* libuv's handlers would write into main's pipe */
    int nowhere = open("/dev/null", O_RDWR);
    channel = fcntl(channel, F_DUPFD, FREE_FD);
    log = fcntl(log, F_DUPFD, FREE_FD);
    if (nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
        dup2(channel, ROLE_CHANNEL_FD) >= 0 && dup2(log, ROLE_LOG_FD) >= 0 && close_range(FREE_FD, ~0U, 0) == 0) {
        sigprocmask(SIG_SETMASK, mask, NULL);
        execv("/proc/self/exe", argv);
    }
    _exit(127);
}

static pid_t fork_role(int channel, const char *name)
{
    char *const argv[] = { (char *)BIRTH_NAME, (char *)name, NULL };
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(channel, logger_fd(), argv, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static const struct ipc_events channel_events = { on_message, on_closed };

static void note_running(struct process *p, pid_t pid)
{
    p->pid = pid;
    p->running = true;
    list_init(&p->link);
    list_add(&running, &p->link);
}

bool process_start(struct process *p, const char *name, const struct process_events *events)
{
    int pair[2];
    if (!ipc_pair(pair))
        return false;
    *p = (struct process){ .events = events };
    p->channel = ipc_new(pair[0], &channel_events, p);
    pid_t pid = p->channel != NULL ? fork_role(pair[1], name) : -1;
    int error = p->channel != NULL ? errno : ENOMEM;
    close(pair[1]);
    if (pid > 0) {
        note_running(p, pid);
        return true;
    }
    ipc_free(&p->channel);
    errno = error;
    return false;
}

bool process_adopt(struct process *p, pid_t pid, int channel, const struct process_events *events)
{
    int status;
    *p = (struct process){ .events = events };
    if (pid <= 0 || waitpid(pid, &status, WNOHANG) != 0) {
        close(channel);
        return false;
    }
    p->channel = ipc_new(channel, &channel_events, p);
    if (p->channel != NULL)
        note_running(p, pid);
    return p->running;
}

void process_release(struct process *p)
{
    if (!p->running)
        return;
    list_remove(&p->link);
    alarm_clear(&p->patience);
    loop_never(&p->ending);
    ipc_free(&p->channel);
    p->running = false;
}
