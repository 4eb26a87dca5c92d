/* From a port to a program: /proc/net/tcp gives the socket's inode, /proc/PID/fd who holds it. */
#include "proxy/supervisor/occupant.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTENING = 10 /* TCP_LISTEN in the kernel's table */, LINE_BYTES = 512 };

/* The table has an address as 32-bit words in hex, each in the machine's own order. */
static bool is_in_the_way(const char *host, const struct addr *address)
{
    uint32_t words[4] = { 0 }, ours[4] = { 0 };
    size_t n = strlen(host) / 8;
    for (size_t i = 0; i < n; i++)
        sscanf(host + i * 8, "%8x", &words[i]); /* lint: eight digits of hex, as the caller has made sure */
    memcpy(ours, address->bytes, sizeof ours);
    bool any = (words[0] | words[1] | words[2] | words[3]) == 0;
    bool same_family = (n == 1) == (address->family == AF_INET);
    return any || (same_family && (addr_is_wildcard(address) || memcmp(words, ours, n * 4) == 0));
}

bool occupant_parse(const char *line, const struct addr *address, unsigned long *inode)
{
    char host[33];
    unsigned port, state;
    /* lint: the kernel writes numbers that fit */
    return sscanf(line, "%*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", host, &port,
                  &state, inode) == 4 &&
           port == address->port && state == LISTENING && *inode != 0 && is_in_the_way(host, address);
}

static bool find_inode(const char *table, const struct addr *address, unsigned long *inode)
{
    char line[LINE_BYTES];
    bool found = false;
    FILE *file = fopen(table, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = occupant_parse(line, address, inode);
    if (file != NULL)
        fclose(file);
    return found;
}

static bool holds(const char *pid, const char *socket)
{
    char path[300], target[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    for (const struct dirent *entry = NULL; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        found = strcmp(target, socket) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

static void name_of(const char *pid, char text[OCCUPANT_TEXT_MAX])
{
    char path[300], name[32] = { 0 };
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL && fgets(name, sizeof name, file) != NULL)
        name[strcspn(name, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
    snprintf(text, OCCUPANT_TEXT_MAX, "%s%spid %.20s", name, name[0] != '\0' ? ", " : "", pid);
}

static void find_holder(unsigned long inode, char text[OCCUPANT_TEXT_MAX])
{
    char socket[64];
    snprintf(socket, sizeof socket, "socket:[%lu]", inode);
    DIR *dir = opendir("/proc");
    for (const struct dirent *entry = NULL; dir != NULL && text[0] == '\0' && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && holds(entry->d_name, socket))
            name_of(entry->d_name, text);
    if (dir != NULL)
        closedir(dir);
}

const char *occupant_text(const struct addr *address, char text[OCCUPANT_TEXT_MAX])
{
    unsigned long inode;
    text[0] = '\0';
    if (find_inode("/proc/net/tcp", address, &inode) || find_inode("/proc/net/tcp6", address, &inode))
        find_holder(inode, text);
    return text;
}
