/* Channels. A packet is received into one buffer per process, checked, and handed up; what cannot be sent at once is
 * kept with copies of its descriptors, up to a bound. A packet holds one message or several: reports travel with what
 * is sent next, since each packet by itself would wake its receiver, and that costs more than what it says. */
#include "proxy/net/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/base/list.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "proxy/net/watch.h"

struct queued {
    struct list link;
    int fds[MESSAGE_FDS_MAX];
    size_t n_fds;
    size_t n;
    bool secret;
    char packet[];
};

struct ipc {
    int fd;
    struct watch *watch;
    const struct ipc_events *events;
    void *owner;
    struct list queue;
    size_t n_queued;
    struct buf reports; /* packed, on their way with the next packet … */
    struct alarm due;   /* … or by themselves then */
    const char *dead;   /* why nothing can be sent any more */
    struct later later; /* tells the owner so, outside ipc_send */
    bool *freed;        /* set by ipc_free while a callback runs */
};

enum { PACKETS_A_TURN = 64, REPORTS_BYTES = 2048, REPORT_MS = 1 };

static char packet_in[IPC_BYTES_MAX];

bool ipc_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return false;
    int bytes = 1 << 20; /* the kernel gives what it allows */
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return true;
}

static void close_fds(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

int ipc_take_fd(struct message *m, size_t i)
{
    if (i >= m->n_fds)
        return -1;
    int fd = m->fds[i];
    m->fds[i] = -1;
    return fd;
}

/* ---- receiving ---- */

enum received { GOT_PACKET, GOT_NOTHING, GOT_END, GOT_GARBAGE };

/* What came, with the descriptors of its last message. */
struct packet {
    struct span rest;
    int fds[MESSAGE_FDS_MAX];
    size_t n, n_fds;
};

/* The kernel pads the room for them, so one more may come than was asked for: *too_many then, and it is closed. */
static size_t take_rights(struct msghdr *header, int fds[MESSAGE_FDS_MAX], bool *too_many)
{
    size_t n = 0;
    *too_many = false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (n < MESSAGE_FDS_MAX) {
                fds[n++] = fd;
            } else {
                *too_many = true;
                close(fd);
            }
        }
    }
    return n;
}

/* The next message, with its descriptors if it is the last. */
static bool next_message(struct packet *p, struct message *m)
{
    size_t least, most;
    if (!message_unpack_next(&p->rest, m))
        return false;
    if (p->rest.n == 0) {
        m->n_fds = p->n_fds;
        memcpy(m->fds, p->fds, sizeof p->fds);
    }
    message_fds(m->type, &least, &most);
    return m->n_fds >= least && m->n_fds <= most;
}

/* All of it is checked before any of it is believed. */
static bool is_sound(const struct packet *packet)
{
    struct packet p = *packet;
    struct message m;
    while (p.rest.n > 0)
        if (!next_message(&p, &m))
            return false;
    return packet->n > 0;
}

/* A full channel and a passing lack of kernel memory look alike to us: later it may work. */
static bool is_passing(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EINTR || error == ETOOMANYREFS;
}

static enum received receive(int fd, char *room, struct packet *p)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec io = { room, IPC_BYTES_MAX };
    struct msghdr header = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    /* ECONNRESET comes once, when the other end was closed with our packets unread, and before what it had sent itself:
     * its last words are still to be read. */
    if (n < 0)
        return is_passing(errno) || errno == ECONNRESET ? GOT_NOTHING : GOT_END;
    p->n = (size_t)n;
    p->rest = span_bytes(room, p->n);
    bool too_many;
    p->n_fds = take_rights(&header, p->fds, &too_many);
    if (n == 0 && p->n_fds == 0)
        return GOT_END;
    if (!too_many && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && is_sound(p))
        return GOT_PACKET;
    close_fds(p->fds, p->n_fds);
    return GOT_GARBAGE;
}

static void tell_dead(struct later *l)
{
    struct ipc *channel = OWNER_OF(l, struct ipc, later);
    channel->events->closed(channel->owner, channel->dead);
}

static void die(struct ipc *channel, const char *why)
{
    if (channel->dead != NULL)
        return;
    channel->dead = why;
    watch_set(channel->watch, 0);
    loop_later(&channel->later, tell_dead);
}

/* The callbacks may free the channel. */
static void hand_up(struct ipc *channel, struct packet *p, const bool *freed)
{
    struct message m;
    bool secret = false, is_last = false;
    while (!is_last && !*freed && next_message(p, &m)) {
        is_last = p->rest.n == 0;
        secret = secret || message_is_secret(m.type);
        channel->events->message(channel->owner, &m);
        close_fds(m.fds, m.n_fds);
    }
    if (!is_last)
        close_fds(p->fds, p->n_fds);
    if (secret)
        explicit_bzero(packet_in, p->n);
}

