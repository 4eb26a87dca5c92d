/* What the two protocols do differently before the login: one table of operations each (imap.c, pop3.c). */
#ifndef PROXY_FRONT_DIALOGUE_H
#define PROXY_FRONT_DIALOGUE_H

#include "proxy/front/signin.h"
#include "proxy/wire/pop3.h"

struct dialogue {
    /* Read one command from s->signin->in and run it; true while there may be more to read. */
    bool (*command)(struct session *s);
    const char *stranger; /* for who speaks something else altogether: the one sentence before the close */
    /* The answer to a login that did not succeed. */
    bool (*refuse)(struct session *s, const struct outcome *o, struct buf *to);
    /* The answer to one that did. */
    bool (*welcome)(struct session *s, const struct login_answer *a, struct buf *to);
    /* "* BYE reason", "-ERR [SYS/TEMP] reason". */
    bool (*goodbye)(const char *reason, struct buf *to);
    /* Answer BAD or -ERR to the command that is being read, and count it. */
    bool (*bad)(struct session *s, const char *reason);
    /* After STARTTLS: everything learned before is forgotten. */
    void (*forget)(struct session *s);
};

extern const struct dialogue imap_dialogue, pop3_dialogue;
extern const struct dialogue *const dialogues[PROTOCOLS];

/* Understand what is in s->signin->in, as far as the answers fit. May end the session. */
void dialogue_input(struct session *s);

/* Steps that both share. They return true while the dialogue may read on; false: the session is gone, is closing, or
 * has something else to wait for. */
bool dialogue_error(struct session *s,
                    struct span answer) MUST_CHECK; /* an unusable command: counted, answered, perhaps the last */
bool dialogue_last_words(struct session *s, enum why why, struct span answer, const char *reason);
bool dialogue_is_stranger(struct span word); /* a first word that only other protocols use */
bool dialogue_may_start_tls(const struct session *s);
bool dialogue_start_tls(struct session *s, struct span go_ahead) MUST_CHECK;
bool dialogue_must_protect(const struct session *s); /* credentials are not yet allowed */
bool dialogue_tls_first(struct session *s) MUST_CHECK;
bool dialogue_stranger(struct session *s);   /* always false */
bool dialogue_offers(enum sasl_mechanism m); /* listed: it can succeed for every site */
bool dialogue_takes(enum sasl_mechanism m);  /* tried when asked for: it can succeed for some */
bool dialogue_exchange(struct session *s, enum exchange_step step, const char *challenge) MUST_CHECK;
bool dialogue_exchange_line(struct session *s) MUST_CHECK;
bool dialogue_refuse(struct session *s, const struct outcome *o) MUST_CHECK;

#endif
