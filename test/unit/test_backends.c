/* The whole role in a process of its own, as main and the fronts see it: messages in, messages and descriptors out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/backends.h"
#include "config/config.h"

enum { MEMBERS = 2 };

static struct backend_config backends[MEMBERS];
static struct site_config site;
static struct config config;
static int listening[MEMBERS];
static int state_fd;

static int main_fd;
static pid_t child;
static struct buf store;
static struct message heard;

/* ---- the world ---- */

static void member_opens(int i, int backlog)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(backends[i].imap_port) };
    socklen_t n = sizeof at;
    int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listening[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listening[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(listening[i], (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(listening[i], (struct sockaddr *)&at, &n), 0);
    backends[i].imap_port = ntohs(at.sin_port);
    assert_int_equal(listen(listening[i], backlog), 0);
}

static int set_up(void **state UNUSED)
{
    memset(backends, 0, sizeof backends);
    site = (struct site_config){
        .name = "north", .backends = backends, .n_backends = MEMBERS, .serves = {true, false},
                   .port = { 143, 0    }
    };
    config = (struct config){ .sites = &site, .n_sites = 1, .limits.connect_timeout_ms = 1500 };
    for (int i = 0; i < MEMBERS; i++) {
        backends[i].host = "127.0.0.1";
        backends[i].weight = 1;
        assert_true(addr_parse(SPAN("127.0.0.1"), 0, &backends[i].literal));
        member_opens(i, 64);
    }
    state_fd = memfd_create("health", MFD_CLOEXEC);
    return 0;
}

static int tear_down(void **state UNUSED)
{
    for (int i = 0; i < MEMBERS; i++)
        close(listening[i]);
    close(state_fd);
    buf_fini(&store);
    return 0;
}

/* ---- messages ---- */

static void say(int fd, const struct message *m)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct buf packet;
    buf_init(&packet, IPC_BYTES_MAX);
    assert_true(message_pack(m, &packet));
    struct iovec io = { packet.at, packet.n };
    struct msghdr header = { .msg_iov = &io, .msg_iovlen = 1 };
    if (m->n_fds > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), m->fds, sizeof(int));
    }
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    assert_int_equal(poll(&writable, 1, 5000), 1);
    assert_true(sendmsg(fd, &header, MSG_NOSIGNAL) > 0);
    buf_fini(&packet);
}

static void hear(int fd, enum message_type type)
{
    buf_fini(&store);
    buf_init(&store, 2 * IPC_BYTES_MAX);
    assert_true(ipc_receive_now(fd, &heard, &store, 5000));
    assert_int_equal(heard.type, type);
}

static bool is_quiet(int fd, int for_ms)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    return poll(&readable, 1, for_ms) == 0;
}

