/* The front's side of auth and of backends: questions and their answers, across crashes and successors of the helper.
 *
 * A question is embedded in its asker. It is asked on the channel of now; when that channel dies before the answer came
 * it is asked once more on the next one, and fails when there is none for a second. A predecessor that main has
 * replaced still answers what it was asked. On a new channel the front first lists what it holds. */
#ifndef PROXY_FRONT_HELPER_H
#define PROXY_FRONT_HELPER_H

#include "proxy/base/list.h"
#include "proxy/net/deadline.h"
#include "proxy/net/role.h"

struct question {
    struct list link;
    struct ipc *on; /* the channel that was asked; NULL: none yet */
    uint8_t times;
    /* Fill in the message; the spans are borrowed until this returns. */
    void (*compose)(struct question *q, struct message *m);
    /* Once; m is NULL when no answer will come. Never called inside helper_ask. */
    void (*answered)(struct question *q, struct message *m);
    uint64_t id;
};

struct helper {
    enum role_kind kind;
    struct ipc *now, *before;
    struct list asked;   /* every question without an answer */
    struct alarm missed; /* how long there may be no channel */
    /* The question of that session to this helper that has such an answer, or NULL. */
    struct question *(*find)(uint64_t id, enum message_type answer);
};

void helper_init(struct helper *h, enum role_kind kind,
                 struct question *(*find)(uint64_t id, enum message_type answer));
void helper_connect(struct helper *h, int fd); /* main brought a channel to the helper of now */
void question_init(struct question *q);
void helper_ask(struct helper *h, struct question *q); /* compose, answered and id are set */
bool helper_cancel(struct question *q); /* safe at any time, also twice; true: an answer may be under way already */
void helper_tell(struct helper *h,
                 const struct message *m); /* a report; lost when there is no channel, for HOLD repeats it */

#endif
