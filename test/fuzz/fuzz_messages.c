/* Messages between processes: a packet is refused, or it is exactly what packing its fields makes; and a packet that a
 * hostile process sends, with as many descriptors as the first byte says, closes the channel or is a message. */
#include "proxy/net/messages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/control.h"
#include "test/fuzz/fuzz.h"

enum { FDS_SENT_MAX = 8 };

static int pair[2], spare;

void fuzz_start(void)
{
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    FUZZ_REQUIRE(spare >= 0 && ipc_pair(pair));
}

static bool unpack(struct span packet)
{
    struct message m;
    struct buf again;
    if (!message_unpack(packet, &m))
        return false;
    FUZZ_REQUIRE(message_name(m.type) != NULL);
    buf_init(&again, IPC_BYTES_MAX);
    if (packet.n <= IPC_BYTES_MAX)
        FUZZ_REQUIRE(message_pack(&m, &again) && span_eq(buf_span(&again), packet));
    buf_fini(&again);
    return true;
}

static void send_hostile(struct span packet, size_t n_fds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * FDS_SENT_MAX)];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec io = { (char *)packet.at, packet.n };
    struct msghdr header = { .msg_iov = &io, .msg_iovlen = 1 };
    if (n_fds > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        for (size_t i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &spare, sizeof spare);
    }
    FUZZ_REQUIRE(sendmsg(pair[0], &header, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)packet.n);
}

/* Nobody may be left with a descriptor that he did not ask for. */
static int lowest_free_fd(void)
{
    int fd = fcntl(spare, F_DUPFD_CLOEXEC, 3);
    FUZZ_REQUIRE(fd >= 0);
    close(fd);
    return fd;
}

static void receive(bool is_message, size_t n_fds)
{
    struct message m;
    struct buf store;
    size_t least = 0, most = 0;
    int lowest = lowest_free_fd();
    buf_init_secret(&store, IPC_BYTES_MAX);
    bool got = ipc_receive_now(pair[1], &m, &store, 1000);
    if (got)
        message_fds(m.type, &least, &most);
    FUZZ_REQUIRE(!got || (is_message && n_fds >= least && n_fds <= most && m.n_fds == n_fds));
    for (size_t i = 0; got && i < m.n_fds; i++)
        close(ipc_take_fd(&m, i));
    FUZZ_REQUIRE(lowest_free_fd() == lowest);
    buf_fini(&store);
}

static void unpack_words(struct span packed)
{
    struct span words[CONTROL_WORDS_MAX];
    struct buf again;
    size_t n;
    if (!control_unpack(packed, words, &n))
        return;
    buf_init(&again, SIZE_MAX / 4);
    FUZZ_REQUIRE(n > 0 && control_pack(words, n, &again) && span_eq(buf_span(&again), packed));
    buf_fini(&again);
}

void fuzz_one(struct span input)
{
    size_t n_fds = fuzz_choice(&input, FDS_SENT_MAX + 1);
    if (input.n == 0 || input.n > 2 * IPC_BYTES_MAX)
        return;
    unpack_words(input);
    bool is_message = unpack(input);
    send_hostile(input, n_fds);
    receive(is_message, n_fds);
}
