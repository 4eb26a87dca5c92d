/* Telling line by line. */
#include "proxy/supervisor/tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The next line that is not empty, without its end. */
static bool next_line(struct span *rest, struct span *line)
{
    while (rest->n > 0) {
        ptrdiff_t end = span_find(*rest, '\n');
        size_t n = end < 0 ? rest->n : (size_t)end;
        *line = span_trim(span_first(*rest, n));
        *rest = span_after(*rest, n + 1);
        if (line->n > 0)
            return true;
    }
    return false;
}

/* What fits into a value of the log, up to the last space; no sentence loses its end, which often says what to do. */
static struct span first_part(struct span line)
{
    struct span part = span_first(line, LOG_TEXT_MAX);
    ptrdiff_t space = span_find_last(part, ' ');
    return line.n <= LOG_TEXT_MAX || space <= 0 ? part : span_first(part, (size_t)space);
}

static void log_part(struct span part, enum log_level level, const char *event, const char *result)
{
    struct log_line l;
    log_begin(&l, level, event);
    log_word(&l, "result", result);
    log_text(&l, "text", part);
    log_end(&l);
}

void tell_log(struct span lines, enum log_level level, const char *event, const char *result)
{
    struct span line, part;
    while (next_line(&lines, &line)) {
        for (; line.n > 0; line = span_trim(span_after(line, part.n))) {
            part = first_part(line);
            log_part(part, level, event, result);
        }
    }
}

void tell_stderr(struct span lines)
{
    struct span line;
    while (next_line(&lines, &line))
        fprintf(stderr, "homeward: %.*s\n", SPAN_ARG(line));
}

bool complain(struct buf *to, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    bool good = vasprintf(&text, format, args) >= 0 && buf_printf(to, "%s\n", text);
    va_end(args);
    free(text);
    return good && false;
}
