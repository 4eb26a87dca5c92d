/* Accounts in a file. A line is checked without computing a hash: crypt_checksalt(3) knows kinds and their costs. */
#include "auth/verifiers/passwd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/directory/switches.h"
#include "proxy/base/pack.h"

/* ---- hashes ---- */

#ifdef HOMEWARD_HAS_CRYPT
#include <crypt.h>

/* How long the part behind the last "$" is: a hash that was cut off would never match. */
static const struct kind {
    const char *prefix;
    size_t tail;
} kinds[] = {
    {"$y$",   43},
    { "$gy$", 43},
    { "$2",   53},
    { "$6$",  86},
    { "$5$",  43},
    { "$7$",  43},
};

bool passwd_hash_is_usable(const char *hash)
{
    const char *tail = strrchr(hash, '$');
    for (size_t i = 0; i < COUNT_OF(kinds) && tail != NULL; i++)
        if (span_starts(span_of(hash), span_of(kinds[i].prefix)))
            return strlen(tail + 1) == kinds[i].tail && crypt_checksalt(hash) == CRYPT_SALT_OK;
    return false;
}

bool passwd_matches(struct span password, const char *hash)
{
    bool same = false;
    char *phrase = span_has(password, '\0') ? NULL : span_copy(password);
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *result = phrase != NULL && data != NULL ? crypt_r(phrase, hash, data) : NULL;
    if (result != NULL && result[0] != '*') {
        size_t n = strlen(result);
        unsigned char differ = n != strlen(hash);
        for (size_t i = 0; i < n && hash[i] != '\0'; i++) /* whoever measures learns nothing of where they differ */
            differ |= (unsigned char)(result[i] ^ hash[i]);
        same = differ == 0;
    }
    if (data != NULL)
        explicit_bzero(data, sizeof *data);
    if (phrase != NULL)
        explicit_bzero(phrase, password.n);
    free(data);
    free(phrase);
    return same;
}

const char *passwd_library_version(void)
{
    return XCRYPT_VERSION_STR;
}
#else
bool passwd_hash_is_usable(const char *hash UNUSED)
{
    return false;
}

bool passwd_matches(struct span password UNUSED, const char *hash UNUSED)
{
    return false;
}

const char *passwd_library_version(void)
{
    return "";
}
#endif

/* ---- reading the text ---- */

struct reader {
    const char *path;
    struct buf *errors;
    size_t n_errors, line;
    struct name_rules names;
    struct table_writer table;
    struct buf login, value, names_text;
    bool no_memory;
};

