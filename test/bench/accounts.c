/* What the file of accounts costs: reading a million lines, as the check does, and looking one of them up, as auth
 * does. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/verifiers/passwd.h"

enum { LOOK_UPS = 1000000 };

static const char hash[] =
    "$6$rounds=5000$9PMDLJ7LdDgzX2rT$0jnbnnHmjc3rMzjyX33XaTt7MK8ShJ5bTRJo1RLzmyc1FoZ5gXoFVYgQXJ1cBQi3"
    "ZHcbSFqGBeOzTxHIBQDXV0";

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void name_of(char to[64], unsigned long i)
{
    snprintf(to, 64, "user%07lu@demo.test", i);
}

static bool write_text(struct buf *to, unsigned long n)
{
    char name[64];
    bool good = true;
    for (unsigned long i = 0; i < n && good; i++) {
        name_of(name, i * 7919 % n); /* in no order */
        good = buf_printf(to, "%s:%s::::::%s\n", name, hash, i % 10 == 0 ? "protocols=imap" : "");
    }
    return good;
}

static bool look_up(const struct table *accounts, unsigned long n)
{
    struct passwd_entry entry;
    char name[64];
    bool good = true;
    unsigned long at = 1;
    for (unsigned long i = 0; i < LOOK_UPS; i++) {
        at = at * 6364136223846793005UL + 1442695040888963407UL;
        name_of(name, (at >> 33) % n);
        good = passwd_find(accounts, span_of(name), &entry) && good;
    }
    return good;
}

int main(int argc, char **argv)
{
    static const struct config config = { .accounts.default_domain = "demo.test" };
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    struct buf text, compiled, errors;
    struct table accounts;
    buf_init(&text, 1UL << 31);
    buf_init(&compiled, 1UL << 31);
    buf_init(&errors, 65536);
    if (!write_text(&text, n))
        return 1;
    double begin = now_s();
    if (!passwd_compile(&config, "accounts", buf_span(&text), &compiled, &errors)) {
        fprintf(stderr, "%.*s", SPAN_ARG(buf_span(&errors)));
        return 1;
    }
    double checked = now_s();
    bool good = table_open(&accounts, PASSWD_MAGIC, buf_span(&compiled));
    double opened = now_s();
    good = good && look_up(&accounts, n);
    double looked = now_s();
    printf("accounts      %lu, %zu MiB of text\n", n, text.n >> 20);
    printf("check         %.2f s   (by the process that checks; nobody waits)\n", checked - begin);
    printf("take over     %.3f s  (by auth)\n", opened - checked);
    printf("one look-up   %.2f us\n", (looked - opened) * 1e6 / LOOK_UPS);
    buf_fini(&text);
    buf_fini(&compiled);
    buf_fini(&errors);
    return good ? 0 : 1;
}
