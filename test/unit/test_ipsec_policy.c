/* The two policies of a socket, as the kernel tells them back, in namespaces of the test's own: no privilege is needed,
 * and nothing of the machine is touched. Where a machine does not allow such namespaces, the tests are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "backends/ipsec/associations.h"
#include "backends/ipsec/ipsec_policy.h"
#include "proxy/net/loop.h"
#include "proxy/supervisor/privileges.h"

static bool in_namespaces;

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd >= 0) {
        ssize_t written UNUSED = write(fd, text, strlen(text));
        close(fd);
    }
}

static int enter(void **state UNUSED)
{
    char map[64];
    snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
    in_namespaces = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    if (in_namespaces) {
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", map);
    }
    loop_init();
    return 0;
}

/* ---- what the kernel has ---- */

static struct seen {
    size_t n;
    struct xfrm_userpolicy_info info[4];
    struct xfrm_user_tmpl must[4];
} seen;

static int take_template(const struct nlattr *attr, void *to)
{
    if (mnl_attr_get_type(attr) != XFRMA_TMPL)
        return MNL_CB_OK;
    assert_int_equal(mnl_attr_get_payload_len(attr), sizeof(struct xfrm_user_tmpl));
    memcpy(to, mnl_attr_get_payload(attr), sizeof(struct xfrm_user_tmpl));
    return MNL_CB_OK;
}

static int take_policy(const struct nlmsghdr *message, void *owner UNUSED)
{
    const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(message);
    assert_true(seen.n < COUNT_OF(seen.info));
    seen.info[seen.n] = *info;
    return mnl_attr_parse(message, sizeof *info, take_template, &seen.must[seen.n++]);
}

static void dump(void)
{
    char bytes[8192] __attribute__((aligned(8)));
    struct mnl_socket *s = mnl_socket_open(NETLINK_XFRM);
    struct nlmsghdr *question = mnl_nlmsg_put_header(bytes);
    int more = MNL_CB_OK;
    assert_non_null(s);
    assert_int_equal(mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID), 0);
    question->nlmsg_type = XFRM_MSG_GETPOLICY;
    question->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question->nlmsg_seq = 1;
    assert_true(mnl_socket_sendto(s, question, question->nlmsg_len) > 0);
    memset(&seen, 0, sizeof seen);
    while (more == MNL_CB_OK) {
        ssize_t n = mnl_socket_recvfrom(s, bytes, sizeof bytes);
        assert_true(n > 0);
        more = mnl_cb_run(bytes, (size_t)n, 1, mnl_socket_get_portid(s), take_policy, NULL);
    }
    assert_int_equal(more, MNL_CB_STOP);
    mnl_socket_close(s);
}

/* ---- what must hold ---- */

static const struct {
    const char *peer;
    enum ipsec_mode mode;
} cases[] = {
    {"10.1.2.3",     IPSEC_TRANSPORT},
    { "10.1.2.3",    IPSEC_TUNNEL   },
    { "2001:db8::3", IPSEC_TRANSPORT},
    { "2001:db8::3", IPSEC_TUNNEL   },
};

static void check_one(const struct addr *peer, enum ipsec_mode mode)
{
    struct ipsec_rule rule = { 4000000007, (uint8_t)mode, 1U << IPSEC_AES_GCM };
    int fd = socket(peer->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned directions = 0;
    assert_true(ipsec_policy_set(fd, &rule, peer));
    dump();
    assert_int_equal(seen.n, 2);
    for (size_t i = 0; i < seen.n; i++) {
        directions |= 1U << (seen.info[i].dir - XFRM_POLICY_MAX); /* from there on they are of sockets */
        assert_int_equal(seen.info[i].action, XFRM_POLICY_ALLOW);
        assert_int_equal(seen.info[i].sel.family, peer->family);
        assert_int_equal(seen.must[i].id.proto, IPPROTO_ESP);
        assert_int_equal(seen.must[i].reqid, 4000000007);
        assert_int_equal(seen.must[i].mode, mode == IPSEC_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT);
        assert_int_equal(seen.must[i].optional, 0);
    }
    assert_int_equal(directions, 1U << XFRM_POLICY_IN | 1U << XFRM_POLICY_OUT);
    close(fd);
}

static void test_both_directions(void **state UNUSED)
{
    if (!in_namespaces)
        skip();
    assert_null(ipsec_policy_cannot());
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct addr peer;
        assert_true(addr_parse(span_of(cases[i].peer), 143, &peer));
        check_one(&peer, cases[i].mode);
    }
    dump();
    assert_int_equal(seen.n, 0); /* gone with the socket */
}

static void test_senseless(void **state UNUSED)
{
    struct addr peer = { .family = AF_INET }, nobody = { 0 };
    struct ipsec_rule none = { 0 }, some = { .reqid = 7 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_false(ipsec_policy_set(fd, &none, &peer));
    assert_false(ipsec_policy_set(fd, &some, &nobody));
    close(fd);
}

static void on_changed(void)
{
}

static void test_associations(void **state UNUSED)
{
    const struct association *all;
    const char *why = NULL;
    size_t n = 1;
    if (!in_namespaces)
        skip();
    assert_true(associations_open(on_changed, &why));
    for (int i = 0; i < 3; i++)
        assert_true(associations_read(&all, &n));
    assert_int_equal(n, 0);
    associations_close();
    associations_close();
    assert_false(associations_read(&all, &n));
}

/* The last test: from here on nothing is allowed any more. */
static void test_without_the_capability(void **state UNUSED)
{
    const char *why = NULL;
    struct addr peer = { .family = AF_INET };
    struct ipsec_rule rule = { .reqid = 7 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (in_namespaces) {
        assert_true(privileges_have_net_admin());
        assert_true(privileges_reduce(true));
        assert_null(ipsec_policy_cannot());
    }
    assert_true(privileges_reduce(false));
    assert_false(privileges_have_net_admin());
    assert_false(ipsec_policy_set(fd, &rule, &peer));
    assert_int_equal(errno, EPERM);
    assert_non_null(strstr(ipsec_policy_cannot(), "needs CAP_NET_ADMIN"));
    assert_false(associations_open(on_changed, &why));
    assert_non_null(why);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_senseless),
        cmocka_unit_test(test_associations),
        cmocka_unit_test(test_without_the_capability),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
