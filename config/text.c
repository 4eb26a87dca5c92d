/* The text of a configuration. @include is followed here and not by libconfig, because its scanner ends the whole
 * process when it is given a folder, looks for files relative to one folder only, and runs into a comment that an
 * included file has left open. On the way, numbers that do not fit an int get the L that libconfig wants: without
 * it 4294967297 would silently be 1. */
#include "config/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct text_line {
    size_t at; /* offset in the bytes */
    unsigned file;
    int line;
};

enum state { IN_CODE, IN_LINE_COMMENT, IN_BLOCK_COMMENT, IN_STRING };

/* One file being read. */
struct source {
    struct text *text;
    struct buf *errors;
    const struct source *by; /* who includes it, or NULL */
    unsigned file;
    int line; /* 0: none yet */
    int depth;
    enum state state;
};

void text_init(struct text *t)
{
    *t = (struct text){ 0 };
    buf_init(&t->bytes, TEXT_BYTES_MAX);
}

void text_fini(struct text *t)
{
    buf_fini(&t->bytes);
    free(t->lines);
    for (size_t i = 0; i < t->n_files; i++)
        free(t->files[i]);
    free(t->files);
    *t = (struct text){ 0 };
}

bool quote(struct buf *to, struct span s)
{
    bool fits = buf_add_byte(to, '"');
    struct span shown = span_first(s, 60);
    bool utf8 = span_is_utf8(shown);
    for (size_t i = 0; i < shown.n && fits; i++) {
        unsigned char c = (unsigned char)shown.at[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            fits = buf_printf(to, "\\x%02x", c);
        else
            fits = buf_add_byte(to, (char)c);
    }
    return fits && buf_add_text(to, shown.n < s.n ? "...\"" : "\"");
}

static char *join(struct span folder, struct span path)
{
    char *joined = malloc(folder.n + path.n + 1);
    if (joined == NULL)
        return NULL;
    if (folder.n > 0)
        memcpy(joined, folder.at, folder.n);
    memcpy(joined + folder.n, path.at, path.n);
    joined[folder.n + path.n] = '\0';
    return joined;
}

char *text_path(const char *named_in, struct span path, bool absolute)
{
    if (span_starts(path, SPAN("/")))
        return span_copy(path);
    ptrdiff_t slash = span_find_last(span_of(named_in), '/');
    char *relative = join(span_first(span_of(named_in), (size_t)(slash + 1)), path);
    if (relative == NULL || !absolute || relative[0] == '/')
        return relative;
    char here[4096];
    char *result = NULL;
    if (getcwd(here, sizeof here - 1) != NULL) {
        size_t n = strlen(here);
        if (here[n - 1] != '/')
            here[n++] = '/';
        result = join(span_bytes(here, n), span_of(relative));
    }
    free(relative);
    return result;
}

/* --- reading one file --- */

static bool fail(struct source *s, const char *what)
{
    char *const *files = s->text->files;
    bool told;
    if (s->line > 0)
        told = buf_printf(s->errors, "%s:%d: %s\n", files[s->file], s->line, what);
    else if (s->by != NULL)
        told = buf_printf(s->errors, "%s:%d: %s %s\n", files[s->by->file], s->by->line, files[s->file], what);
    else
        told = buf_printf(s->errors, "%s: %s\n", files[s->file], what);
    (void)told; /* a full buf has told enough */
    return false;
}

static bool read_file(struct source *s, struct buf *to)
{
    struct stat status;
    char why[160];
    int fd = open(s->text->files[s->file], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        close(fd);
        return fail(s, "cannot be read: not a regular file");
    }
    bool good = fd >= 0 && buf_read(to, fd);
    if (!good)
        snprintf(why, sizeof why, "cannot be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!good)
        return fail(s, why);
    return to->n == 0 || memchr(to->at, '\0', to->n) == NULL || fail(s, "holds a NUL byte, so it is not a text");
}

static bool add_file(struct text *t, char *name)
{
    char **more = name != NULL ? realloc(t->files, (t->n_files + 1) * sizeof *more) : NULL;
    if (more == NULL) {
        free(name);
        return false;
    }
    t->files = more;
    t->files[t->n_files++] = name;
    return true;
}

static bool begin_line(struct source *s)
{
    struct text *t = s->text;
    if (t->n_lines == t->lines_room) {
        size_t room = t->lines_room > 0 ? 2 * t->lines_room : 256;
        struct text_line *more = realloc(t->lines, room * sizeof *more);
        if (more == NULL)
            return false;
        t->lines = more;
        t->lines_room = room;
    }
    t->lines[t->n_lines++] = (struct text_line){ t->bytes.n, s->file, s->line };
    return true;
}

/* --- the lines of a file --- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '*';
}

/* Length of the number or name that line begins with. A name of libconfig may also hold "-", a number ".". */
static size_t token(struct span line, bool number)
{
    size_t n = 0;
    while (n < line.n && (is_word(line.at[n]) || line.at[n] == (number ? '.' : '-')))
        n++;
    return n;
}

static bool needs_suffix(struct span number)
{
    bool hex = span_starts_nocase(number, SPAN("0x"));
    struct span digits = hex ? span_after(number, 2) : number;
    for (size_t i = 0; i < digits.n; i++)
        if (strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", digits.at[i]) == NULL)
            return false;
    return digits.n >= (hex ? 8 : 10);
}

/* How many bytes to go over; *add: what to put behind them. */
static size_t step_code(struct source *s, struct span rest, const char **add)
{
    char c = rest.at[0];
    if (c == '#' || span_starts(rest, SPAN("//")))
        s->state = IN_LINE_COMMENT;
    else if (span_starts(rest, SPAN("/*")))
        s->state = IN_BLOCK_COMMENT;
    else if (c == '"')
        s->state = IN_STRING;
    if (s->state == IN_BLOCK_COMMENT)
        return 2; /* so that the slash of "/" "*" "/" does not end it */
    if (!is_word(c))
        return 1;
    bool number = c >= '0' && c <= '9';
    size_t n = token(rest, number);
    if (number && needs_suffix(span_first(rest, n)))
        *add = "L";
    return n;
}

static size_t step(struct source *s, struct span rest, const char **add)
{
    switch (s->state) {
    case IN_CODE:
        return step_code(s, rest, add);
    case IN_LINE_COMMENT:
        if (rest.at[0] == '\n')
            s->state = IN_CODE;
        return 1;
    case IN_BLOCK_COMMENT:
        if (!span_starts(rest, SPAN("*/")))
            return 1;
        s->state = IN_CODE;
        return 2;
    case IN_STRING:
        if (rest.at[0] == '"')
            s->state = IN_CODE;
        return rest.at[0] == '\\' && rest.n > 1 ? 2 : 1;
    }
    return 1;
}

static bool add_line(struct source *s, struct span line)
{
    struct buf *to = &s->text->bytes;
    bool fits = begin_line(s);
    while (line.n > 0 && fits) {
        const char *add = "";
        size_t n = step(s, line, &add);
        fits = buf_add(to, span_first(line, n)) && buf_add_text(to, add);
        line = span_after(line, n);
    }
    return fits || fail(s, "too long a configuration");
}

static bool read_source(struct text *t, char *name, const struct source *by, struct buf *errors);

static bool is_include(struct span line)
{
    return span_starts(span_trim(line), SPAN("@include"));
}

static bool follow_include(struct source *s, struct span line)
{
    struct span rest = span_trim(span_after(span_trim(line), strlen("@include")));
    ptrdiff_t end = rest.n > 0 ? span_find(span_after(rest, 1), '"') : -1;
    if (end <= 0 || rest.at[0] != '"')
        return fail(s, "expected a file in quotes behind @include");
    struct span behind = span_trim(span_after(rest, (size_t)end + 2));
    if (behind.n > 0 && !span_starts(behind, SPAN("#")) && !span_starts(behind, SPAN("//")))
        return fail(s, "expected nothing on this line behind @include \"...\"");
    if (s->depth == TEXT_DEPTH_MAX || s->text->n_files == TEXT_FILES_MAX)
        return fail(s, "too many files include each other");
    struct span path = span_first(span_after(rest, 1), (size_t)end);
    return read_source(s->text, text_path(s->text->files[s->file], path, false), s, s->errors);
}

static bool read_lines(struct source *s, struct span bytes)
{
    while (bytes.n > 0) {
        ptrdiff_t end = span_find(bytes, '\n');
        struct span line = end < 0 ? bytes : span_first(bytes, (size_t)end + 1);
        s->line++;
        if (s->state == IN_CODE && is_include(line) ? !follow_include(s, line) : !add_line(s, line))
            return false;
        bytes = span_after(bytes, line.n);
    }
    if (s->state == IN_STRING)
        return fail(s, "a string in quotes does not end in this file");
    if (s->state == IN_BLOCK_COMMENT)
        return fail(s, "a comment /* does not end in this file");
    return s->text->bytes.n == 0 || s->text->bytes.at[s->text->bytes.n - 1] == '\n' ||
           buf_add_byte(&s->text->bytes, '\n') || fail(s, "too long a configuration");
}

/* Takes the name over. */
static bool read_source(struct text *t, char *name, const struct source *by, struct buf *errors)
{
    if (!add_file(t, name))
        return false;
    struct source s = {
        .text = t, .errors = errors, .by = by, .file = (unsigned)t->n_files - 1, .depth = by != NULL ? by->depth + 1 : 0
    };
    struct buf bytes;
    buf_init(&bytes, TEXT_BYTES_MAX);
    bool good = read_file(&s, &bytes) && read_lines(&s, buf_span(&bytes));
    buf_fini(&bytes);
    return good;
}

bool text_read(struct text *t, const char *file, struct buf *errors)
{
    return read_source(t, span_copy(span_of(file)), NULL, errors) && buf_add_byte(&t->bytes, '\0');
}

/* --- where things stand --- */

struct place text_place(const struct text *t, int line)
{
    if (line < 1 || t->n_lines == 0)
        return (struct place){ t->files[0], 0 };
    size_t i = (size_t)line <= t->n_lines ? (size_t)line - 1 : t->n_lines - 1;
    return (struct place){ t->files[t->lines[i].file], t->lines[i].line };
}

struct span text_line(const struct text *t, int line)
{
    if (line < 1 || t->n_lines == 0)
        return SPAN_NONE;
    size_t i = (size_t)line <= t->n_lines ? (size_t)line - 1 : t->n_lines - 1;
    size_t end = i + 1 < t->n_lines ? t->lines[i + 1].at : t->bytes.n - 1;
    return span_trim(span_bytes(t->bytes.at + t->lines[i].at, end - t->lines[i].at));
}