static void complain(struct reader *r, size_t line, const char *format, ...) PRINTF_LIKE(3, 4);
static void complain(struct reader *r, size_t line, const char *format, ...)
{
    char text[512];
    if (r->n_errors++ >= PASSWD_ERRORS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->no_memory |= !buf_printf(r->errors, "%s:%zu: %s\n", r->path, line, text);
}

static struct span next_field(struct span *rest)
{
    ptrdiff_t colon = span_find(*rest, ':');
    struct span field = colon < 0 ? *rest : span_first(*rest, (size_t)colon);
    *rest = colon < 0 ? SPAN_NONE : span_after(*rest, (size_t)colon + 1);
    return field;
}

/* {CRYPT}, {BLF-CRYPT}, {SHA512-CRYPT} … say what the hash says by itself. */
static struct span without_scheme(struct span hash)
{
    ptrdiff_t end = span_find(hash, '}');
    /* lint: where something is found there is something */
    bool is_crypt = end > 5 && hash.at[0] == '{' && span_eq_nocase(span_bytes(hash.at + end - 5, 5), SPAN("CRYPT"));
    return is_crypt ? span_after(hash, (size_t)end + 1) : hash;
}

static bool is_locked(struct span hash)
{
    return hash.n > 0 && (hash.at[0] == '!' || hash.at[0] == '*');
}

/* Never shows it. */
static bool check_hash(struct reader *r, struct span login, struct span hash)
{
    char text[PASSWD_HASH_MAX + 1];
    if (hash.n > 0 && hash.n <= PASSWD_HASH_MAX && !span_has(hash, '\0')) {
        memcpy(text, hash.at, hash.n);
        text[hash.n] = '\0';
        if (passwd_hash_is_usable(text))
            return true;
    }
    complain(r, r->line, "%.*s: found %s, expected one of crypt(5): yescrypt ($y$), bcrypt ($2b$), SHA-512 ($6$)",
             SPAN_ARG(login), hash.n == 0 ? "no hash" : "a hash of an unknown or weak kind");
    return false;
}

static bool check_options(struct reader *r, struct span options)
{
    struct switches switches = { 0 };
    struct switches_reader reader = { .names = &r->names, .to = &switches, .text = &r->names_text };
    struct span word;
    const char *expected;
    while (span_word(&options, &word)) {
        if (switches_read(&reader, word, &expected) == SWITCHES_READ)
            continue;
        complain(r, r->line, "found the option \"%.*s\", expected %s", SPAN_ARG(span_first(word, 100)), expected);
        return false;
    }
    return true;
}

static void read_account(struct reader *r, struct span line)
{
    struct span rest = line, name = next_field(&rest), hash = without_scheme(next_field(&rest)), options = SPAN_NONE;
    for (int field = 2; field < 8; field++)
        options = next_field(&rest);
    if (!name_canonical(&r->names, name, &r->login)) {
        complain(r, r->line, "found \"%.*s\", expected the name of an account", SPAN_ARG(span_first(name, 100)));
        return;
    }
    if (is_locked(hash))
        hash = SPAN_NONE;
    else if (!check_hash(r, buf_span(&r->login), hash))
        return;
    if (!check_options(r, options))
        return;
    buf_clear(&r->value);
    r->no_memory |= !pack_string(&r->value, hash) || !pack_string(&r->value, options) ||
                    !table_writer_add(&r->table, buf_span(&r->login), buf_span(&r->value), r->line);
}

static void read_lines(struct reader *r, struct span text)
{
    while (text.n > 0 && !r->no_memory) {
        ptrdiff_t end = span_find(text, '\n');
        struct span line = end < 0 ? text : span_first(text, (size_t)end);
        r->line++;
        text = span_after(text, line.n + 1);
        line = span_trim(line);
        if (line.n > PASSWD_LINE_MAX)
            complain(r, r->line, "found a line of %zu bytes, expected at most %d", line.n, PASSWD_LINE_MAX);
        else if (line.n > 0 && line.at[0] != '#')
            read_account(r, line);
        if (end < 0)
            complain(r, r->line,
                     "found a last line without its end, expected a newline: the file seems to be still written");
    }
}

static void tell_doubles(struct reader *r)
{
    struct span key;
    size_t at = 0, first, again;
    while (table_writer_double(&r->table, &at, &key, &first, &again))
        complain(r, again, "found %.*s again, expected it once: it stands in line %zu already", SPAN_ARG(key), first);
}

bool passwd_compile(const struct config *config, const char *path, struct span text, struct buf *to, struct buf *errors)
{
    struct reader r = { .path = path, .errors = errors };
    const char *wrong;
    buf_init(&r.login, NAME_BYTES_MAX);
    buf_init_secret(&r.value, 2 * PASSWD_LINE_MAX);
    buf_init(&r.names_text, SWITCHES_NAMES_MAX);
    table_writer_init(&r.table, SIZE_MAX / 4);
    r.no_memory = !name_rules_init(&r.names, config, &wrong);
    read_lines(&r, text);
    table_writer_sort(&r.table);
    tell_doubles(&r);
    if (r.no_memory || (r.n_errors == 0 && !table_writer_write(&r.table, PASSWD_MAGIC, to)))
        complain(&r, r.line, "found %zu accounts, expected no more than memory can hold", r.table.n);
    if (r.n_errors > PASSWD_ERRORS_MAX &&
        !buf_printf(errors, "%s: and %zu more errors\n", path, r.n_errors - PASSWD_ERRORS_MAX))
        r.no_memory = true;
    table_writer_fini(&r.table);
    name_rules_fini(&r.names);
    buf_fini(&r.login);
    buf_fini(&r.value);
    buf_fini(&r.names_text);
    return r.n_errors == 0 && !r.no_memory;
}

static bool unpack_entry(struct span value, struct passwd_entry *entry)
{
    struct unpack u = { .rest = value };
    entry->hash = unpack_string(&u, PASSWD_HASH_MAX);
    entry->options = unpack_string(&u, PASSWD_LINE_MAX);
    return !u.bad;
}

bool passwd_find(const struct table *accounts, struct span login, struct passwd_entry *entry)
{
    struct span value;
    return table_find(accounts, login, &value) && unpack_entry(value, entry);
}

struct span passwd_any_hash(const struct table *accounts)
{
    enum { LOOKED_AT = 100 };
    struct passwd_entry entry;
    for (size_t i = 0; i < accounts->n && i < LOOKED_AT; i++)
        if (unpack_entry(table_value(accounts, i), &entry) && entry.hash.n > 0)
            return entry.hash;
    return SPAN_NONE;
}
