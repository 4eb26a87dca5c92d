/* The log's thread and its places. */
#include "proxy/supervisor/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proxy/supervisor/journal.h"
#include "proxy/supervisor/tell.h"

enum { CHANNEL_BYTES = 4 << 20, LINES_BYTES = 64 << 10, NAP_MS = 10, LAST_LINES_S = 2, PAUSE_S = 1 };

struct place {
    enum log_target to;
    int fd;     /* of the file, else -1 */
    char *path; /* of the file, else NULL */
};

static struct {
    int in, out; /* in: the thread's end */
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock;  /* of now */
    pthread_mutex_t lines; /* held while lines are under way */
    struct place now, next;
    bool has_next;
} logger = {
    .in = -1,
    .out = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .lines = PTHREAD_MUTEX_INITIALIZER,
    .now = {LOG_TO_STDERR, -1, NULL}
};

/* ---- the thread ---- */

size_t logger_tame(char *line, size_t n)
{
    while (n > 0 && line[n - 1] == '\n')
        n--;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || (unsigned char)line[i] >= 0x7f)
            line[i] = '?';
    line[n] = '\n';
    return n + 1;
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000 * 1000 }, NULL);
}

static void write_all(int fd, const char *lines, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, lines, n);
        if (wrote < 0 && errno == EAGAIN) { /* somebody made our stderr non-blocking */
            nap(10);
            continue;
        }
        if (wrote < 0 && errno != EINTR)
            return; /* a full disk: they are lost, the service goes on */
        if (wrote > 0) {
            lines += wrote;
            n -= (size_t)wrote;
        }
    }
}

static void journal_all(const char *lines, size_t n)
{
    for (const char *end; n > 0 && (end = memchr(lines, '\n', n)) != NULL; lines = end + 1) {
        size_t line_n = (size_t)(end + 1 - lines);
        journal_put(lines, line_n);
        n -= line_n;
    }
}

/* The lock is held only to find out where to: a place that blocks must not block main. */
static void put_lines(const char *lines, size_t n)
{
    pthread_mutex_lock(&logger.lock);
    bool to_journal = logger.now.to == LOG_TO_SYSLOG;
    int fd = logger.now.to == LOG_TO_FILE ? fcntl(logger.now.fd, F_DUPFD_CLOEXEC, 0) : -1;
    pthread_mutex_unlock(&logger.lock);
    if (to_journal)
        journal_all(lines, n);
    else
        write_all(fd >= 0 ? fd : STDERR_FILENO, lines, n);
    if (fd >= 0)
        close(fd);
}

/* False: there may be more than there was room for. */
static bool move_lines(char room[LINES_BYTES])
{
    size_t n = 0;
    ssize_t got = 1;
    pthread_mutex_lock(&logger.lines);
    for (; n + LOG_LINE_MAX < LINES_BYTES; n += logger_tame(room + n, (size_t)got)) {
        got = recv(logger.in, room + n, LOG_LINE_MAX, MSG_DONTWAIT);
        if (got <= 0)
            break;
    }
    put_lines(room, n);
    pthread_mutex_unlock(&logger.lines);
    return got <= 0;
}

/* A nap after each batch: lines gather in the channel, where they are safe, and one awakening serves them all. A packet
 * without a byte looks like the end; that only comes when main stops. */
static void *run(void *nothing)
{
    static char room[LINES_BYTES];
    for (;;) {
        ssize_t n = recv(logger.in, room, 1, MSG_PEEK);
        if (n < 0 ? errno != EINTR : n == 0 && atomic_load(&logger.stopping))
            return nothing;
        if (move_lines(room))
            nap(NAP_MS);
    }
}

/* ---- main ---- */

static bool start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread inherits it: signals are main's */
    int error = pthread_create(&logger.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return error == 0;
}

static bool make_channel(int pair[2])
{
    int bytes = CHANNEL_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0) /* root may have it all */
        setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return true;
}

bool logger_start(const int ends[2])
{
    int pair[2] = { ends[0], ends[1] };
    if (ends[0] < 0 && !make_channel(pair))
        return false;
    logger.in = pair[0];
    logger.out = pair[1];
    return start_thread();
}

void logger_ends(int ends[2])
{
    ends[0] = logger.in;
    ends[1] = logger.out;
}

bool logger_pause(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PAUSE_S;
    return pthread_mutex_timedlock(&logger.lines, &until) == 0;
}

void logger_go_on(void)
{
    pthread_mutex_unlock(&logger.lines);
}

int logger_fd(void)
{
    return logger.out;
}

static void place_fini(struct place *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free(p->path);
    *p = (struct place){ LOG_TO_STDERR, -1, NULL };
}

static bool open_file(const char *path, struct place *p)
{
    p->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    p->path = span_copy(span_of(path));
    if (p->fd >= 0 && p->path != NULL)
        return true;
    int error = p->fd < 0 ? errno : ENOMEM;
    place_fini(p);
    errno = error;
    return false;
}

bool logger_prepare(const struct config *config, struct buf *errors)
{
    logger_abort();
    logger.next = (struct place){ config->log.to, -1, NULL };
    logger.has_next = config->log.to != LOG_TO_FILE || open_file(config->log.file, &logger.next);
    logger.next.to = config->log.to;
    return logger.has_next ||
           complain(errors, "%s: cannot be opened: %s (named by log.to)", config->log.file, strerror(errno));
}

void logger_commit(void)
{
    if (!logger.has_next)
        return;
    pthread_mutex_lock(&logger.lock);
    struct place before = logger.now;
    logger.now = logger.next;
    pthread_mutex_unlock(&logger.lock);
    logger.next = (struct place){ LOG_TO_STDERR, -1, NULL };
    logger.has_next = false;
    place_fini(&before);
}

void logger_abort(void)
{
    place_fini(&logger.next);
    logger.has_next = false;
}

void logger_reopen(void)
{
    if (logger.now.to != LOG_TO_FILE)
        return;
    logger_abort();
    logger.has_next = open_file(logger.now.path, &logger.next);
    logger.next.to = LOG_TO_FILE;
    if (!logger.has_next)
        log_say(LOG_ERROR, "log_reopen", "%s cannot be opened again: %s; the old file is still written",
                logger.now.path, strerror(errno));
    logger_commit();
}

void logger_stop(void)
{
    struct timespec until;
    if (logger.out < 0)
        return;
    log_open(STDERR_FILENO, "main");
    atomic_store(&logger.stopping, true);
    close(logger.out); /* the last writer: the thread reads what is there, then the end */
    logger.out = -1;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LAST_LINES_S;
    if (pthread_timedjoin_np(logger.thread, NULL, &until) != 0)
        return; /* its place is stuck; the process ends, and the thread with it */
    close(logger.in);
    place_fini(&logger.now);
}
