/* HTML and XML as they grow. What a page says of the world goes through markup_text; the rest are words of ours. */
#ifndef CTL_MARKUP_H
#define CTL_MARKUP_H

#include "proxy/base/buf.h"

struct markup {
    struct buf *to;
    bool failed; /* `to` was full, or no memory: look at it once, at the end */
};

void markup_put(struct markup *m, const char *words); /* as they are */
void markup_text(struct markup *m, const char *text); /* with nothing in it that could be a tag or end an attribute */
void markup_number(struct markup *m, int64_t number);

/* The beginning of a page, up to and with its headline; the caller ends body and html. refresh_s 0: it stays. */
void markup_html(struct markup *m, const char *title, int refresh_s);

#endif
