/* What a command of the admin's found out, fact by fact, in the order in which it is said: lines for a person, or one
 * object of JSON with the same facts for a program. */
#ifndef PROXY_ADMIN_ANSWER_H
#define PROXY_ADMIN_ANSWER_H

#include "proxy/base/json.h"

struct answer {
    bool as_json;
    struct json json;
    struct buf text;
};

void answer_begin(struct answer *a, bool as_json);

/* key: its name in JSON; label: at the left of the line, NULL to go on under the last one. */
void answer_say(struct answer *a, const char *key, const char *label, const char *format, ...) PRINTF_LIKE(4, 5);
void answer_text(struct answer *a, const char *key, const char *label, struct span text); /* from outside: escaped */
void answer_flag(struct answer *a, const char *key, bool flag);                           /* for programs only */
void answer_number(struct answer *a, const char *key, int64_t number);                    /* the same */

/* Facts of the same kind: a list in JSON, lines under one label for a person. */
void answer_list(struct answer *a, const char *key);
void answer_item(struct answer *a, const char *label, const char *format, ...) PRINTF_LIKE(3, 4);
void answer_list_end(struct answer *a);

/* Prints it and gives the memory back. False: it could not be printed, which has been said. */
bool answer_end(struct answer *a) MUST_CHECK;

#endif
