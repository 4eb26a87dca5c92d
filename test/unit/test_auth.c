/* The auth process as its neighbours see it: it runs in a child, the test is main and the fronts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/auth.h"
#include "auth/directory/map.h"
#include "config/config.h"
#include "proxy/base/log.h"

enum { SOON_MS = 3000, SILENCE_MS = 100 };

static struct site_config sites[] = {
    {.name = "north", .user_format = "%u", .serves = { true, true }}
};
static struct config config = {
    .sites = sites,
    .n_sites = 1,
    .directory.path = "dir.map",
    .limits = {.sessions_per_user = { 2, 2 }, .sessions_per_address = 3},
};

struct auth_child {
    pid_t pid;
    int main_fd;
};

static struct auth_child born(void)
{
    struct auth_child auth;
    int fds[2];
    assert_true(ipc_pair(fds));
    auth.pid = fork();
    assert_true(auth.pid >= 0);
    if (auth.pid == 0) {
        struct role role = { .kind = ROLE_AUTH, .config = &config, .state_fd = -1, .main_fd = fds[1] };
        close(fds[0]);
        log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "auth");
        _exit(auth_run(&role));
    }
    close(fds[1]);
    auth.main_fd = fds[0];
    return auth;
}

static void ends(struct auth_child *auth)
{
    int status;
    assert_int_equal(waitpid(auth->pid, &status, 0), auth->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (auth->main_fd >= 0)
        close(auth->main_fd);
}

/* `fd` goes with it, unless it is -1, and is closed here. */
static void say(int channel, struct message m, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct buf packet;
    buf_init(&packet, IPC_BYTES_MAX);
    assert_true(message_pack(&m, &packet));
    struct iovec io = { packet.at, packet.n };
    struct msghdr header = { .msg_iov = &io, .msg_iovlen = 1 };
    if (fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(channel, &header, MSG_NOSIGNAL), packet.n);
    buf_fini(&packet);
    if (fd >= 0)
        close(fd);
}

static void say_type(int channel, enum message_type type, uint64_t id)
{
    say(channel, (struct message){ .type = type, .id = id }, -1);
}

static struct buf heard; /* what the spans of the last message point into */

static struct message hear(int channel, enum message_type type)
{
    struct message m;
    buf_clear(&heard);
    assert_true(ipc_receive_now(channel, &m, &heard, SOON_MS));
    assert_int_equal(m.type, type);
    return m;
}

static void hear_nothing(int channel)
{
    struct message m;
    buf_clear(&heard);
    assert_false(ipc_receive_now(channel, &m, &heard, SILENCE_MS));
}

static void hear_end(int channel)
{
    struct message m;
    char byte;
    buf_clear(&heard);
    assert_false(ipc_receive_now(channel, &m, &heard, SOON_MS));
    assert_int_equal(recv(channel, &byte, 1, 0), 0);
    close(channel);
}

