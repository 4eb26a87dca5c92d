/* Messages between the processes of one Homeward, over socketpairs of type SOCK_SEQPACKET: one message a packet, or
 * reports and a message; descriptors beside it are the last one's. Everything that arrives is checked as if the sender
 * were hostile: a packet that is cut, of unknown type, of wrong length or with the wrong number of descriptors closes
 * the channel. */
#ifndef PROXY_NET_IPC_H
#define PROXY_NET_IPC_H

#include "proxy/net/messages.h"

enum {
    IPC_BYTES_MAX = 16384,
    IPC_QUEUED_MAX = 4096,     /* messages that wait for a full channel; beyond it no question is taken … */
    IPC_REPORTS_MAX = 1 << 20, /* … and beyond this nothing */
};

struct ipc;
struct ipc_events {
    /* Spans and m itself are valid inside only. Descriptors that are wanted are taken by ipc_take_fd; the others are
     * closed. The callback may free the channel. */
    void (*message)(void *owner, struct message *m);
    /* The other end is gone, or broke the rules (why: static text). The channel is dead: free it here or later. Never
     * called inside ipc_send. */
    void (*closed)(void *owner, const char *why);
};

bool ipc_pair(int fds[2]) MUST_CHECK; /* close-on-exec, non-blocking */

/* The channel owns fd from now on, whatever is returned. NULL: no memory. */
struct ipc *ipc_new(int fd, const struct ipc_events *events, void *owner);
void ipc_set_events(struct ipc *channel, const struct ipc_events *events); /* another life: from the next message on */
void ipc_free(struct ipc **channel); /* safe inside its callbacks and for NULL; queued messages are lost */

/* Never blocks. Queues while the channel is full. The descriptors in m stay the caller's (the kernel makes copies at
 * once or, when queued, we do). False: dead, over the bound, or m cannot be packed. */
bool ipc_send(struct ipc *channel, const struct message *m) MUST_CHECK;

/* The same for what can wait a millisecond: it goes out before whatever is sent next and in the same packet. No
 * descriptors, no secrets. */
bool ipc_report(struct ipc *channel, const struct message *m) MUST_CHECK;

/* Past the queue, without a channel and without memory, so even in a signal handler. False: it was not sent. */
bool ipc_send_now(int fd, const struct message *m) MUST_CHECK;

/* Block until all that is queued has been sent, at most for_ms: for the last words of a process. */
void ipc_flush(struct ipc *channel, int64_t for_ms);

/* The channel's descriptor, for another program that will go on with it: lent. Nothing that was sent is left behind
 * then; -1 when it cannot be sent within for_ms. What has not been received stays for that program. */
int ipc_hand_over(struct ipc *channel, int64_t for_ms);

int ipc_take_fd(struct message *m, size_t i); /* -1 when there is none */

/* The first message on a fresh descriptor, before there is a loop: waits at most for_ms. The spans borrow from `store`.
 */
bool ipc_receive_now(int fd, struct message *m, struct buf *store, int64_t for_ms) MUST_CHECK;

#endif