static bool is_closed(int fd)
{
    char byte;
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    return poll(&readable, 1, 5000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void be_born(void)
{
    int fds[2];
    assert_true(ipc_pair(fds));
    child = fork();
    if (child == 0) {
        struct role role = { .kind = ROLE_BACKENDS, .config = &config, .state_fd = state_fd, .main_fd = fds[1] };
        close(fds[0]);
        exit(backends_run(&role));
    }
    close(fds[1]);
    main_fd = fds[0];
    hear(main_fd, MSG_READY);
}

static int new_front(void)
{
    int fds[2];
    assert_true(ipc_pair(fds));
    say(main_fd,
        &(struct message){ .type = MSG_CHANNEL, .channel = { .to = ROLE_FRONT }, .fds = { fds[1] }, .n_fds = 1 });
    close(fds[1]);
    return fds[0];
}

static void held(int front)
{
    say(front, &(struct message){ .type = MSG_HELD });
}

static void ended(int status)
{
    int got;
    assert_int_equal(waitpid(child, &got, 0), child);
    assert_true(WIFEXITED(got));
    assert_int_equal(WEXITSTATUS(got), status);
}

static void die(void)
{
    close(main_fd);
    ended(0);
}

static void dial(int front, uint64_t id, const char *mailbox, struct span tried)
{
    say(front, &(struct message){
                   .type = MSG_DIAL,
                   .id = id,
                   .dial = {.ms_left = 5000, .site = SPAN("north"), .mailbox = span_of(mailbox), .tried = tried}
    });
}

/* The member that it was connected to; the connection is closed. */
static uint64_t dialled(int front, uint64_t id)
{
    hear(front, MSG_DIALED);
    assert_int_equal(heard.id, id);
    assert_int_equal(heard.dialed.status, DIAL_OK);
    assert_true(span_eq(heard.dialed.host, SPAN("127.0.0.1")));
    assert_int_equal(heard.n_fds, 1);
    close(heard.fds[0]);
    return heard.dialed.member;
}

static void refused(int front, uint64_t id, enum dial_status status, const char *why)
{
    hear(front, MSG_DIALED);
    assert_int_equal(heard.id, id);
    assert_int_equal(heard.dialed.status, status);
    assert_int_equal(heard.n_fds, 0);
    assert_true(span_eq(heard.dialed.why, span_of(why)));
}

static void outcome(int front, uint64_t id, enum dial_stage stage, enum dial_fault fault)
{
    say(front, &(struct message){
                   .type = MSG_DIAL_OUTCOME,
                   .id = id,
                   .dial_outcome = {(uint8_t)stage, (uint8_t)fault, 5, SPAN("stalled")}
    });
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what must hold ---- */

static void test_session(void **state UNUSED)
{
    char hello[6] = { 0 };
    be_born();
    int front = new_front();
    held(front);
    dial(front, 1, "anna@example.com", SPAN_NONE);
    hear(front, MSG_DIALED);
    assert_int_equal(heard.dialed.status, DIAL_OK);
    assert_int_equal(heard.n_fds, 1);
    int i = heard.dialed.address.port == backends[0].imap_port ? 0 : 1;
    assert_int_equal(heard.dialed.address.port, backends[i].imap_port);
    int store_fd = accept(listening[i], NULL, NULL);
    assert_int_equal(write(store_fd, "* OK\r\n", 6), 6);
    struct pollfd readable = { .fd = heard.fds[0], .events = POLLIN };
    assert_int_equal(poll(&readable, 1, 2000), 1);
    assert_int_equal(read(heard.fds[0], hello, 6), 6);
    assert_memory_equal(hello, "* OK\r\n", 6);
    close(heard.fds[0]);
    assert_int_equal(read(store_fd, hello, 6), 0); /* nobody else holds the connection */
    close(store_fd);
    outcome(front, 1, STAGE_IN, FAULT_NONE);
    outcome(front, 1, STAGE_GONE, FAULT_NONE);
    outcome(front, 1, STAGE_GONE, FAULT_NONE);
    say(main_fd, &(struct message){ .type = MSG_STATUS });
    close(front);
    die();
}

/* A connection to make ready; it is held open here. */
static uint64_t offered(int front, int *fd)
{
    hear(front, MSG_SPARE);
    assert_int_equal(heard.n_fds, 1);
    assert_true(span_eq(heard.spare.site, SPAN("north")));
    assert_true(heard.id != 0);
    *fd = heard.fds[0];
    return heard.id;
}

static void spare_gone(int front, uint64_t id, enum spare_end end)
{
    say(front, &(struct message){
                   .type = MSG_SPARE_GONE, .id = id, .spare_gone = {.end = (uint8_t)end, .why = SPAN("why")}
    });
}

static void test_spares(void **state UNUSED)
{
    int fd, other_fd;
    site.spare = 1;
    site.spare_age_s = 60;
    site.n_backends = 1;
    config.protocols[IMAP].on = true;
    be_born();
    int front = new_front();
    held(front);
    uint64_t id = offered(front, &fd);
    dial(front, 1, "anna@example.com", SPAN_NONE); /* not ready yet */
    uint64_t member = dialled(front, 1);
    assert_int_equal(heard.dialed.spare, 0);
    say(front, &(struct message){ .type = MSG_SPARE_READY, .id = id });
    say(front, &(struct message){ .type = MSG_SPARE_READY, .id = id + 1000 }); /* none of ours */
    spare_gone(front, id + 1000, SPARE_LOST);
    dial(front, 2, "bert@example.com", SPAN_NONE);
    hear(front, MSG_DIALED);
    assert_int_equal(heard.n_fds, 0);
    assert_true(heard.dialed.spare == id && heard.dialed.member == member);
    uint64_t other = offered(front, &other_fd); /* its successor */
    assert_true(other != id);
    dial(front, 3, "carl@example.com", SPAN_NONE); /* the same is not given twice */
    dialled(front, 3);
    say(front, &(struct message){ .type = MSG_SPARE_READY, .id = other });
    spare_gone(front, other, SPARE_UNWANTED); /* and from now on there are none */
    hear(front, MSG_SPARE_DROP);
    dial(front, 4, "dora@example.com", SPAN_NONE);
    dialled(front, 4);
    assert_true(is_quiet(front, 1300));
    close(fd);
    close(other_fd);
    close(front);
    die();
}

static void test_refusals(void **state UNUSED)
{
    be_born();
    int front = new_front();
    held(front);
    struct message m = {
        .type = MSG_DIAL,
        .id = 7,
        .dial = {.ms_left = 5000, .site = SPAN("south"), .mailbox = SPAN("anna@example.com")}
    };
    say(front, &m);
    refused(front, 7, DIAL_NO_SITE, "no_site");
    m.dial.site = SPAN("north");
    m.dial.protocol = POP3;
    say(front, &m);
    refused(front, 7, DIAL_NO_SITE, "protocol_off");
    close(front);
    die();
}

/* Nothing is answered before what lives is known; then a mailbox goes where it lives, from whichever front. */
/* What was asked for with enforce_until ends on its day, by itself. */
static void test_overdue(void **state UNUSED)
{
    site.enforce_until = true;
    site.exception.until_s = 1;
    be_born();
    int front = new_front();
    held(front);
    dial(front, 1, "anna@home.test", SPAN_NONE);
    refused(front, 1, DIAL_UNREACHABLE, "overdue");
    close(front);
    die();
    site.enforce_until = false;
    site.exception.until_s = 0;
}

static void test_holds(void **state UNUSED)
{
    be_born();
    int one = new_front();
    held(one);
    dial(one, 1, "anna@example.com", SPAN_NONE);
    uint64_t home = dialled(one, 1);
    dial(one, 2, "anna@example.com", span_bytes(&home, sizeof home));
    uint64_t other = dialled(one, 2);
    assert_int_not_equal(home, other);
    close(one);
    die();

    be_born();
    int64_t born_ms = now_ms();
    one = new_front();
    int two = new_front();
    held(one);
    dial(one, 1, "anna@example.com", SPAN_NONE);
    assert_true(is_quiet(one, 200));
    struct message hold = {
        .type = MSG_HOLD,
        .id = 9,
        .hold = {.signed_in = 1, .member = other, .mailbox = SPAN("anna@example.com"), .site = SPAN("north")}
    };
    say(two, &hold);
    held(two);
    assert_true(dialled(one, 1) == other);
    assert_in_range(now_ms() - born_ms, 200, 480);

    outcome(one, 1, STAGE_IN, FAULT_NONE);
    dial(one, 3, "anna@example.com", span_bytes(&other, sizeof other)); /* it failed there: all others have to go */
    hear(two, MSG_REVOKE);
    assert_int_equal(heard.id, 9);
    assert_int_equal(heard.revoke.why, REVOKE_MOVED);
    hear(one, MSG_REVOKE);
    assert_int_equal(heard.id, 1);
    assert_true(is_quiet(one, 100));
    outcome(two, 9, STAGE_GONE, FAULT_NONE);
    outcome(one, 1, STAGE_GONE, FAULT_NONE);
    assert_true(dialled(one, 3) == home);
    close(one);
    close(two);
    die();
}

static void test_patience_ends(void **state UNUSED)
{
    be_born();
    int64_t born_ms = now_ms();
    int one = new_front(), silent = new_front();
    held(one);
    dial(one, 1, "anna@example.com", SPAN_NONE);
    (void)dialled(one, 1);
    assert_in_range(now_ms() - born_ms, 400, 1500);
    close(one);
    close(silent);
    die();
}

/* A fault after the connection moves the next login elsewhere; the next process knows it too. */
static void test_faults(void **state UNUSED)
{
    be_born();
    int front = new_front();
    held(front);
    dial(front, 1, "anna@example.com", SPAN_NONE);
    uint64_t home = dialled(front, 1);
    outcome(front, 1, STAGE_TLS, FAULT_MEMBER);
    dial(front, 2, "anna@example.com", SPAN_NONE);
    assert_true(dialled(front, 2) != home);
    close(front);
    die();

    be_born();
    front = new_front();
    held(front);
    dial(front, 1, "anna@example.com", SPAN_NONE);
    assert_true(dialled(front, 1) != home);
    outcome(front, 1, STAGE_GONE, FAULT_NONE);
    usleep(2200 * 1000);
    dial(front, 2, "anna@example.com", SPAN_NONE); /* one may try */
    assert_true(dialled(front, 2) == home);
    dial(front, 3, "anna@example.com", SPAN_NONE);
    assert_true(dialled(front, 3) == home); /* it lives there now */
    outcome(front, 2, STAGE_IN, FAULT_NONE);
    close(front);
    die();
}

/* A front that floods is told so; one that breaks the rules loses its channel; the others notice nothing. */
static void test_bad_fronts(void **state UNUSED)
{
    enum { FLOOD = 1100 };
    be_born();
    int flood = new_front(), bad = new_front(), worse = new_front(), good = new_front();
    for (uint64_t id = 1; id <= FLOOD; id++)
        dial(flood, id, "anna@example.com", SPAN_NONE); /* not begun yet: nobody has said what it holds */
    refused(flood, 1025, DIAL_UNREACHABLE, "busy");
    say(bad, &(struct message){ .type = MSG_READY });
    assert_int_equal(send(worse, "garbage", 7, MSG_NOSIGNAL), 7);
    held(good);
    close(flood);
    dial(good, 1, "bert@example.com", SPAN_NONE);
    (void)dialled(good, 1);
    assert_true(is_closed(bad));
    assert_true(is_closed(worse));
    dial(good, 2, "bert@example.com", SPAN("1234567")); /* not a member's key */
    assert_true(is_closed(good));
    close(bad);
    close(worse);
    close(good);
    die();
}

static void test_cancel(void **state UNUSED)
{
    be_born();
    int front = new_front();
    held(front);
    dial(front, 1, "anna@example.com", SPAN_NONE);
    say(front, &(struct message){ .type = MSG_CANCEL, .id = 1 });
    say(front, &(struct message){ .type = MSG_CANCEL, .id = 2 });
    dial(front, 3, "anna@example.com", SPAN_NONE);
    (void)dialled(front, 3);
    close(front);
    die();
}

static void unconfirmed(int front, uint64_t id, const char *why)
{
    say(front, &(struct message){ .type = MSG_IPSEC_CONFIRM, .id = id });
    hear(front, MSG_IPSEC_CONFIRMED);
    assert_int_equal(heard.id, id);
    assert_false(heard.ipsec_confirmed.good);
    assert_true(span_eq(heard.ipsec_confirmed.why, span_of(why)));
}

/* A credential is confirmed only for a link that this process protects; one that a front holds and that nobody here can
 * judge must end. */
static void test_ipsec(void **state UNUSED)
{
    struct addr end = {
        .family = AF_INET, .bytes = {10, 0, 0, 2}
    };
    struct message link = {
        .type = MSG_HOLD,
        .id = 7,
        .hold = {.member = 1,
                 .reqid = 7,
                 .algorithms = 1,
                 .local = end,
                 .backend = end,
                 .mailbox = SPAN("anna@example.com"),
                 .site = SPAN("gone")}
    };
    be_born();
    int front = new_front(), bad = new_front();
    say(front, &link);
    hear(front, MSG_REVOKE);
    assert_int_equal(heard.id, 7);
    assert_int_equal(heard.revoke.why, REVOKE_IPSEC);
    held(front);
    unconfirmed(front, 7, "unreadable");
    unconfirmed(front, 8, "unguarded");
    link.hold.reqid = (uint64_t)UINT32_MAX + 8;
    say(bad, &link);
    assert_true(is_closed(bad));
    close(bad);
    dial(front, 9, "anna@example.com", SPAN_NONE);
    (void)dialled(front, 9);
    unconfirmed(front, 9, "unguarded"); /* its site knows no IPsec here, whatever the front believes */
    close(front);
    die();
}

static void test_drain(void **state UNUSED)
{
    struct message drain = { .type = MSG_DRAIN, .drain = { .deadline_ms = 5000 } };
    be_born();
    int front = new_front();
    held(front);
    dial(front, 1, "anna@example.com", SPAN_NONE);
    say(main_fd, &drain);
    (void)dialled(front, 1); /* what was asked is answered */
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    close(front);
    ended(0);
    close(main_fd);

    be_born(); /* a front that does not go */
    front = new_front();
    drain.drain.deadline_ms = 100;
    say(main_fd, &drain);
    ended(0);
    close(main_fd);
    close(front);
}

static void test_main_dies(void **state UNUSED)
{
    be_born();
    int front = new_front();
    held(front);
    dial(front, 1, "anna@example.com", SPAN_NONE);
    (void)dialled(front, 1);
    close(main_fd);
    dial(front, 2, "anna@example.com", SPAN_NONE);
    (void)dialled(front, 2);
    close(front);
    ended(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spares, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overdue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patience_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_fronts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ipsec, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_main_dies, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
