/* What there is to say about a configuration, collected so that it comes out in the order of the lines, no matter which
 * check found it. Lines are those of the text with its includes; the reader gets file and line. */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include "config/text.h"

struct report {
    const struct text *text; /* NULL: nobody reads what is said, it is only counted */
    struct report_line *lines;
    size_t n, room;
    struct report_field *fields;
    size_t n_fields, fields_room;
    size_t errors;
    bool short_of_memory; /* counts as an error */
};

void report_init(struct report *r, const struct text *text);
void report_fini(struct report *r);

void report_error(struct report *r, int line, const char *format, ...) PRINTF_LIKE(3, 4); /* line 0: the file */
void report_warning(struct report *r, int line, const char *format, ...) PRINTF_LIKE(3, 4);

/* Remember where the value in `field` was written, and ask for it: 0 when it was not. */
void report_set_line(struct report *r, const void *field, int line);
int report_line(const struct report *r, const void *field);

/* "FILE:LINE: text\n" for each, errors and warnings to where they belong. */
void report_write(struct report *r, struct buf *errors, struct buf *warnings);

#endif
