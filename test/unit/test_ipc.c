/* Channels between two ends in one process: order, bounds, descriptors, and the other end as an enemy. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/deadline.h"
#include "proxy/net/ipc.h"
#include "proxy/net/loop.h"

/* ---- one end: what it heard ---- */

struct end {
    struct ipc *channel;
    size_t n;
    uint64_t last_id;
    enum message_type last_type;
    struct stat expected; /* what every descriptor is */
    size_t n_fds;
    bool in_order, closed;
    size_t stop_at; /* messages after which the loop stops */
    bool free_inside;
};

static void take_fd(struct end *e, struct message *m)
{
    struct stat got;
    int fd = ipc_take_fd(m, 0);
    if (fd < 0)
        return;
    assert_int_equal(fstat(fd, &got), 0);
    assert_true(got.st_rdev == e->expected.st_rdev);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    e->n_fds++;
    close(fd);
}

static void on_message(void *owner, struct message *m)
{
    struct end *e = owner;
    e->in_order = e->in_order && m->id > e->last_id;
    e->last_id = m->id;
    e->last_type = m->type;
    take_fd(e, m);
    if (e->free_inside)
        ipc_free(&e->channel);
    if (++e->n == e->stop_at)
        loop_stop();
}

static void on_closed(void *owner, const char *why)
{
    struct end *e = owner;
    assert_non_null(why);
    assert_false(e->closed);
    e->closed = true;
    loop_stop();
}

static const struct ipc_events events = { .message = on_message, .closed = on_closed };

static void end_begin(struct end *e, int fd)
{
    *e = (struct end){ .in_order = true };
    e->channel = ipc_new(fd, &events, e);
    assert_non_null(e->channel);
}

static struct alarm patience;

static void on_patience(struct alarm *a UNUSED)
{
    loop_stop();
}

static void run(void)
{
    loop_refresh();
    assert_true(alarm_set(&patience, 5 * SECOND, on_patience));
    loop_run();
    alarm_clear(&patience);
}

static struct message report(uint64_t id)
{
    return (struct message){ .type = MSG_SESSION_GONE, .id = id };
}

/* ---- cases ---- */

static void a_full_channel_keeps_everything_in_order(void **state UNUSED)
{
    enum { MANY = 3 * IPC_QUEUED_MAX };
    int fds[2];
    struct end one, two;
    assert_true(ipc_pair(fds));
    end_begin(&one, fds[0]);
    end_begin(&two, fds[1]);
    for (uint64_t id = 1; id <= MANY; id++) {
        struct message m = report(id);
        assert_true(ipc_send(one.channel, &m));
    }
    struct message question = { .type = MSG_ASK, .id = MANY + 1 };
    assert_false(ipc_send(one.channel, &question)); /* so far behind, it is asked nothing */
    struct message last = { .type = MSG_HELD, .id = MANY + 2 };
    assert_true(ipc_send(one.channel, &last));
    two.stop_at = MANY + 1;
    run();
    assert_int_equal(two.n, MANY + 1);
    assert_true(two.in_order);
    assert_int_equal(two.last_type, MSG_HELD);
    assert_true(ipc_send(one.channel, &question));
    ipc_free(&one.channel);
    ipc_free(&two.channel);
}

static void descriptors_are_copies(void **state UNUSED)
{
    enum { MANY = 500 }; /* the later ones wait in the queue */
    int fds[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct end one, two;
    assert_true(ipc_pair(fds));
    end_begin(&one, fds[0]);
    end_begin(&two, fds[1]);
    assert_int_equal(fstat(file, &two.expected), 0);
    for (uint64_t id = 1; id <= MANY; id++) {
        struct message m = { .type = MSG_MAP, .id = id, .fds = { file }, .n_fds = 1 };
        assert_true(ipc_send(one.channel, &m));
        assert_true(fcntl(file, F_GETFD) >= 0); /* still ours */
    }
    close(file);
    two.stop_at = MANY;
    run();
    assert_int_equal(two.n_fds, MANY);
    ipc_free(&one.channel);
    ipc_free(&two.channel);
}

/* Type MSG_SESSION_GONE and its id, as message_pack writes it: one byte and eight. */
static const char good[] = { MSG_SESSION_GONE, 1, 0, 0, 0, 0, 0, 0, 0 };

static void hear_raw(const void *packet, size_t n, int with_fd, bool is_good)
{
    int fds[2];
    struct end two;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec io = { (void *)(uintptr_t)packet, n };
    struct msghdr header = { .msg_iov = &io, .msg_iovlen = 1 };
    assert_true(ipc_pair(fds));
    end_begin(&two, fds[1]);
    if (with_fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &with_fd, sizeof(int));
    }
    assert_true(sendmsg(fds[0], &header, 0) == (ssize_t)n);
    two.stop_at = 1;
    run();
    assert_int_equal(two.n, is_good ? 1 : 0);
    assert_int_equal(two.closed, !is_good);
    ipc_free(&two.channel);
    close(fds[0]);
}

static void who_breaks_the_rules_is_cut_off(void **state UNUSED)
{
    char more[sizeof good + 1] = { 0 };
    static char huge[IPC_BYTES_MAX + 1];
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    memcpy(more, good, sizeof good);
    hear_raw(good, sizeof good, -1, true);
    hear_raw(good, sizeof good - 1, -1, false);
    hear_raw(more, sizeof more, -1, false);
    hear_raw(good, sizeof good, file, false);
    hear_raw("\xff", 1, -1, false);
    hear_raw(huge, sizeof huge, -1, false);
    const char map[] = { MSG_MAP, 1, 0, 0, 0, 0, 0, 0, 0 };
    hear_raw(map, sizeof map, -1, false); /* its descriptor is missing */
    close(file);
}

