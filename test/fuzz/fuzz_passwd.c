/* The file of accounts. First byte even: its text, which is refused or compiled to a table that can be opened; odd: the
 * compiled bytes, which are refused or can be walked through. */
#include "auth/verifiers/passwd.h"

#include "test/fuzz/fuzz.h"

static const struct config config;

void fuzz_start(void)
{
}

static void walk(const struct table *accounts)
{
    struct passwd_entry entry;
    for (size_t i = 0; i < accounts->n; i++)
        FUZZ_REQUIRE(table_value(accounts, i).n <= accounts->bytes.n);
    bool found = passwd_find(accounts, SPAN("anna@example.com"), &entry);
    FUZZ_REQUIRE(!found || entry.hash.n <= PASSWD_HASH_MAX);
    FUZZ_REQUIRE(passwd_any_hash(accounts).n <= PASSWD_HASH_MAX);
}

void fuzz_one(struct span input)
{
    struct buf bytes, errors;
    struct table accounts;
    if (fuzz_choice(&input, 2) == 1) {
        if (table_open(&accounts, PASSWD_MAGIC, input))
            walk(&accounts);
        return;
    }
    buf_init_secret(&bytes, SIZE_MAX / 4);
    buf_init(&errors, 1 << 20);
    bool good = passwd_compile(&config, "accounts", input, &bytes, &errors);
    FUZZ_REQUIRE(good == (errors.n == 0));
    if (good) {
        FUZZ_REQUIRE(table_open(&accounts, PASSWD_MAGIC, buf_span(&bytes)));
        walk(&accounts);
    }
    buf_fini(&bytes);
    buf_fini(&errors);
}
