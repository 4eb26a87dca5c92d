/* The check, in the order in which an admin meets it: configuration, files, certificates, map. */
#include "proxy/supervisor/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/accounts_check.h"
#include "auth/directory/map.h"
#include "auth/verifiers/passwd.h"
#include "config/bundle.h"
#include "proxy/base/pack.h"
#include "proxy/net/hosts.h"
#include "proxy/net/sandbox.h"
#include "proxy/supervisor/birth.h"
#include "proxy/supervisor/blobs.h"
#include "proxy/supervisor/files.h"
#include "proxy/supervisor/privileges.h"
#include "proxy/supervisor/tell.h"
#include "proxy/supervisor/tls_files.h"

enum { TEXT_MAX = 1 << 20, CONFIG_MAX = 16 << 20, SEEN_MAX = 4 << 20, TOLD_MAX = 8000 };

static void say_no_memory(struct check_result *r)
{
    if (r->errors.n == 0 && !buf_add_text(&r->errors, "out of memory\n"))
        abort(); /* not even this line: the process ends, and main says so */
}

/* Only root changes its user, so only root needs one that exists. */
static bool check_user(const struct config *config, const char *file, struct buf *errors)
{
    if (geteuid() != 0 || getpwnam(config->run.user) != NULL)
        return true;
    return complain(errors, "%s: run.user is \"%s\", but this machine has no such user; create it, or name another one",
                    file, config->run.user);
}

/* Who looks may not be who starts it: a warning, and the start itself is what fails. */
static bool check_capability(const struct config *config, const char *file, struct buf *warnings)
{
    if (!config_has_ipsec(config) || privileges_have_net_admin())
        return true;
    return buf_printf(
        warnings,
        "%s: a site has security = \"ipsec\", which needs CAP_NET_ADMIN; this process does not have it, and "
        "a homeward that is started like this will not start\n",
        file);
}

/* What the kernel lacks is no reason to refuse, unless that is what the admin wants. */
static bool check_sandbox(const struct config *config, const char *file, struct check_result *r)
{
    struct sandbox_kernel kernel = sandbox_of_kernel();
    const char *lacks = !kernel.seccomp && kernel.landlock == 0 ? "seccomp and no Landlock"
                        : !kernel.seccomp                       ? "seccomp"
                        : kernel.landlock == 0                  ? "Landlock"
                                                                : NULL;
    switch (config->run.sandbox) {
    case SANDBOX_MODE_AUTO:
        return lacks == NULL || buf_printf(&r->warnings,
                                           "%s: this kernel has no %s: the sandbox of the processes that "
                                           "meet the network goes without (run.sandbox)\n",
                                           file, lacks);
    case SANDBOX_MODE_REQUIRED:
        return lacks == NULL ||
               complain(&r->errors, "%s: run.sandbox is \"required\", but this kernel has no %s", file, lacks);
    case SANDBOX_MODE_OFF:
        break;
    }
    return buf_printf(&r->warnings, "WEAK: %s: run.sandbox is \"off\"\n", file);
}

static struct config *get_config(const struct check_order *order, struct check_result *r)
{
    if ((order->parts & CHECK_CONFIG) == 0)
        return config_parse(order->in_force);
    struct config *config = config_load(order->file, &r->errors, &r->warnings);
    if (config != NULL && (!check_user(config, order->file, &r->errors) || !accounts_check(config, &r->errors) ||
                           !check_capability(config, order->file, &r->warnings) ||
                           !check_sandbox(config, order->file, r) || !config_dump(config, ~0U, &r->config)))
        config_free(&config);
    return config;
}

static const struct verifier_config *file_verifier(const struct config *config)
{
    for (size_t i = 0; i < config->auth.n_verifiers; i++)
        if (config->auth.verifiers[i].driver == VERIFIER_FILE)
            return &config->auth.verifiers[i];
    return NULL;
}

