/* Reading what the configuration names, once. Certificates, keys, CAs and master passwords are the fronts'; secrets and
 * CAs of verifiers are auth's; those of test accounts are backends'. */
#include "config/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/base/pack.h"

struct need {
    const char *path;
    const char *option;
    const char *site; /* NULL: no site's */
    bool secret;      /* nobody but its owner may write it */
    const char *file; /* and line that name it, where they are known; else NULL and 0 */
    int line;
};

struct needs {
    struct need *at;
    size_t n;
};

/* --- who needs what --- */

static void add_need(struct needs *needs, const struct need *n)
{
    for (size_t i = 0; i < needs->n; i++)
        if (strcmp(needs->at[i].path, n->path) == 0)
            return;
    needs->at[needs->n++] = *n;
}

static void need(struct needs *needs, const char *path, const char *option, const char *site)
{
    add_need(needs, &(struct need){ .path = path, .option = option, .site = site });
}

static void need_for_sites(struct needs *needs, const struct config *config)
{
    bool common = false;
    for (size_t i = 0; i < config->n_sites; i++) {
        const struct site_config *s = &config->sites[i];
        if (s->credentials == CREDENTIALS_MASTER)
            add_need(needs, &(struct need){ s->master_password_file, "master_password_file", s->name, true, s->file,
                                            s->line });
        if (s->security != SECURITY_TLS && s->security != SECURITY_STARTTLS)
            continue;
        if (s->ca_file[0] != '\0')
            need(needs, s->ca_file, "ca_file", s->name);
        else
            common |= s->verify && s->pin_sha256[0] == '\0';
    }
    bool serves = config->protocols[IMAP].on || config->protocols[POP3].on;
    if (common && serves) /* nobody wrote it, perhaps, so its absence is only told when it matters */
        need(needs, config->tls.ca_file, "tls.ca_file", NULL);
}

static void need_for_front(struct needs *needs, const struct config *config)
{
    for (size_t i = 0; i < config->tls.n_certificates; i++) {
        need(needs, config->tls.certificates[i].chain, "tls.certificates", NULL);
        need(needs, config->tls.certificates[i].key, "tls.certificates", NULL);
    }
    need_for_sites(needs, config);
}

static bool uses_tls(const struct verifier_config *v)
{
    for (size_t i = 0; i < v->urls.n; i++)
        if (strncmp(v->urls.at[i], "https://", 8) == 0 || strncmp(v->urls.at[i], "ldaps://", 8) == 0)
            return true;
    return v->starttls;
}

static void need_for_verifier(struct needs *needs, const struct config *config, const struct verifier_config *v,
                              const char *secret_option, const char *ca_option)
{
    const char *ca = v->ca_file[0] != '\0' ? v->ca_file : config->tls.ca_file;
    if (v->secret_file[0] != '\0')
        add_need(needs,
                 &(struct need){ v->secret_file, secret_option, .secret = true, .file = v->file, .line = v->line });
    if (uses_tls(v))
        add_need(needs, &(struct need){ ca, ca_option, .file = v->file, .line = v->line });
}

static void need_for_auth(struct needs *needs, const struct config *config)
{
    for (size_t i = 0; i < config->auth.n_verifiers; i++)
        need_for_verifier(needs, config, &config->auth.verifiers[i], "auth.verifiers.secret_file",
                          "auth.verifiers.ca_file");
    if (config->directory.driver == DIRECTORY_LDAP)
        need_for_verifier(needs, config, &config->directory.ldap, "directory.secret_file", "directory.ca_file");
}

/* For the logins of checks: the same trust as the fronts have. */
static void need_for_backends(struct needs *needs, const struct config *config)
{
    for (size_t i = 0; i < config->n_sites; i++) {
        const struct site_config *s = &config->sites[i];
        bool tls = s->security == SECURITY_TLS || s->security == SECURITY_STARTTLS;
        if (s->check_user[0] == '\0')
            continue;
        add_need(needs,
                 &(struct need){ s->check_password_file, "check_password_file", s->name, true, s->file, s->line });
        if (tls && s->verify && s->pin_sha256[0] == '\0')
            need(needs, site_ca_file(config, s), "ca_file", s->name);
    }
}

