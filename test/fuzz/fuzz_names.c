/* Names as people type them: refused, or canonical, and a canonical name is its own canonical form. */
#include "auth/names/names.h"

#include "auth/names/domains.h"
#include "auth/names/precis.h"
#include "test/fuzz/fuzz.h"

static struct domain_config domains[] = {
    {.name = "CORP",               .is = "example.com"  },
    { .name = "b\xc3\xbc"
              "cher.example", .is = "books.example"},
};
static const struct config config = {
    .accounts = {.default_domain = "example.com", .domains = domains, .n_domains = COUNT_OF(domains)}
};
static const struct config bare_config;
static struct name_rules rules, bare;

void fuzz_start(void)
{
    const char *wrong;
    FUZZ_REQUIRE(name_rules_init(&rules, &config, &wrong) && name_rules_init(&bare, &bare_config, &wrong));
}

static void require_canonical(const struct name_rules *r, struct span name)
{
    struct buf again;
    buf_init(&again, NAME_BYTES_MAX);
    FUZZ_REQUIRE(name.n > 0 && span_is_utf8(name) && !span_has(name, '\r') && !span_has(name, '\n'));
    FUZZ_REQUIRE(name_canonical(r, name, &again) && span_eq(buf_span(&again), name));
    buf_fini(&again);
}

static void read_name(const struct name_rules *r, struct span typed)
{
    struct buf login, mailbox, stored;
    buf_init(&login, NAME_BYTES_MAX);
    buf_init(&mailbox, NAME_BYTES_MAX);
    buf_init(&stored, NAME_BYTES_MAX);
    if (name_read(r, typed, &login, &mailbox)) {
        require_canonical(r, buf_span(&login));
        if (mailbox.n > 0)
            require_canonical(r, buf_span(&mailbox));
        if (name_expand(SPAN("%n+%%%t"), buf_span(&login), typed, &stored))
            FUZZ_REQUIRE(span_starts(buf_span(&stored), name_local(buf_span(&login))));
    }
    buf_fini(&login);
    buf_fini(&mailbox);
    buf_fini(&stored);
}

static void require_stable(bool (*form)(struct span, struct buf *), struct span s)
{
    struct buf once, twice;
    buf_init(&once, NAME_BYTES_MAX);
    buf_init(&twice, NAME_BYTES_MAX);
    if (form(s, &once))
        FUZZ_REQUIRE(form(buf_span(&once), &twice) && span_eq(buf_span(&once), buf_span(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

void fuzz_one(struct span input)
{
    struct buf stored;
    read_name(&rules, input);
    read_name(&bare, input);
    require_stable(precis_username, input);
    require_stable(precis_map_widths, input);
    require_stable(domain_canonical, input);
    buf_init(&stored, NAME_BYTES_MAX);
    if (name_expand(input, SPAN("anna@example.com"), SPAN("anna"), &stored))
        FUZZ_REQUIRE(name_format_is_valid(input) && stored.n > 0);
    buf_fini(&stored);
}