/* Stamps are taken before the files are read: a change in between is seen as one later. */
static bool see_files(const struct config *config, struct buf *seen)
{
    size_t n;
    const char **paths = bundle_paths(config, FOR_FRONT | FOR_AUTH | FOR_BACKENDS, &n);
    const struct verifier_config *file = file_verifier(config);
    bool good = paths != NULL && files_pack(seen, FILES_HOSTS, HOSTS_PATH) &&
                (config->directory.path[0] == '\0' || files_pack(seen, FILES_MAP, config->directory.path)) &&
                (file == NULL || files_pack(seen, FILES_ACCOUNTS, file->path));
    for (size_t i = 0; good && i < n; i++)
        good = files_pack(seen, FILES_CERTIFICATES, paths[i]);
    free(paths);
    return good;
}

static bool check_files(const struct config *config, struct check_result *r)
{
    return bundle_read(config, FOR_FRONT, &r->front_bundle, &r->errors) &&
           bundle_read(config, FOR_AUTH, &r->auth_bundle, &r->errors) &&
           bundle_read(config, FOR_BACKENDS, &r->backends_bundle, &r->errors) &&
           bundle_warn(config, FOR_FRONT | FOR_AUTH | FOR_BACKENDS, &r->warnings) &&
           tls_files_check(config, buf_span(&r->front_bundle), &r->errors, &r->warnings);
}

/* A text that is compiled: who names it, and whether only its owner may write it. */
struct named_file {
    const char *path, *option;
    bool secret;
    const char *file; /* and line of the configuration; line 0: not known */
    int line;
};

static bool cannot_read(const struct named_file *f, const char *why, struct buf *errors)
{
    if (f->line > 0)
        return complain(errors, "%s:%d: %s: cannot be read: %s (named by %s)", f->file, f->line, f->path, why,
                        f->option);
    return complain(errors, "%s: cannot be read: %s (named by %s)", f->path, why, f->option);
}

