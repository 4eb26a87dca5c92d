/* The text of a configuration: the file, with the files that it includes in the place of their @include lines. */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include "proxy/base/buf.h"

enum { TEXT_BYTES_MAX = 16 << 20, TEXT_DEPTH_MAX = 10, TEXT_FILES_MAX = 256 };

struct text {
    struct buf bytes; /* ends in NUL after text_read */
    struct text_line *lines;
    size_t n_lines, lines_room;
    char **files; /* names, as written and joined */
    size_t n_files;
};

struct place {
    const char *file; /* borrowed from the text */
    int line;         /* 0: the file as a whole */
};

void text_init(struct text *t);
void text_fini(struct text *t);

/* False after one line in `errors`: a file that cannot be read, or an @include that cannot be followed. */
bool text_read(struct text *t, const char *file, struct buf *errors) MUST_CHECK;

/* Where line `line` of `bytes` (from 1) was written. */
struct place text_place(const struct text *t, int line);

/* That line itself, without blanks at its ends. */
struct span text_line(const struct text *t, int line);

/* `path` as the file at `place` means it: relative to that file's folder. Absolute if `absolute`. The caller frees it;
 * NULL when memory is short or there is no current folder. */
char *text_path(const char *named_in, struct span path, bool absolute);

/* Add text of somebody else to a message: in quotes, at most 60 bytes, escaped where it is not printable. */
bool quote(struct buf *to, struct span s) MUST_CHECK;

#endif