static void read_packets(struct ipc *channel)
{
    bool freed = false;
    bool *outer = channel->freed;
    channel->freed = &freed; /* lint: put back below, before this function returns */
    for (int i = 0; i < PACKETS_A_TURN && channel->dead == NULL; i++) {
        struct packet p;
        enum received got = receive(channel->fd, packet_in, &p);
        if (got == GOT_NOTHING)
            break;
        if (got != GOT_PACKET) {
            explicit_bzero(packet_in, sizeof packet_in);
            die(channel, got == GOT_END ? "the other end is gone" : "a message that breaks the rules");
            break;
        }
        hand_up(channel, &p, &freed);
        if (freed) {
            if (outer != NULL)
                *outer = true;
            return;
        }
    }
    channel->freed = outer;
}

bool ipc_receive_now(int fd, struct message *m, struct buf *store, int64_t for_ms)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    char *room = buf_space(store, IPC_BYTES_MAX);
    struct packet p;
    if (room == NULL || poll(&readable, 1, (int)for_ms) != 1 || receive(fd, room, &p) != GOT_PACKET ||
        !next_message(&p, m))
        return false;
    if (p.rest.n > 0) /* whoever waits for one message wants just one */
        close_fds(p.fds, p.n_fds);
    return p.rest.n == 0;
}

/* ---- sending ---- */

