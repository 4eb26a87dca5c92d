/* Time limits without a timer each. A queue holds what may stay equally long: its head expires first, so starting
 * and stopping are O(1). Stays that vary use alarms, which share one heap. One timer of the loop drives everything. */
#ifndef PROXY_NET_DEADLINE_H
#define PROXY_NET_DEADLINE_H

#include "proxy/base/list.h"

struct deadline {
    struct list link;
    int64_t at_ms;
};

struct deadline_queue {
    struct list all_queues;
    struct list waiting;
    int64_t stay_ms;
    size_t n;
    void (*expired)(struct deadline *d); /* already out of the queue */
};

void deadline_queue_init(struct deadline_queue *q, int64_t stay_ms, void (*expired)(struct deadline *));
void deadline_init(struct deadline *d);
void deadline_start(struct deadline_queue *q, struct deadline *d); /* d must not be waiting elsewhere */
void deadline_again(struct deadline_queue *q, struct deadline *d); /* its time starts anew; d waits in q or nowhere */
void deadline_stop(struct deadline_queue *q, struct deadline *d);  /* safe when d does not wait */

struct alarm {
    int64_t at_ms;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*ring)(struct alarm *a);
};

/* Zero-initialised memory is a valid alarm that is not set. Setting again moves it. False: no memory. */
bool alarm_set(struct alarm *a, int64_t after_ms, void (*ring)(struct alarm *)) MUST_CHECK;
void alarm_clear(struct alarm *a);

#endif