static const char *what_is_wrong(const struct named_file *f, int fd, struct stat *is)
{
    if (fstat(fd, is) != 0)
        return strerror(errno);
    if (!S_ISREG(is->st_mode))
        return "it is not a file";
    if (f->secret && (is->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "its group or everybody may write it, expected its owner alone";
    return is->st_size >= BLOB_MAX ? "it is over 1 GiB" : NULL;
}

/* Read, not mapped: somebody may cut the file while we look at it. */
static bool read_text(const struct named_file *f, struct buf *text, struct buf *errors)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat is;
    if (fd < 0)
        return cannot_read(f, strerror(errno), errors);
    const char *wrong = what_is_wrong(f, fd, &is);
    for (ssize_t n = 1; wrong == NULL && n > 0;) {
        char *room = buf_space(text, text->n == 0 ? (size_t)is.st_size + 1 : 1 << 16);
        n = room != NULL ? read(fd, room, text->room - text->n) : 0;
        if (n > 0)
            buf_grew(text, (size_t)n);
        wrong = room == NULL ? "out of memory" : n < 0 ? strerror(errno) : NULL;
    }
    close(fd);
    return wrong == NULL || cannot_read(f, wrong, errors);
}

static bool check_map(const struct config *config, struct span before, struct check_result *r)
{
    struct buf text;
    buf_init(&text, BLOB_MAX);
    const struct named_file map = { .path = config->directory.path, .option = "directory.path" };
    bool is_file = config->directory.driver == DIRECTORY_FILE; /* else the map is empty, and nobody looks into it */
    bool good = (!is_file || read_text(&map, &text, &r->errors)) &&
                map_compile(config, config->directory.path, buf_span(&text), before, is_file && before.n > 0, &r->map,
                            &r->errors);
    buf_fini(&text);
    return good;
}

static bool check_accounts(const struct config *config, struct check_result *r)
{
    const struct verifier_config *file = file_verifier(config);
    struct buf text;
    if (file == NULL)
        return true;
    const struct named_file named = { file->path, "auth.verifiers.path", true, file->file, file->line };
    buf_init_secret(&text, BLOB_MAX);
    bool good = read_text(&named, &text, &r->errors) &&
                passwd_compile(config, file->path, buf_span(&text), &r->accounts, &r->errors);
    buf_fini(&text);
    return good;
}

/* Certificates, the map and accounts are all looked at, so that all that is wrong is said at once. */
bool check_run(const struct check_order *order, struct check_result *r)
{
    buf_init(&r->config, CONFIG_MAX);
    buf_init(&r->seen, SEEN_MAX);
    buf_init_secret(&r->front_bundle, BUNDLE_MAX);
    buf_init_secret(&r->auth_bundle, BUNDLE_MAX);
    buf_init_secret(&r->backends_bundle, BUNDLE_MAX);
    buf_init(&r->map, BLOB_MAX);
    buf_init_secret(&r->accounts, BLOB_MAX);
    buf_init(&r->errors, TEXT_MAX);
    buf_init(&r->warnings, TEXT_MAX);
    struct config *config = get_config(order, r);
    bool good = config != NULL && see_files(config, &r->seen);
    if (good && (order->parts & CHECK_FILES) != 0)
        good = check_files(config, r);
    if (config != NULL && (order->parts & CHECK_MAP) != 0)
        good = check_map(config, order->map_before, r) && good;
    if (config != NULL && (order->parts & CHECK_ACCOUNTS) != 0)
        good = check_accounts(config, r) && good;
    config_free(&config);
    if (!good)
        say_no_memory(r);
    return good;
}

void check_fini(struct check_result *r)
{
    buf_fini(&r->config);
    buf_fini(&r->seen);
    buf_fini(&r->front_bundle);
    buf_fini(&r->auth_bundle);
    buf_fini(&r->backends_bundle);
    buf_fini(&r->map);
    buf_fini(&r->accounts);
    buf_fini(&r->errors);
    buf_fini(&r->warnings);
}

/* ---- the process ---- */

bool check_pack(const struct check_order *order, struct buf *to)
{
    return pack_number(to, order->parts, 1) && pack_string(to, span_of(order->file));
}

static bool get_order(const struct message *boot, struct check_order *order, char **file)
{
    struct span packed = SPAN_NONE;
    if (boot->n_fds != 3 || !blob_map(boot->fds[0], &packed) || !blob_map(boot->fds[1], &order->in_force) ||
        !blob_map(boot->fds[2], &order->map_before))
        return false;
    struct unpack from = { .rest = packed };
    order->parts = (unsigned)unpack_number(&from, 1);
    order->file = *file = span_copy(unpack_string(&from, FILES_PATH_MAX));
    blob_unmap(&packed);
    return !from.bad && *file != NULL;
}

/* What fits into a message, whole lines only. */
static struct span first_lines(struct span text)
{
    struct span cut = span_first(text, TOLD_MAX);
    ptrdiff_t end = span_find_last(cut, '\n');
    return text.n <= TOLD_MAX || end < 0 ? cut : span_first(cut, (size_t)end + 1);
}

/* The blobs stay open as long as the process, which ends now. */
static bool say_good(int main_fd, const struct check_result *r)
{
    struct message m = { .type = MSG_CHECKED, .text.text = first_lines(buf_span(&r->warnings)), .n_fds = 6 };
    struct buf news;
    buf_init(&news, CONFIG_MAX + SEEN_MAX + 64);
    bool good = pack_string(&news, buf_span(&r->config)) && pack_string(&news, buf_span(&r->seen));
    m.fds[0] = good ? blob_make("configuration", buf_span(&news)) : -1;
    m.fds[1] = blob_make("front bundle", buf_span(&r->front_bundle));
    m.fds[2] = blob_make("auth bundle", buf_span(&r->auth_bundle));
    m.fds[3] = blob_make("backends bundle", buf_span(&r->backends_bundle));
    m.fds[4] = blob_make("map", buf_span(&r->map));
    m.fds[5] = blob_make("accounts", buf_span(&r->accounts));
    for (size_t i = 0; i < m.n_fds; i++)
        good = good && m.fds[i] >= 0;
    buf_fini(&news);
    return good && birth_say(main_fd, &m);
}

static bool say_bad(int main_fd, const struct check_result *r)
{
    struct message m = { .type = MSG_FAILED, .text.text = first_lines(buf_span(&r->errors)) };
    return birth_say(main_fd, &m);
}

int check_process(int main_fd, const struct message *boot)
{
    struct check_order order = { 0 };
    struct check_result result;
    char *file = NULL;
    if (!get_order(boot, &order, &file))
        return 1;
    bool good = check_run(&order, &result);
    bool said = good ? say_good(main_fd, &result) : say_bad(main_fd, &result);
    check_fini(&result);
    free(file);
    return said ? 0 : 1;
}
