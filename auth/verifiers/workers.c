/* Threads. One lock for the queue; results come back through a list and an eventfd that the loop watches. */
#include "auth/verifiers/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proxy/net/watch.h"

struct lane {
    struct list link; /* in ready, in busy */
    uint64_t name;
    struct list jobs;
    size_t n;
};

struct workers {
    struct workers_order order;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct list ready; /* lanes with jobs of which none runs, in turn */
    struct list busy;  /* lanes of which one runs */
    size_t n_jobs;     /* that wait */
    struct list done;
    bool leaving;
    int wake_fd;
    struct watch *watch;
    pthread_t threads[WORKERS_MAX];
    size_t n_threads;
};

/* ---- lanes; the lock is held ---- */

static struct lane *find_in(const struct list *lanes, uint64_t name)
{
    LIST_EACH(link, lanes) {
        struct lane *lane = OWNER_OF(link, struct lane, link);
        if (lane->name == name)
            return lane;
    }
    return NULL;
}

static struct lane *lane_of(struct workers *w, uint64_t name)
{
    struct lane *lane = find_in(&w->busy, name);
    if (lane == NULL)
        lane = find_in(&w->ready, name);
    if (lane != NULL)
        return lane;
    lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return NULL;
    lane->name = name;
    list_init(&lane->jobs);
    list_add(&w->ready, &lane->link);
    return lane;
}

static void drop_empty(struct lane *lane)
{
    if (lane->n > 0)
        return;
    list_remove(&lane->link);
    free(lane);
}

static struct job *take_job(struct workers *w)
{
    struct lane *lane = OWNER_OF(w->ready.next, struct lane, link);
    struct job *j = OWNER_OF(lane->jobs.next, struct job, link);
    list_remove(&j->link);
    lane->n--;
    w->n_jobs--;
    list_remove(&lane->link);
    list_add(&w->busy, &lane->link);
    j->running = true;
    return j;
}

static void give_back(struct workers *w, struct job *j)
{
    struct lane *lane = j->lane;
    uint64_t one = 1;
    j->running = false;
    j->lane = NULL;
    list_remove(&lane->link);
    list_add(&w->ready, &lane->link); /* at the end of the turn */
    drop_empty(lane);
    list_add(&w->done, &j->link);
    if (write(w->wake_fd, &one, sizeof one) < 0)
        return; /* its counter is full: the loop is being woken anyway */
}

/* ---- a thread ---- */

static void settle(const struct workers *w)
{
    pthread_setname_np(pthread_self(), w->order.name); /* another thread's name is a file in /proc */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), w->order.niceness); /* Linux: of the thread alone */
}

static void *run(void *argument)
{
    struct workers *w = argument;
    settle(w);
    void *own = w->order.begin != NULL ? w->order.begin(w->order.owner) : NULL;
    pthread_mutex_lock(&w->lock);
    while (!w->leaving) {
        if (list_empty(&w->ready)) {
            pthread_cond_wait(&w->wanted, &w->lock);
            continue;
        }
        struct job *j = take_job(w);
        pthread_mutex_unlock(&w->lock);
        j->work(j, own);
        pthread_mutex_lock(&w->lock);
        give_back(w, j);
        pthread_cond_signal(&w->wanted);
    }
    pthread_mutex_unlock(&w->lock);
    if (w->order.end != NULL)
        w->order.end(own);
    return NULL;
}

/* ---- the loop ---- */

static void hand_back(struct workers *w)
{
    struct list done;
    list_init(&done);
    pthread_mutex_lock(&w->lock);
    while (!list_empty(&w->done)) {
        struct list *link = w->done.next;
        list_remove(link);
        list_add(&done, link);
    }
    pthread_mutex_unlock(&w->lock);
    while (!list_empty(&done)) {
        struct job *j = OWNER_OF(done.next, struct job, link);
        list_remove(&j->link);
        j->done(j);
    }
}

static void on_wake(void *owner, unsigned events UNUSED)
{
    struct workers *w = owner;
    uint64_t n;
    if (read(w->wake_fd, &n, sizeof n) > 0)
        hand_back(w);
}

bool workers_give(struct workers *w, uint64_t name, struct job *j)
{
    bool given = false;
    j->running = false;
    pthread_mutex_lock(&w->lock);
    struct lane *lane = w->n_jobs < WORKERS_JOBS_MAX ? lane_of(w, name) : NULL;
    if (lane != NULL && lane->n < WORKERS_LANE_MAX) {
        j->lane = lane;
        list_add(&lane->jobs, &j->link);
        lane->n++;
        w->n_jobs++;
        given = true;
        pthread_cond_signal(&w->wanted);
    }
    pthread_mutex_unlock(&w->lock);
    return given;
}

bool workers_cancel(struct workers *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    struct lane *lane = j->lane;
    bool waits = lane != NULL && !j->running;
    if (waits) {
        list_remove(&j->link);
        lane->n--;
        w->n_jobs--;
        j->lane = NULL;
        if (find_in(&w->ready, lane->name) == lane) /* a busy one goes when its job ends */
            drop_empty(lane);
    }
    pthread_mutex_unlock(&w->lock);
    return waits;
}

/* ---- life ---- */

/* Signals are main's and the loop's business, but for the one by which the sandbox says what it has stopped. */
static bool start_threads(struct workers *w)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (w->n_threads < w->order.threads && pthread_create(&w->threads[w->n_threads], NULL, run, w) == 0)
        w->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->n_threads > 0; /* fewer than wanted are slower, no more */
}

struct workers *workers_new(const struct workers_order *order)
{
    struct workers *w = calloc(1, sizeof *w);
    assert(order->threads > 0 && order->threads <= WORKERS_MAX);
    if (w == NULL)
        return NULL;
    *w = (struct workers){ .order = *order, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wanted, NULL);
    list_init(&w->ready);
    list_init(&w->busy);
    list_init(&w->done);
    w->watch = w->wake_fd >= 0 ? watch_new(w->wake_fd, WATCH_READ, on_wake, w) : NULL;
    if (w->watch == NULL || !start_threads(w)) {
        workers_free(&w);
        return NULL;
    }
    return w;
}

static void free_lanes(struct list *lanes)
{
    while (!list_empty(lanes)) {
        struct lane *lane = OWNER_OF(lanes->next, struct lane, link);
        list_remove(&lane->link);
        free(lane);
    }
}

void workers_free(struct workers **pointer)
{
    struct workers *w = *pointer;
    if (w == NULL)
        return;
    *pointer = NULL;
    pthread_mutex_lock(&w->lock);
    w->leaving = true;
    pthread_cond_broadcast(&w->wanted);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->n_threads; i++)
        pthread_join(w->threads[i], NULL);
    hand_back(w);
    watch_free(&w->watch);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    free_lanes(&w->ready);
    free_lanes(&w->busy);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wanted);
    free(w);
}