static ssize_t send_packet(int fd, const char *packet, size_t n, const int *fds, size_t n_fds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec io = { (char *)packet, n };
    struct msghdr header = { .msg_iov = &io, .msg_iovlen = 1 };
    if (n_fds > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        /* lint: there is room for one, so there is a first */
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void queued_free(struct queued *q)
{
    close_fds(q->fds, q->n_fds);
    list_remove(&q->link);
    if (q->secret)
        explicit_bzero(q->packet, q->n);
    free(q);
}

/* Who is that far behind is asked nothing more. What is told of live sessions is never left out: a count that missed a
 * session's end is wrong for good, and who does not hear the end of the list of sessions answers nobody. */
static size_t queue_bound(enum message_type type)
{
    return type == MSG_ASK || type == MSG_DIAL ? IPC_QUEUED_MAX : IPC_REPORTS_MAX;
}

static bool enqueue(struct ipc *channel, struct span packet, const struct message *m)
{
    struct queued *q = channel->n_queued < queue_bound(m->type) ? malloc(sizeof *q + packet.n) : NULL;
    if (q == NULL)
        return false;
    *q = (struct queued){ .n = packet.n, .secret = message_is_secret(m->type) };
    list_init(&q->link);
    memcpy(q->packet, packet.at, packet.n);
    for (; q->n_fds < m->n_fds; q->n_fds++) {
        q->fds[q->n_fds] = fcntl(m->fds[q->n_fds], F_DUPFD_CLOEXEC, 0);
        if (q->fds[q->n_fds] < 0) {
            queued_free(q);
            return false;
        }
    }
    list_add(&channel->queue, &q->link);
    channel->n_queued++;
    watch_set(channel->watch, WATCH_READ | WATCH_WRITE);
    return true;
}

static void send_queued(struct ipc *channel)
{
    while (!list_empty(&channel->queue)) {
        struct queued *q = OWNER_OF(channel->queue.next, struct queued, link);
        if (send_packet(channel->fd, q->packet, q->n, q->fds, q->n_fds) < 0) {
            if (!is_passing(errno))
                die(channel, "the other end is gone");
            return;
        }
        channel->n_queued--;
        queued_free(q);
    }
    watch_set(channel->watch, WATCH_READ);
}

static bool send_or_queue(struct ipc *channel, struct span packet, const struct message *m)
{
    if (!list_empty(&channel->queue))
        return enqueue(channel, packet, m);
    if (send_packet(channel->fd, packet.at, packet.n, m->fds, m->n_fds) >= 0)
        return true;
    if (is_passing(errno))
        return enqueue(channel, packet, m);
    die(channel, "the other end is gone");
    return false;
}

/* The reports by themselves. */
static bool send_reports(struct ipc *channel)
{
    static const struct message none = { .type =
                                             MSG_SESSION_GONE }; /* any report: for what the queue may hold of them */
    bool sent = channel->dead == NULL &&
                (channel->reports.n == 0 || send_or_queue(channel, buf_span(&channel->reports), &none));
    alarm_clear(&channel->due);
    buf_clear(&channel->reports);
    return sent;
}

static void on_due(struct alarm *a)
{
    struct ipc *channel = OWNER_OF(a, struct ipc, due);
    if (!send_reports(channel) && channel->dead == NULL)
        die(channel, "it does not read"); /* a count that missed a session's end is wrong for good */
}

bool ipc_report(struct ipc *channel, const struct message *m)
{
    assert(m->n_fds == 0 && !message_is_secret(m->type));
    size_t had = channel->reports.n;
    if (channel->dead != NULL)
        return false;
    if ((had == 0 && !alarm_set(&channel->due, REPORT_MS, on_due)) || !list_empty(&channel->queue))
        return ipc_send(channel, m);
    if (message_pack(m, &channel->reports))
        return true;
    channel->reports.n = had; /* full: half a message may stand in it */
    return ipc_send(channel, m);
}

/* The message, behind the reports if there is room for both. Returns where it begins, or -1. */
static ptrdiff_t pack_behind_reports(const struct ipc *channel, const struct message *m, struct buf *packet)
{
    bool leads = channel->reports.n > 0 && list_empty(&channel->queue) && buf_add(packet, buf_span(&channel->reports));
    if (leads && message_pack(m, packet))
        return (ptrdiff_t)channel->reports.n;
    packet->n = 0;
    return message_pack(m, packet) ? 0 : -1;
}

/* What has to wait for room in the kernel waits by itself, for the queue bounds questions and reports apart. */
static bool send_packed(struct ipc *channel, struct span packet, size_t begins, const struct message *m)
{
    if (begins > 0 && send_packet(channel->fd, packet.at, packet.n, m->fds, m->n_fds) >= 0) {
        alarm_clear(&channel->due);
        buf_clear(&channel->reports);
        return true;
    }
    return send_reports(channel) && send_or_queue(channel, span_after(packet, begins), m);
}

bool ipc_send(struct ipc *channel, const struct message *m)
{
    char room[IPC_BYTES_MAX];
    struct buf packet = { .at = room, .room = sizeof room, .max = sizeof room };
    if (channel->dead != NULL)
        return false;
    ptrdiff_t begins = pack_behind_reports(channel, m, &packet);
    bool sent = begins >= 0 && send_packed(channel, buf_span(&packet), (size_t)begins, m);
    if (message_is_secret(m->type))
        explicit_bzero(room, packet.n);
    return sent;
}

bool ipc_send_now(int fd, const struct message *m)
{
    char room[IPC_BYTES_MAX];
    struct buf packet = { .at = room, .room = sizeof room, .max = sizeof room };
    return message_pack(m, &packet) && send_packet(fd, packet.at, packet.n, m->fds, m->n_fds) >= 0;
}

void ipc_flush(struct ipc *channel, int64_t for_ms)
{
    struct pollfd writable = { .fd = channel->fd, .events = POLLOUT };
    if (!send_reports(channel))
        return;
    while (channel->dead == NULL && !list_empty(&channel->queue) && poll(&writable, 1, (int)for_ms) == 1)
        send_queued(channel);
}

int ipc_hand_over(struct ipc *channel, int64_t for_ms)
{
    ipc_flush(channel, for_ms);
    return channel->dead == NULL && list_empty(&channel->queue) ? channel->fd : -1;
}

/* ---- life ---- */

static void on_ready(void *owner, unsigned events)
{
    struct ipc *channel = owner;
    if (events & WATCH_WRITE)
        send_queued(channel);
    if (events & WATCH_READ)
        read_packets(channel); /* may free the channel: last */
}

struct ipc *ipc_new(int fd, const struct ipc_events *events, void *owner)
{
    struct ipc *channel = calloc(1, sizeof *channel);
    struct watch *watch = channel != NULL ? watch_new(fd, WATCH_READ, on_ready, channel) : NULL;
    if (watch == NULL) {
        free(channel);
        close(fd);
        return NULL;
    }
    *channel = (struct ipc){ .fd = fd, .watch = watch, .events = events, .owner = owner };
    list_init(&channel->queue);
    buf_init(&channel->reports, REPORTS_BYTES);
    return channel;
}

void ipc_set_events(struct ipc *channel, const struct ipc_events *events)
{
    channel->events = events;
}

void ipc_free(struct ipc **pointer)
{
    struct ipc *channel = *pointer;
    if (channel == NULL)
        return;
    *pointer = NULL;
    if (channel->freed != NULL)
        *channel->freed = true;
    loop_never(&channel->later);
    alarm_clear(&channel->due);
    buf_fini(&channel->reports);
    while (!list_empty(&channel->queue))
        queued_free(OWNER_OF(channel->queue.next, struct queued, link));
    watch_free(&channel->watch);
    close(channel->fd);
    free(channel);
}
