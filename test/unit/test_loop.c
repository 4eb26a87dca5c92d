/* The loop: work for later in its order, taken back or not, signals, and descriptors that are watched and freed inside.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"
#include "proxy/net/watch.h"

static struct alarm run_end;

static void on_run_end(struct alarm *a UNUSED)
{
    loop_stop();
}

static void run_for(int64_t ms)
{
    loop_refresh();
    assert_true(alarm_set(&run_end, ms, on_run_end));
    loop_run();
}

/* ---- later ---- */

static struct job {
    struct later later;
    int again;
} jobs[4];
static int order[16];
static int n_order;

static void on_job(struct later *l)
{
    struct job *j = OWNER_OF(l, struct job, later);
    order[n_order++ % 16] = (int)(j - jobs);
    if (j->again-- > 0)
        loop_later(l, on_job);
    if (j == &jobs[1])
        loop_never(&jobs[2].later);
}

static void jobs_begin(void)
{
    memset(jobs, 0, sizeof jobs);
    n_order = 0;
}

static void later_is_in_order_and_once(void **state UNUSED)
{
    jobs_begin();
    loop_never(&jobs[3].later); /* never queued */
    loop_later(&jobs[2].later, on_job);
    loop_later(&jobs[0].later, on_job);
    loop_later(&jobs[2].later, on_job);
    assert_int_equal(n_order, 0); /* not inside the caller */
    run_for(5);
    assert_int_equal(n_order, 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 0);
}

static void later_may_be_queued_and_taken_back_inside(void **state UNUSED)
{
    jobs_begin();
    jobs[0].again = 2;
    loop_later(&jobs[0].later, on_job);
    loop_later(&jobs[1].later, on_job);
    loop_later(&jobs[2].later, on_job);
    run_for(5);
    assert_int_equal(n_order, 4);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[3], 0);
}

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * SECOND + t.tv_nsec / 1000000;
}

/* The loop sleeps again when all that was queued has been taken back. */
static void what_is_taken_back_keeps_nobody_awake(void **state UNUSED)
{
    jobs_begin();
    loop_later(&jobs[0].later, on_job);
    loop_never(&jobs[0].later);
    loop_never(&jobs[0].later);
    int64_t before = cpu_ms();
    run_for(200);
    assert_int_equal(n_order, 0);
    assert_true(cpu_ms() - before < 20);
}

/* ---- the end ---- */

static void an_end_that_comes_before_the_beginning_is_one(void **state UNUSED)
{
    jobs_begin();
    loop_later(&jobs[0].later, on_job);
    loop_stop();
    loop_run();
    assert_int_equal(n_order, 0);
    run_for(5); /* once */
    assert_int_equal(n_order, 1);
}

/* ---- the clock ---- */

static void on_tired(struct later *l UNUSED)
{
    usleep(400 * 1000);
}

static void what_callbacks_took_is_not_slept_again(void **state UNUSED)
{
    struct later tired = { 0 };
    loop_refresh();
    int64_t began = loop_now_ms();
    loop_later(&tired, on_tired);
    run_for(500);
    assert_in_range(loop_now_ms() - began, 500, 800);
}

/* ---- signals ---- */

static int signalled;

static void on_usr1(int number)
{
    signalled = number;
    loop_stop();
}

static void a_signal_comes_though_no_deadline_is_running(void **state UNUSED)
{
    run_for(1); /* until then the timer of the test before may ring */
    loop_on_signal(SIGUSR1, on_usr1);
    for (int i = 0; i < 2; i++) {
        signalled = 0;
        raise(SIGUSR1);
        alarm(10); /* the kernel's: ends who would sleep for ever */
        loop_run();
        alarm(0);
        assert_int_equal(signalled, SIGUSR1);
    }
}

/* ---- descriptors ---- */

static struct watched {
    struct watch *watch;
    int ours, theirs, woken;
    unsigned events;
    bool free_inside;
} at;

