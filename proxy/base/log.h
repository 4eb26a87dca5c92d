/* One line per event, "key=value" or JSON with the same names, times in UTC.
 *
 * A role writes each line as one packet to the channel that main gave it; a thread in main puts it where the admin
 * wants it. When the channel is full a line is dropped and counted, never waited for. Values that an outsider
 * chose go in by log_text alone: quoted, capped, control and invalid bytes escaped. No secret is ever given to this
 * module.
 *
 *     log_begin(&l, LOG_INFO, "login");
 *     log_word(&l, "proto", "imap");
 *     log_number(&l, "auth_ms", 4);
 *     log_text(&l, "client", name);
 *     log_end(&l);                                             */
#ifndef PROXY_BASE_LOG_H
#define PROXY_BASE_LOG_H

#include "proxy/base/addr.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum { LOG_LINE_MAX = 2048, LOG_TEXT_MAX = 256 };

struct log_line {
    bool on; /* false: the level is off, and the rest costs nothing */
    size_t n;
    bool full; /* a part did not fit: its field is left out as a whole */
    char text[LOG_LINE_MAX];
};

/* fd: the channel (a packet socket), or 2 for plain lines on stderr. role: "main", "auth", "front 1" … copied. */
void log_open(int fd, const char *role);
void log_set(enum log_level level, enum log_format format);
void log_set_level(enum log_level level);
bool log_level_find(struct span name, enum log_level *level); /* "debug" … false: there is none of that name */
bool log_is_on(enum log_level level);
uint64_t log_dropped(void); /* lines lost since the start */

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_word(struct log_line *l, const char *key, const char *word); /* one of our own closed sets; NULL: left out */
void log_number(struct log_line *l, const char *key, int64_t number);
void log_addr(struct log_line *l, const char *key, const struct addr *a);
void log_text(struct log_line *l, const char *key, struct span text); /* anything from outside; empty: left out */
void log_end(struct log_line *l);

/* A whole line whose only detail is a sentence of ours: event=… text="…" */
void log_say(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
