/* Threads: who is served when, what may be taken back, and how all of it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <semaphore.h>
#include <unistd.h>

#include "auth/verifiers/workers.h"
#include "proxy/net/deadline.h"
#include "proxy/net/loop.h"

enum { PATIENCE_MS = 5000 };

struct task {
    struct job job;
    sem_t *gate; /* NULL: it need not wait */
    int begun, done, place;
};

static sem_t gate;
static size_t n_done, wanted;

static void work(struct job *j, void *of_thread UNUSED)
{
    struct task *t = OWNER_OF(j, struct task, job);
    __atomic_store_n(&t->begun, 1, __ATOMIC_SEQ_CST);
    if (t->gate != NULL)
        sem_wait(t->gate);
}

static void on_done(struct job *j)
{
    struct task *t = OWNER_OF(j, struct task, job);
    t->done++;
    t->place = (int)n_done++;
    if (n_done == wanted)
        loop_stop();
}

static struct task task(sem_t *wait_at)
{
    struct task t = {
        .job = {.work = work, .done = on_done},
          .gate = wait_at
    };
    return t;
}

static void on_late(struct alarm *a UNUSED)
{
    loop_stop();
}

static void run_until(size_t n)
{
    static struct alarm late;
    wanted = n;
    if (n_done < n) {
        assert_true(alarm_set(&late, PATIENCE_MS, on_late));
        loop_run();
        alarm_clear(&late);
    }
    assert_int_equal(n_done, n);
}

static bool has_begun(struct task *t)
{
    for (int i = 0; i < 1000 && __atomic_load_n(&t->begun, __ATOMIC_SEQ_CST) == 0; i++)
        usleep(1000);
    return t->begun != 0;
}

static struct workers *start(size_t threads)
{
    struct workers *w = workers_new(&(struct workers_order){ .name = "test", .threads = threads });
    assert_non_null(w);
    n_done = 0;
    sem_init(&gate, 0, 0);
    return w;
}

/* One account with many jobs takes one thread, and everybody else comes before its second job. */
static void a_lane_holds_up_itself_only(void **state UNUSED)
{
    struct workers *w = start(2);
    struct task hammered[5], others[5];
    for (size_t i = 0; i < COUNT_OF(hammered); i++) {
        hammered[i] = task(&gate);
        assert_true(workers_give(w, 7, &hammered[i].job));
    }
    assert_true(has_begun(&hammered[0]));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        others[i] = task(NULL);
        assert_true(workers_give(w, 100 + i, &others[i].job));
    }
    run_until(COUNT_OF(others));
    assert_int_equal(hammered[1].begun, 0);
    for (size_t i = 0; i < COUNT_OF(hammered); i++)
        sem_post(&gate);
    run_until(COUNT_OF(others) + COUNT_OF(hammered));
    for (size_t i = 1; i < COUNT_OF(hammered); i++)
        assert_true(hammered[i].place > hammered[i - 1].place);
    workers_free(&w);
}

static void a_job_that_waits_can_be_taken_back(void **state UNUSED)
{
    struct workers *w = start(1);
    struct task first = task(&gate), same = task(NULL), other = task(NULL);
    assert_true(workers_give(w, 1, &first.job) && workers_give(w, 1, &same.job) && workers_give(w, 2, &other.job));
    assert_true(has_begun(&first));
    assert_false(workers_cancel(w, &first.job));
    assert_true(workers_cancel(w, &same.job));
    assert_true(workers_cancel(w, &other.job));
    assert_true(workers_give(w, 2, &other.job));
    sem_post(&gate);
    run_until(2);
    assert_false(workers_cancel(w, &first.job));
    assert_int_equal(same.begun + same.done, 0);
    workers_free(&w);
}

static void more_than_there_is_room_for_is_refused(void **state UNUSED)
{
    struct workers *w = start(1);
    struct task *tasks = calloc(WORKERS_JOBS_MAX + 2, sizeof *tasks);
    size_t given = 0;
    assert_non_null(tasks);
    for (size_t i = 0; i < WORKERS_JOBS_MAX + 2; i++)
        tasks[i] = task(i == 0 ? &gate : NULL);
    assert_true(workers_give(w, 1, &tasks[0].job));
    assert_true(has_begun(&tasks[0]));
    for (size_t i = 1; i < WORKERS_LANE_MAX + 2; i++)
        given += workers_give(w, 1, &tasks[i].job);
    assert_int_equal(given, WORKERS_LANE_MAX);
    for (size_t i = WORKERS_LANE_MAX + 2; i < WORKERS_JOBS_MAX + 2; i++)
        given += workers_give(w, 1000 + i, &tasks[i].job);
    assert_int_equal(given, WORKERS_JOBS_MAX);
    assert_false(workers_give(w, 5, &tasks[WORKERS_LANE_MAX + 1].job));
    sem_post(&gate);
    run_until(1 + given);
    workers_free(&w);
    free(tasks);
}

/* What runs is waited for and handed back; what waits is not run. */
static void an_end_leaves_nothing_running(void **state UNUSED)
{
    struct workers *w = start(1);
    struct task first = task(&gate), second = task(NULL);
    assert_true(workers_give(w, 1, &first.job) && workers_give(w, 2, &second.job));
    assert_true(has_begun(&first));
    sem_post(&gate);
    workers_free(&w);
    assert_int_equal(first.done, 1);
    assert_int_equal(second.done, second.begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_holds_up_itself_only),
        cmocka_unit_test(a_job_that_waits_can_be_taken_back),
        cmocka_unit_test(more_than_there_is_room_for_is_refused),
        cmocka_unit_test(an_end_leaves_nothing_running),
    };
    loop_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