/* False only when memory is short; needs->at is the caller's to free. */
static bool find_needs(const struct config *config, unsigned roles, struct needs *needs)
{
    size_t most = 2 * config->tls.n_certificates + 4 * config->n_sites + 2 * config->auth.n_verifiers + 3;
    *needs = (struct needs){ .at = calloc(most, sizeof *needs->at) };
    if (needs->at == NULL)
        return false;
    if ((roles & FOR_FRONT) != 0)
        need_for_front(needs, config);
    if ((roles & FOR_AUTH) != 0)
        need_for_auth(needs, config);
    if ((roles & FOR_BACKENDS) != 0)
        need_for_backends(needs, config);
    return true;
}

const char **bundle_paths(const struct config *config, unsigned roles, size_t *n)
{
    struct needs needs;
    *n = 0;
    if (!find_needs(config, roles, &needs))
        return NULL;
    const char **paths = calloc(needs.n + 1, sizeof *paths);
    for (size_t i = 0; i < needs.n && paths != NULL; i++)
        paths[(*n)++] = needs.at[i].path;
    free(needs.at);
    return paths;
}

/* --- reading --- */

/* NULL, or why not. */
static const char *read_file(const struct need *need, struct buf *to)
{
    struct stat status;
    const char *why = NULL;
    int fd = open(need->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "not a regular file";
    else if (need->secret && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        why = "its group or everybody may write it, expected its owner alone";
    else if (status.st_size > BUNDLE_FILE_MAX)
        why = "more than 4 MiB";
    else if (!buf_read(to, fd))
        why = strerror(errno);
    else if (to->n == 0)
        why = "it is empty";
    if (fd >= 0)
        close(fd);
    return why;
}

static bool report(struct buf *errors, const struct need *need, const char *why)
{
    if (need->file != NULL && need->line > 0 && !buf_printf(errors, "%s:%d: ", need->file, need->line))
        return false;
    if (need->site != NULL)
        return buf_printf(errors, "%s: cannot be read: %s (named by %s of site \"%s\")\n", need->path, why,
                          need->option, need->site);
    return buf_printf(errors, "%s: cannot be read: %s (named by %s)\n", need->path, why, need->option);
}

static bool add_file(struct buf *to, const struct need *need, struct buf *errors)
{
    struct buf bytes;
    buf_init_secret(&bytes, BUNDLE_FILE_MAX + 2 * 16384); /* and a file may have grown since fstat */
    const char *why = read_file(need, &bytes);
    if (why == NULL && (!pack_string(to, span_of(need->path)) || !pack_string(to, buf_span(&bytes))))
        why = "all files together are over 64 MiB, or memory is short";
    buf_fini(&bytes);
    if (why != NULL && !report(errors, need, why))
        return false;
    return why == NULL;
}

bool bundle_read(const struct config *config, unsigned roles, struct buf *to, struct buf *errors)
{
    struct needs needs;
    bool good = true;
    buf_init_secret(to, BUNDLE_MAX);
    if (!find_needs(config, roles, &needs)) {
        bool told = buf_add_text(errors, "out of memory\n");
        (void)told;
        return false;
    }
    for (size_t i = 0; i < needs.n; i++)
        good &= add_file(to, &needs.at[i], errors);
    free(needs.at);
    return good;
}

bool bundle_warn(const struct config *config, unsigned roles, struct buf *warnings)
{
    struct needs needs;
    struct stat status;
    bool told = find_needs(config, roles, &needs);
    for (size_t i = 0; told && i < needs.n; i++)
        if (needs.at[i].secret && stat(needs.at[i].path, &status) == 0 && (status.st_mode & S_IROTH) != 0)
            told = buf_printf(warnings, "WEAK: %s can be read by everybody (named by %s)\n", needs.at[i].path,
                              needs.at[i].option);
    free(needs.at);
    return told;
}

struct span bundle_find(struct span bundle, const char *path)
{
    struct unpack u = { .rest = bundle };
    while (u.rest.n > 0 && !u.bad) {
        struct span name = unpack_string(&u, BUNDLE_MAX);
        struct span bytes = unpack_string(&u, BUNDLE_MAX);
        if (!u.bad && span_eq(name, span_of(path)))
            return bytes;
    }
    return SPAN_NONE;
}