static int memory_with(struct span bytes, int seals)
{
    int fd = memfd_create("map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.at, bytes.n), bytes.n);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int map_fd(const char *text)
{
    struct buf to, errors;
    buf_init(&to, 65536);
    buf_init(&errors, 65536);
    assert_true(map_compile(&config, "dir.map", span_of(text), SPAN_NONE, true, &to, &errors));
    int fd = memory_with(buf_span(&to), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    buf_fini(&to);
    return fd;
}

static int give_channel(const struct auth_child *auth)
{
    int fds[2];
    assert_true(ipc_pair(fds));
    say(auth->main_fd, (struct message){ .type = MSG_CHANNEL, .channel.to = ROLE_FRONT }, fds[1]);
    return fds[0];
}

static int new_front(const struct auth_child *auth)
{
    int front = give_channel(auth);
    struct message m = hear(front, MSG_MARK_KEY);
    assert_int_equal(m.mark_key.key.n, MARK_KEY_BYTES);
    return front;
}

/* One that has a map; the start is over when the first front that says held has an answer. */
static struct auth_child born_with_map(void)
{
    struct auth_child auth = born();
    say(auth.main_fd, (struct message){ .type = MSG_MAP }, map_fd("anna@x north\nbert@x north\n@y north\n"));
    hear(auth.main_fd, MSG_READY);
    return auth;
}

/* The last byte of the client's address is the second number. */
static void ask(int front, uint64_t id, const char *name, uint8_t host)
{
    struct message m = { .type = MSG_ASK, .id = id, .ask.name = span_of(name) };
    m.ask.client = (struct addr){
        .family = AF_INET, .bytes = {192, 0, 2, host}
    };
    say(front, m, -1);
}

static void hold(int front, uint64_t id, const char *mailbox, uint8_t host)
{
    struct message m = {
        .type = MSG_HOLD, .id = id, .hold = {.signed_in = 1, .mailbox = span_of(mailbox)}
    };
    m.hold.client = (struct addr){
        .family = AF_INET, .bytes = {192, 0, 2, host}
    };
    say(front, m, -1);
}

static void result(int front, uint64_t id, enum login_result result)
{
    say(front, (struct message){ .type = MSG_LOGIN_RESULT, .id = id, .login_result.result = (uint8_t)result }, -1);
}

static struct message hear_verdict(int front, uint64_t id, enum verdict_status status, bool full)
{
    struct message m = hear(front, MSG_VERDICT);
    assert_int_equal(m.id, id);
    assert_int_equal(m.verdict.status, status);
    assert_int_equal(m.verdict.user_full, full);
    return m;
}

static void sign_in(int front, uint64_t id, const char *name, uint8_t host)
{
    ask(front, id, name, host);
    hear_verdict(front, id, VERDICT_OK, false);
    result(front, id, LOGIN_ACCEPTED);
}

static void drain(struct auth_child *auth, uint64_t deadline_ms)
{
    say(auth->main_fd, (struct message){ .type = MSG_DRAIN, .drain.deadline_ms = deadline_ms }, -1);
}

static void a_login_and_its_limits(void **state UNUSED)
{
    struct auth_child auth = born_with_map();
    int front = new_front(&auth);
    say_type(front, MSG_HELD, 0);
    ask(front, 1, "Anna@X", 1);
    struct message m = hear_verdict(front, 1, VERDICT_OK, false);
    assert_true(span_eq(m.verdict.mailbox, SPAN("anna@x")));
    assert_true(span_eq(m.verdict.store_name, SPAN("anna@x")));
    assert_true(span_eq(m.verdict.site, SPAN("north")));
    assert_int_equal(m.verdict.sessions_max, 2);
    result(front, 1, LOGIN_ACCEPTED);
    ask(front, 1, "anna@x", 1); /* alive: not answered */
    ask(front, 2, "who@x", 1);
    hear_verdict(front, 2, VERDICT_REFUSED, false);
    /* Two in a race where one place is left: who comes last is sent away. */
    ask(front, 3, "anna@x", 1);
    ask(front, 4, "anna@x", 1);
    hear_verdict(front, 3, VERDICT_OK, false);
    hear_verdict(front, 4, VERDICT_OK, false);
    ask(front, 5, "bert@x", 1);
    hear_verdict(front, 5, VERDICT_ADDRESS_FULL, false);
    result(front, 4, LOGIN_ACCEPTED);
    result(front, 3, LOGIN_ACCEPTED);
    m = hear(front, MSG_REVOKE);
    assert_int_equal(m.id, 3);
    assert_int_equal(m.revoke.why, REVOKE_TOO_MANY);
    say_type(front, MSG_SESSION_GONE, 3);
    /* The user is full: told, and the site's yes changes nothing. */
    ask(front, 6, "anna@x", 2);
    hear_verdict(front, 6, VERDICT_OK, true);
    result(front, 6, LOGIN_ACCEPTED);
    /* A login that failed may be tried again under its id, a place that was left is free. */
    ask(front, 6, "bert@x", 2);
    hear_verdict(front, 6, VERDICT_OK, false);
    result(front, 6, LOGIN_REFUSED);
    say_type(front, MSG_SESSION_GONE, 4);
    sign_in(front, 6, "anna@x", 2);
    drain(&auth, 60000);
    close(front);
    ends(&auth);
}

static void a_closed_channel_takes_its_sessions(void **state UNUSED)
{
    struct auth_child auth = born_with_map();
    int one = new_front(&auth), two = new_front(&auth);
    say_type(one, MSG_HELD, 0);
    say_type(two, MSG_HELD, 0);
    sign_in(one, 1, "anna@x", 1);
    hold(one, 2, "anna@x", 1); /* after held: the predecessor granted it meanwhile */
    ask(one, 3, "bert@x", 1);
    hear_verdict(one, 3, VERDICT_OK, false);
    say_type(one, MSG_CANCEL, 3);
    ask(two, 1, "anna@x", 1);
    hear_verdict(two, 1, VERDICT_OK, true);
    say_type(two, MSG_CANCEL, 1);
    say_type(one, MSG_VERDICT, 9); /* no front says that */
    hear_end(one);
    sign_in(two, 3, "anna@x", 1);
    say_type(two, MSG_READY, 0); /* no front says that */
    hear_end(two);
    drain(&auth, 60000);
    ends(&auth);
}

static void answers_when_all_have_told(void **state UNUSED)
{
    struct auth_child auth = born_with_map();
    int one = new_front(&auth), two = new_front(&auth);
    ask(one, 1, "anna@x", 1);
    ask(one, 2, "bert@x", 1);
    ask(one, 2, "bert@x", 1); /* the same question again */
    say_type(one, MSG_CANCEL, 2);
    say_type(one, MSG_HELD, 0);
    hear_nothing(one);
    hold(two, 7, "anna@x", 1);
    hold(two, 8, "anna@x", 1);
    say_type(two, MSG_HELD, 0);
    hear_verdict(one, 1, VERDICT_OK, true);
    hear_nothing(one);
    /* A later front holds up only itself. */
    int three = new_front(&auth);
    ask(three, 1, "bert@x", 3);
    ask(two, 9, "bert@x", 2);
    hear_verdict(two, 9, VERDICT_OK, false);
    hear_nothing(three);
    say_type(three, MSG_HELD, 0);
    hear_verdict(three, 1, VERDICT_OK, false);
    close(one);
    close(two);
    close(three);
    drain(&auth, 60000);
    ends(&auth);
}

static void a_silent_front_cannot_stop_the_others(void **state UNUSED)
{
    struct auth_child auth = born_with_map();
    int one = new_front(&auth), two = new_front(&auth), three = new_front(&auth);
    say_type(one, MSG_HELD, 0);
    ask(one, 1, "anna@x", 1);
    hear_nothing(one);
    close(three); /* an end is an answer too */
    hear_verdict(one, 1, VERDICT_OK, false);
    ask(two, 1, "anna@x", 1);
    hear_nothing(two);
    close(one);
    close(two);
    drain(&auth, 60000);
    ends(&auth);
}

static void a_bad_map_changes_nothing(void **state UNUSED)
{
    struct auth_child auth = born();
    int front = new_front(&auth);
    say_type(front, MSG_HELD, 0);
    ask(front, 1, "anna@x", 1);
    hear_verdict(front, 1, VERDICT_UNAVAILABLE, false);
    say(auth.main_fd, (struct message){ .type = MSG_MAP }, memory_with(SPAN("nonsense"), F_SEAL_SHRINK | F_SEAL_WRITE));
    hear(auth.main_fd, MSG_FAILED);
    say(auth.main_fd, (struct message){ .type = MSG_MAP }, map_fd("anna@x north\n"));
    hear(auth.main_fd, MSG_READY);
    ask(front, 1, "anna@x", 1);
    hear_verdict(front, 1, VERDICT_OK, false);
    say(auth.main_fd, (struct message){ .type = MSG_MAP }, memory_with(SPAN("unsealed"), 0));
    say(auth.main_fd, (struct message){ .type = MSG_MAP }, memory_with(SPAN(""), F_SEAL_SHRINK | F_SEAL_WRITE));
    say_type(auth.main_fd, MSG_STATUS, 0);
    hear_nothing(auth.main_fd);
    ask(front, 2, "anna@x", 1);
    hear_verdict(front, 2, VERDICT_OK, false);
    say(auth.main_fd, (struct message){ .type = MSG_MAP }, map_fd("bert@x north\n"));
    hear_nothing(auth.main_fd);
    ask(front, 3, "anna@x", 1);
    hear_verdict(front, 3, VERDICT_REFUSED, false);
    close(front);
    drain(&auth, 60000);
    ends(&auth);
}

static void leaves_in_time(void **state UNUSED)
{
    struct auth_child auth = born_with_map();
    int front = new_front(&auth);
    say_type(front, MSG_HELD, 0);
    sign_in(front, 1, "anna@x", 1);
    drain(&auth, 300);
    int late = give_channel(&auth);
    hear_end(late); /* nothing new */
    sign_in(front, 2, "bert@x", 1);
    ends(&auth); /* by the deadline */
    close(front);
    auth = born_with_map();
    front = new_front(&auth);
    say_type(front, MSG_HELD, 0);
    sign_in(front, 1, "anna@x", 1);
    close(auth.main_fd); /* main died: the fronts are still served */
    auth.main_fd = -1;
    sign_in(front, 2, "bert@x", 1);
    close(front);
    ends(&auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_and_its_limits),     cmocka_unit_test(a_closed_channel_takes_its_sessions),
        cmocka_unit_test(answers_when_all_have_told), cmocka_unit_test(a_silent_front_cannot_stop_the_others),
        cmocka_unit_test(a_bad_map_changes_nothing),  cmocka_unit_test(leaves_in_time),
    };
    buf_init(&heard, IPC_BYTES_MAX);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&heard);
    return failed;
}