/* The lowest free descriptor says whether one was left open. */
static void nothing_stays_open(void **state UNUSED)
{
    int before = dup(STDERR_FILENO);
    close(before);
    who_breaks_the_rules_is_cut_off(NULL);
    descriptors_are_copies(NULL);
    int after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(before, after);
}

/* Reports wait for whatever is sent next, and go before it; alone they wait for a millisecond. */
static void reports_travel_with_what_comes_next(void **state UNUSED)
{
    enum { MANY = 1000 };
    int fds[2];
    struct end one, two;
    struct pollfd readable;
    assert_true(ipc_pair(fds));
    end_begin(&one, fds[0]);
    end_begin(&two, fds[1]);
    struct message first = report(1), second = report(2);
    struct message map = { .type = MSG_MAP, .id = 3, .fds = { fds[0] }, .n_fds = 1 };
    assert_true(ipc_report(one.channel, &first) && ipc_report(one.channel, &second));
    readable = (struct pollfd){ .fd = fds[1], .events = POLLIN };
    assert_int_equal(poll(&readable, 1, 0), 0);
    assert_int_equal(fstat(fds[0], &two.expected), 0);
    assert_true(ipc_send(one.channel, &map));
    char packet[64];
    assert_int_equal(recv(fds[1], packet, sizeof packet, MSG_PEEK), 27); /* all three in one */
    two.stop_at = 3;
    run();
    assert_int_equal(two.n, 3);
    assert_int_equal(two.n_fds, 1);
    for (uint64_t id = 4; id <= MANY; id++) { /* many more than one packet holds, and nothing behind them */
        struct message m = report(id);
        assert_true(ipc_report(one.channel, &m));
    }
    two.stop_at = MANY;
    run();
    assert_int_equal(two.n, MANY);
    assert_true(two.in_order);
    ipc_free(&one.channel);
    ipc_free(&two.channel);
}

/* Several messages in one packet are as good as the worst of them. */
static void a_packet_is_believed_as_a_whole(void **state UNUSED)
{
    char two[2 * sizeof good], bad[2 * sizeof good];
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    memcpy(two, good, sizeof good);
    memcpy(two + sizeof good, good, sizeof good);
    memcpy(bad, two, sizeof two);
    bad[sizeof good] = MSG_MAP; /* whose descriptor is missing */
    hear_raw(bad, sizeof bad, -1, false);
    bad[0] = MSG_MAP; /* the descriptor is the last one's */
    bad[sizeof good] = MSG_SESSION_GONE;
    hear_raw(bad, sizeof bad, file, false);
    hear_raw(two, sizeof two - 1, -1, false);
    close(file);
}

static void an_end_is_told_once_and_outside_of_send(void **state UNUSED)
{
    int fds[2];
    struct end one;
    assert_true(ipc_pair(fds));
    end_begin(&one, fds[0]);
    close(fds[1]);
    struct message m = report(1);
    assert_false(ipc_send(one.channel, &m));
    assert_false(ipc_send(one.channel, &m));
    assert_false(one.closed);
    run();
    assert_true(one.closed);
    ipc_free(&one.channel);
    assert_null(one.channel);
    ipc_free(&one.channel);
}

static void it_may_be_freed_inside(void **state UNUSED)
{
    int fds[2];
    struct end one, two;
    assert_true(ipc_pair(fds));
    end_begin(&one, fds[0]);
    end_begin(&two, fds[1]);
    two.free_inside = true;
    two.stop_at = 1;
    for (uint64_t id = 1; id <= 3; id++) {
        struct message m = report(id);
        assert_true(ipc_send(one.channel, &m));
    }
    run();
    assert_int_equal(two.n, 1);
    assert_null(two.channel);
    run();
    assert_true(one.closed);
    ipc_free(&one.channel);
}

static void the_first_message_is_waited_for(void **state UNUSED)
{
    int fds[2];
    struct message got, sent = report(7);
    struct buf store;
    struct end one;
    buf_init(&store, IPC_BYTES_MAX);
    assert_true(ipc_pair(fds));
    assert_false(ipc_receive_now(fds[1], &got, &store, 10));
    end_begin(&one, fds[0]);
    assert_true(ipc_send(one.channel, &sent));
    assert_true(ipc_receive_now(fds[1], &got, &store, 1000));
    assert_int_equal(got.type, MSG_SESSION_GONE);
    assert_int_equal(got.id, 7);
    ipc_free(&one.channel);
    assert_false(ipc_receive_now(fds[1], &got, &store, 1000));
    close(fds[1]);
    buf_fini(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_channel_keeps_everything_in_order), cmocka_unit_test(descriptors_are_copies),
        cmocka_unit_test(who_breaks_the_rules_is_cut_off),          cmocka_unit_test(nothing_stays_open),
        cmocka_unit_test(reports_travel_with_what_comes_next),      cmocka_unit_test(a_packet_is_believed_as_a_whole),
        cmocka_unit_test(an_end_is_told_once_and_outside_of_send),  cmocka_unit_test(it_may_be_freed_inside),
        cmocka_unit_test(the_first_message_is_waited_for),
    };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
