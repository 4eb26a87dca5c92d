/* The list: words "name=number:number…". Numbers are descriptors first; a front's end with the sockets it accepts from.
 */
#include "proxy/supervisor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/net/messages.h"
#include "proxy/supervisor/assign.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/generation.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/logger.h"
#include "proxy/supervisor/sockets.h"

enum { LIST_MAX = 1 << 20, NUMBERS_MAX = 4096, FD_MAX = 1 << 30, FLUSH_MS = 100 };

static const char variable[] = "HOMEWARD_HANDOVER";

static struct span list;
static uint64_t numbers[NUMBERS_MAX];

/* ---- the list ---- */

static bool read_numbers(struct span text, size_t *n)
{
    for (*n = 0; text.n > 0 && *n < NUMBERS_MAX; ++*n) {
        ptrdiff_t colon = span_find(text, ':');
        struct span one = colon < 0 ? text : span_first(text, (size_t)colon);
        if (!span_number(one, UINT64_MAX, &numbers[*n]))
            return false;
        text = colon < 0 ? SPAN_NONE : span_after(text, (size_t)colon + 1);
    }
    return text.n == 0;
}

/* The next word of that name: its numbers are in `numbers`. False: there is none that has so many at least. */
static bool next(struct span *rest, const char *name, size_t least, size_t *n)
{
    struct span word;
    while (span_word(rest, &word)) {
        ptrdiff_t is = span_find(word, '=');
        if (is >= 0 && span_eq(span_first(word, (size_t)is), span_of(name)) &&
            read_numbers(span_after(word, (size_t)is + 1), n) && *n >= least)
            return true;
    }
    return false;
}

static int fd_at(size_t i)
{
    return numbers[i] <= FD_MAX ? (int)numbers[i] : -1;
}

/* ---- the successor ---- */

static bool speaks_like_us(void)
{
    struct span rest = list;
    size_t n;
    return next(&rest, "messages", 1, &n) && numbers[0] == messages_fingerprint();
}

/* What is not taken must not stay open for good: nobody would hear its end. */
static void close_all(const char *name)
{
    struct span rest = list;
    for (size_t n; next(&rest, name, 1, &n);)
        close(fd_at(0));
}

void handover_open(void)
{
    const char *text = getenv(variable);
    uint64_t fd;
    if (text == NULL)
        return;
    if (!span_number(span_of(text), FD_MAX, &fd) || !blob_map((int)fd, &list))
        fprintf(stderr, "homeward: %s is set, and is no list of a predecessor\n", variable);
    else
        close((int)fd);
    unsetenv(variable);
}

static bool is_open(int fd)
{
    return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

void handover_log(int ends[2])
{
    struct span rest = list;
    size_t n;
    bool there = next(&rest, "log", 2, &n) && is_open(fd_at(0)) && is_open(fd_at(1));
    ends[0] = there ? fd_at(0) : -1;
    ends[1] = there ? fd_at(1) : -1;
}

/* That of another version may have another size. */
int handover_table(enum role_kind kind, size_t bytes)
{
    struct span rest = list;
    struct stat is;
    size_t n;
    if (!next(&rest, role_names[kind], 1, &n) || !is_open(fd_at(0)))
        return -1;
    if (fstat(fd_at(0), &is) == 0 && is.st_size == (off_t)bytes)
        return fd_at(0);
    close(fd_at(0));
    return -1;
}

static void adopt_sockets(void)
{
    struct span rest = list;
    for (size_t n; next(&rest, "socket", 4, &n);)
        if (!sockets_adopt(fd_at(0), numbers[1], numbers[2], numbers[3] != 0))
            log_say(LOG_WARNING, "takeover", "descriptor %d is no listening socket", fd_at(0));
}

static void adopt_fronts(void)
{
    struct span rest = list;
    for (size_t n; next(&rest, "front", 4, &n);) {
        struct child *front = NULL;
        if (is_open(fd_at(0)) && numbers[1] <= INT32_MAX)
            front = generation_adopt(numbers[3], numbers[2], (pid_t)numbers[1], fd_at(0));
        for (size_t i = 4; front != NULL && i < n; i++)
            assign_adopt(front, numbers[i]);
    }
}

void handover_adopt(void)
{
    adopt_sockets();
    if (speaks_like_us())
        adopt_fronts();
    else
        close_all("front");
    blob_unmap(&list);
}

/* ---- the predecessor ---- */

static int published = -1;
static bool paused;

static bool keep_open(int fd, bool open)
{
    return fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC) == 0;
}

