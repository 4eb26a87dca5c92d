/* The socket to Homeward: one packet out, packets back until the last. Lines of JSON come in descriptors. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/ctl.h"

enum { ANSWER_MS = 70000 /* a reload may check for a minute */, LINES_MAX = 1 << 30 };

const char *ctl_socket = "/run/homeward/control";

static bool unreachable(const char *why)
{
    fprintf(stderr, "homewardctl: %s: %s\n", ctl_socket, why);
    return false;
}

static int connect_to(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    if (strlen(ctl_socket) >= sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name.sun_path, ctl_socket, strlen(ctl_socket));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool send_question(int fd, const char *const *words, size_t n)
{
    struct span spans[CONTROL_WORDS_MAX];
    struct buf packed, packet;
    struct message m = { .type = MSG_CONTROL };
    buf_init(&packed, 8192);
    buf_init(&packet, IPC_BYTES_MAX);
    for (size_t i = 0; i < n && i < CONTROL_WORDS_MAX; i++)
        spans[i] = span_of(words[i]);
    bool good = n <= CONTROL_WORDS_MAX && control_pack(spans, n, &packed);
    m.control.words = buf_span(&packed);
    good = good && message_pack(&m, &packet) && send(fd, packet.at, packet.n, MSG_NOSIGNAL) == (ssize_t)packet.n;
    buf_fini(&packed);
    buf_fini(&packet);
    return good;
}

/* ---- lines ---- */

static void add_line(struct reply *r, const char *who, const char *line, size_t n)
{
    json_t *row = json_loadb(line, n, 0, NULL);
    if (row == NULL)
        return;
    json_object_set_new(row, "from", json_string(who));
    json_array_append_new(r->rows, row);
}

/* The writer's position is ours too: from the start, whoever wrote. */
static bool read_lines(struct reply *r, int fd, const char *who)
{
    struct buf lines;
    off_t at = 0;
    buf_init(&lines, LINES_MAX);
    for (;;) {
        char *room = buf_space(&lines, 65536);
        ssize_t n = room != NULL ? pread(fd, room, 65536, at) : -1;
        if (n <= 0)
            break;
        buf_grew(&lines, (size_t)n);
        at += n;
    }
    struct span rest = buf_span(&lines);
    for (ptrdiff_t end; (end = span_find(rest, '\n')) >= 0; rest = span_after(rest, (size_t)end + 1))
        add_line(r, who, rest.at, (size_t)end);
    buf_fini(&lines);
    return true;
}

static bool is_stream(int fd)
{
    return lseek(fd, 0, SEEK_CUR) < 0;
}

static void take_answer(struct reply *r, struct message *m)
{
    const struct msg_controlled *a = &m->controlled;
    char who[128];
    int fd = ipc_take_fd(m, 0);
    snprintf(who, sizeof who, "%.*s", SPAN_ARG(a->who));
    r->status = a->status > r->status ? a->status : r->status;
    r->best = a->status < r->best ? a->status : r->best;
    r->number += a->number;
    if (a->text.n > 0)
        snprintf(r->text, sizeof r->text, "%.*s", SPAN_ARG(a->text));
    if (fd >= 0 && is_stream(fd)) {
        r->stream = fd;
        return;
    }
    if (fd >= 0) {
        read_lines(r, fd, who);
        close(fd);
    }
}

static bool read_answers(struct reply *r, int fd)
{
    struct buf store;
    bool more = true, good = true;
    while (good && more) {
        struct message m;
        buf_init(&store, IPC_BYTES_MAX);
        good = ipc_receive_now(fd, &m, &store, ANSWER_MS) && m.type == MSG_CONTROLLED;
        if (good)
            take_answer(r, &m);
        more = good && m.controlled.more != 0;
        buf_fini(&store);
    }
    return good;
}

bool ctl_ask(struct reply *r, const char *const *words, size_t n)
{
    *r = (struct reply){ .best = CTL_USAGE, .stream = -1, .rows = json_array() };
    int fd = connect_to();
    if (fd < 0) {
        reply_fini(r);
        return unreachable(errno == ENOENT || errno == ECONNREFUSED ? "no Homeward is running there" : strerror(errno));
    }
    bool good = send_question(fd, words, n) && read_answers(r, fd);
    close(fd);
    if (good)
        return true;
    reply_fini(r);
    return unreachable("it gave no answer; are you root, its user, or in run.operators or run.readers?");
}

void reply_fini(struct reply *r)
{
    json_decref(r->rows);
    r->rows = NULL;
    if (r->stream >= 0)
        close(r->stream);
    r->stream = -1;
}