static void on_watched(void *owner, unsigned events)
{
    struct watched *w = owner;
    w->woken++;
    w->events = events;
    if (w->free_inside)
        watch_free(&w->watch);
    else
        watch_set(w->watch, 0);
}

static void watch_begin(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    at = (struct watched){ .ours = fds[0], .theirs = fds[1] };
    at.watch = watch_new(at.ours, 0, on_watched, &at);
    assert_non_null(at.watch);
}

static void watch_end(void)
{
    watch_free(&at.watch);
    watch_free(&at.watch);
    close(at.ours);
    close(at.theirs);
    run_for(1);
}

static void only_what_is_watched_is_told(void **state UNUSED)
{
    watch_begin();
    assert_int_equal(write(at.theirs, "x", 1), 1);
    run_for(5);
    assert_int_equal(at.woken, 0);
    watch_set(at.watch, WATCH_READ);
    run_for(5);
    assert_int_equal(at.woken, 1);
    assert_int_equal(at.events, WATCH_READ);
    watch_set(at.watch, WATCH_READ | WATCH_WRITE);
    run_for(5);
    assert_int_equal(at.events, WATCH_READ | WATCH_WRITE);
    watch_end();
}

static void it_may_be_freed_inside(void **state UNUSED)
{
    watch_begin();
    at.free_inside = true;
    watch_set(at.watch, WATCH_WRITE);
    run_for(5);
    assert_int_equal(at.woken, 1);
    assert_null(at.watch);
    watch_end();
}

static struct pair {
    struct watch *watch[2];
    int fds[2][2], woken;
} both;

static void on_either(void *owner UNUSED, unsigned events UNUSED)
{
    both.woken++;
    watch_free(&both.watch[0]);
    watch_free(&both.watch[1]);
}

static void whoever_is_freed_while_others_are_told_is_told_nothing(void **state UNUSED)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both.fds[i]), 0);
        both.watch[i] = watch_new(both.fds[i][0], WATCH_WRITE, on_either, NULL);
        assert_non_null(both.watch[i]);
    }
    run_for(5);
    assert_int_equal(both.woken, 1);
    for (int i = 0; i < 4; i++)
        close(both.fds[i / 2][i % 2]);
}

/* There may be bytes to read before it. */
static void an_error_does_not_end_the_watching(void **state UNUSED)
{
    char byte;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage name = { .ss_family = AF_INET };
    socklen_t n = sizeof name;
    struct linger at_once = { .l_onoff = 1 };
    assert_int_equal(bind(listener, (struct sockaddr *)&name, 16), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &n), 0);
    int theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(theirs, (struct sockaddr *)&name, n), 0);
    at = (struct watched){ .ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), .theirs = listener };
    at.watch = watch_new(at.ours, 0, on_watched, &at);
    assert_int_equal(write(theirs, "ab", 2), 2);
    setsockopt(theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(theirs);
    for (int i = 1; i <= 3; i++) {
        watch_set(at.watch, WATCH_READ);
        run_for(5);
        assert_int_equal(at.woken, i);
        ssize_t got UNUSED = read(at.ours, &byte, 1);
    }
    watch_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_is_in_order_and_once),
        cmocka_unit_test(later_may_be_queued_and_taken_back_inside),
        cmocka_unit_test(what_is_taken_back_keeps_nobody_awake),
        cmocka_unit_test(an_end_that_comes_before_the_beginning_is_one),
        cmocka_unit_test(what_callbacks_took_is_not_slept_again),
        cmocka_unit_test(a_signal_comes_though_no_deadline_is_running),
        cmocka_unit_test(only_what_is_watched_is_told),
        cmocka_unit_test(it_may_be_freed_inside),
        cmocka_unit_test(whoever_is_freed_while_others_are_told_is_told_nothing),
        cmocka_unit_test(an_error_does_not_end_the_watching),
    };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