struct writer {
    struct buf *to;
    bool good;
};

static void write_held(void *to, uint64_t number)
{
    struct writer *w = to;
    w->good = w->good && buf_printf(w->to, ":%" PRIu64, number);
}

static bool write_front(const struct child *c, int fd, struct buf *to)
{
    struct writer w = { to, keep_open(fd, true) };
    w.good = w.good &&
             buf_printf(to, "front=%d:%d:%" PRIu64 ":%" PRIu64, fd, (int)c->process.pid, c->slot, c->settings->number);
    assign_tell(c, write_held, &w);
    return w.good && buf_add_byte(to, ' ');
}

/* A front that does not read, or is being born, is left to itself, as if main had died. */
static bool write_fronts(struct buf *to)
{
    LIST_EACH(link, &children) {
        const struct child *c = OWNER_OF(link, struct child, link);
        bool serves = c->kind == ROLE_FRONT && c->state >= CHILD_READY && child_is_there(c);
        int fd = serves ? ipc_hand_over(c->process.channel, FLUSH_MS) : -1;
        if (fd >= 0 && !write_front(c, fd, to))
            return false;
    }
    return true;
}

static bool write_socket(const struct socket *s, struct buf *to)
{
    return keep_open(s->fd, true) &&
           buf_printf(to, "socket=%d:%" PRIu64 ":%" PRIu64 ":%d ", s->fd, s->slot, s->number, s->given);
}

static bool write_sockets(struct buf *to)
{
    bool good = true;
    LIST_EACH(link, &sockets) {
        const struct socket *s = OWNER_OF(link, struct socket, link);
        good = good && (s->state != SOCKET_OPEN || write_socket(s, to));
    }
    return good;
}

static bool write_table(enum role_kind kind, struct buf *to)
{
    return keep_open(house.tables[kind], true) && buf_printf(to, "%s=%d ", role_names[kind], house.tables[kind]);
}

static bool write_list(struct buf *to)
{
    int ends[2];
    logger_ends(ends);
    return buf_printf(to, "messages=%" PRIu64 " log=%d:%d ", messages_fingerprint(), ends[0], ends[1]) &&
           keep_open(ends[0], true) && keep_open(ends[1], true) && write_table(ROLE_AUTH, to) &&
           write_table(ROLE_BACKENDS, to) && write_sockets(to) && write_fronts(to);
}

static bool publish(struct span text)
{
    char number[16];
    published = blob_make("handover", text);
    snprintf(number, sizeof number, "%d", published);
    return published >= 0 && keep_open(published, true) && setenv(variable, number, 1) == 0;
}

bool handover_begin(void)
{
    struct buf text;
    buf_init(&text, LIST_MAX);
    paused = write_list(&text) && publish(buf_span(&text)) && logger_pause();
    int error = errno;
    buf_fini(&text);
    if (!paused)
        handover_abort();
    errno = error;
    return paused;
}

static void close_at_exec(int fd)
{
    if (fd >= 0)
        keep_open(fd, false);
}

void handover_abort(void)
{
    int ends[2];
    if (paused)
        logger_go_on();
    paused = false;
    unsetenv(variable);
    if (published >= 0)
        close(published);
    published = -1;
    logger_ends(ends);
    close_at_exec(ends[0]);
    close_at_exec(ends[1]);
    close_at_exec(house.tables[ROLE_AUTH]);
    close_at_exec(house.tables[ROLE_BACKENDS]);
    LIST_EACH(link, &sockets)
        close_at_exec(OWNER_OF(link, struct socket, link)->fd);
    LIST_EACH(link, &children) {
        const struct child *c = OWNER_OF(link, struct child, link);
        if (child_is_there(c))
            close_at_exec(ipc_hand_over(c->process.channel, 0));
    }
}
