/* What a loaded configuration can be asked, and its memory: a chain of blocks, so that a thousand sites are freed
 * without walking them and strings may be shared between listeners. */
#include "config/config.h"

#include <stdlib.h>

#include "config/memory.h"

const char *const verifier_driver_names[VERIFIER_DRIVERS] = { "site", "file", "http", "oauth", "ldap" };

const char *const protocol_names[PROTOCOLS] = { "imap", "pop3" };
const char *const server_names[SERVER_PROTOCOLS] = { "imap", "pop3", "smtp" };
const char *const security_names[SECURITY_IPSEC + 1] = { "tls", "starttls", "loopback", "clear", "ipsec" };

struct config_block {
    struct config_block *next;
    max_align_t bytes[];
};

struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return NULL;
    for (enum protocol p = IMAP; p < PROTOCOLS; p++)
        config->protocols[p].common.protocol = p;
    return config;
}

void *config_alloc(struct config *config, size_t n, size_t item_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, item_bytes, &bytes) || bytes > SIZE_MAX - sizeof(struct config_block))
        return NULL;
    struct config_block *block = calloc(1, sizeof *block + bytes);
    if (block == NULL)
        return NULL;
    block->next = config->memory;
    config->memory = block;
    return block->bytes;
}

const char *config_string(struct config *config, struct span s)
{
    char *copy = config_alloc(config, s.n + 1, 1);
    if (copy != NULL && s.n > 0)
        memcpy(copy, s.at, s.n);
    return copy;
}

bool config_has_ipsec(const struct config *config)
{
    for (size_t i = 0; i < config->n_sites; i++)
        if (config->sites[i].security == SECURITY_IPSEC)
            return true;
    return false;
}

ptrdiff_t config_site(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->n_sites; i++)
        if (span_eq(span_of(config->sites[i].name), name))
            return (ptrdiff_t)i;
    return -1;
}

const char *site_ca_file(const struct config *config, const struct site_config *site)
{
    return site->ca_file[0] != '\0' ? site->ca_file : config->tls.ca_file;
}

bool networks_have(const struct networks *list, const struct addr *a)
{
    for (size_t i = 0; i < list->n; i++)
        if (network_has(&list->at[i], a))
            return true;
    return false;
}

void config_free(struct config **config)
{
    if (*config == NULL)
        return;
    for (struct config_block *block = (*config)->memory, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(*config);
    *config = NULL;
}
