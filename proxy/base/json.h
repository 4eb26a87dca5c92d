/* JSON (RFC 8259), written only: nobody in the daemon reads any. What goes in may be any bytes; what comes out is
 * valid. */
#ifndef PROXY_BASE_JSON_H
#define PROXY_BASE_JSON_H

#include "proxy/base/addr.h"
#include "proxy/base/buf.h"

struct json {
    struct buf *to;
    bool comma;  /* the next value needs one before it */
    bool failed; /* `to` was full, or no memory: look at it once, at the end */
};

void json_init(struct json *j, struct buf *to);

/* key: NULL inside an array, and for the outermost value. Keys are words of ours. */
void json_open(struct json *j, const char *key);                   /* { */
void json_close(struct json *j);                                   /* } */
void json_list(struct json *j, const char *key);                   /* [ */
void json_list_close(struct json *j);                              /* ] */
void json_text(struct json *j, const char *key, struct span text); /* a byte that is not UTF-8 becomes U+FFFD */
void json_word(struct json *j, const char *key, const char *word); /* the same; NULL: left out */
void json_number(struct json *j, const char *key, int64_t number);
void json_flag(struct json *j, const char *key, bool flag);
void json_addr(struct json *j, const char *key, const struct addr *a); /* AF_UNSPEC: left out */
void json_end_line(struct json *j); /* the outermost value is complete: a line end, and the next one may begin */

#endif
