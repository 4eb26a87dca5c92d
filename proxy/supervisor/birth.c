/* Birth: take what main gives, become who we shall be, give up what we do not need, start. */
#include "proxy/supervisor/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "auth/auth.h"
#include "backends/backends.h"
#include "config/config.h"
#include "proxy/front/front.h"
#include "proxy/net/loop.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/check.h"
#include "proxy/supervisor/privileges.h"

enum {
    WORDS_MS = 5000,
    LAST_WORDS_MS = 1000,
    FDS_MAX = 1 << 20 /* a front's table of sessions is half as long */
};

static int (*const entries[ROLES])(struct role *) = {
    [ROLE_FRONT] = front_run, [ROLE_AUTH] = auth_run, [ROLE_BACKENDS] = backends_run
};

static const enum role_sandbox sandboxes[] = {
    [SANDBOX_MODE_OFF] = ROLE_OPEN, [SANDBOX_MODE_AUTO] = ROLE_FENCED, [SANDBOX_MODE_REQUIRED] = ROLE_FENCED_FULLY
};

static void ignore_message(void *owner UNUSED, struct message *m UNUSED)
{
}

static void ignore_end(void *owner UNUSED, const char *why UNUSED)
{
}

bool birth_say(int main_fd, const struct message *m)
{
    static const struct ipc_events deaf = { ignore_message, ignore_end };
    loop_init();
    struct ipc *channel = ipc_new(fcntl(main_fd, F_DUPFD_CLOEXEC, 0), &deaf, NULL);
    bool said = channel != NULL && ipc_send(channel, m);
    if (said)
        ipc_flush(channel, WORDS_MS);
    ipc_free(&channel);
    return said;
}

/* Why it failed has been sent, but a channel that ends with packets unread takes what was sent along: it stays open
 * until main, who has read it, ends us. */
static void wait_for_main(int channel)
{
    struct pollfd end = { .fd = channel, .events = 0 };
    poll(&end, 1, LAST_WORDS_MS);
}

static int fail(const char *what, const char *why)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s: %s", what, why);
    struct message m = { .type = MSG_FAILED, .text.text = span_first(span_bytes(text, (size_t)n), sizeof text - 1) };
    if (!birth_say(ROLE_CHANNEL_FD, &m))
        fprintf(stderr, "homeward: %s\n", text);
    wait_for_main(ROLE_CHANNEL_FD);
    return 1;
}

static enum role_kind kind_of(const char *name)
{
    for (enum role_kind kind = ROLE_CHECK; kind < ROLES; kind++) {
        size_t n = strlen(role_names[kind]);
        if (strncmp(name, role_names[kind], n) == 0 && (name[n] == '\0' || name[n] == ' '))
            return kind;
    }
    return ROLE_MAIN;
}

/* A terminal sends its signals to the whole group, an admin's killall to everybody of the name: main alone decides. */
static void ignore_signals(void)
{
    static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE };
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

/* Fronts ask, the others answer: on a busy processor a question interrupts nobody (SCHED_BATCH, sched(7)), so that one
 * change of process serves all that a front had to ask. Another policy is the admin's. */
static void stand_back(enum role_kind kind)
{
    if (kind != ROLE_FRONT && sched_getscheduler(0) == SCHED_OTHER)
        sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
}

static void set_limits(void)
{
    struct rlimit fds, core = { 0, 0 };
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0) {
        fds.rlim_cur = fds.rlim_max < FDS_MAX ? fds.rlim_max : FDS_MAX;
        setrlimit(RLIMIT_NOFILE, &fds);
    }
    setrlimit(RLIMIT_CORE, &core); /* a core would hold passwords */
}

/* NULL, or what could not be done. */
static const char *become(const char *name)
{
    if (geteuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam(name);
    if (user == NULL)
        return "this machine has no such user";
    if (!privileges_hold())
        return strerror(errno);
    if (setgroups(1, &user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
        return strerror(errno);
    if (user->pw_uid != 0 && setuid(0) == 0)
        return "the way back to root is still open";
    return NULL;
}

static const char *lock_down(const struct role *role)
{
    bool net_admin = role->kind == ROLE_BACKENDS && config_has_ipsec(role->config);
    if (!privileges_reduce(net_admin))
        return strerror(errno);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return strerror(errno);
    return NULL;
}

/* The blobs stay mapped, and the configuration parsed, for the life of the process. */
static bool take_over(struct message *m, struct role *role)
{
    struct span dumped;
    role->slot = m->boot.slot;
    role->generation = m->boot.generation;
    role->main_fd = ROLE_CHANNEL_FD;
    if (m->n_fds < 2 || !blob_map(m->fds[0], &dumped) || !blob_map(m->fds[1], &role->bundle))
        return false;
    role->config = config_parse(dumped);
    blob_unmap(&dumped);
    close(m->fds[0]);
    close(m->fds[1]);
    role->state_fd = ipc_take_fd(m, 2);
    return role->config != NULL;
}

static int live(struct role *role, const char *name, struct message *boot)
{
    if (!take_over(boot, role))
        return fail("the configuration from main", "it cannot be used");
    log_open(ROLE_LOG_FD, name);
    log_set(role->config->log.level, role->config->log.format);
    set_limits();
    stand_back(role->kind);
    const char *wrong = become(role->config->run.user);
    if (wrong != NULL)
        return fail("run.user", wrong);
    wrong = lock_down(role);
    if (wrong != NULL)
        return fail("privileges cannot be given up", wrong);
    role->last_fd = fcntl(ROLE_CHANNEL_FD, F_DUPFD_CLOEXEC, 0);
    role->sandbox = sandboxes[role->config->run.sandbox];
    int status = entries[role->kind](role);
    if (status != 0)
        wait_for_main(role->last_fd);
    return status;
}

int birth_run(const char *name)
{
    static struct role role; /* for the life of the process */
    char title[16];
    struct message boot;
    struct buf store;
    role.kind = kind_of(name);
    snprintf(title, sizeof title, "homeward: %s", name);
    prctl(PR_SET_NAME, title, 0, 0, 0);
    ignore_signals();
    buf_init(&store, IPC_BYTES_MAX);
    bool born = role.kind != ROLE_MAIN && ipc_receive_now(ROLE_CHANNEL_FD, &boot, &store, ROLE_BOOT_MS) &&
                boot.type == MSG_BOOT; /* which holds numbers and descriptors, nothing that borrows */
    buf_fini(&store);
    if (!born) {
        fprintf(stderr, "homeward: \"%s\" is a part of Homeward that only Homeward itself can start\n", name);
        return 2;
    }
    return role.kind == ROLE_CHECK ? check_process(ROLE_CHANNEL_FD, &boot) : live(&role, name, &boot);
}
