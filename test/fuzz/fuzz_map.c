/* The directory map. First byte even: its text, which is refused or compiled to a map that finds every entry; odd: the
 * compiled bytes, which are refused or can be walked through. */
#include "auth/directory/map_format.h"

#include "test/fuzz/fuzz.h"

static struct site_config sites[] = { { .name = "north" }, { .name = "south" } };
static const struct config config = { .sites = sites, .n_sites = COUNT_OF(sites), .directory.max_loss_percent = 10 };

void fuzz_start(void)
{
}

static void walk(const struct map *map)
{
    struct map_entry entry;
    for (size_t i = 0; i < map->stats.entries; i++) {
        map_entry_number(map, i, &entry);
        FUZZ_REQUIRE(entry.key.n > 0 && entry.site.n > 0);
        struct span key = entry.key, site = entry.site;
        FUZZ_REQUIRE(map_find(map, key, &entry) && span_eq(entry.key, key) && span_eq(entry.site, site));
    }
    bool found = map_find(map, SPAN("anna@example.com"), &entry);
    FUZZ_REQUIRE(!found || entry.key.n > 0);
}

static void compile(struct span text)
{
    struct buf bytes, errors;
    struct map map;
    buf_init(&bytes, SIZE_MAX / 4);
    buf_init(&errors, 1 << 20);
    bool good = map_compile(&config, "map", text, SPAN_NONE, true, &bytes, &errors);
    FUZZ_REQUIRE(good == (errors.n == 0));
    if (good) {
        FUZZ_REQUIRE(map_open(&map, buf_span(&bytes)));
        walk(&map);
        buf_clear(&errors); /* a map is no loss against itself */
        struct buf same;
        buf_init(&same, SIZE_MAX / 4);
        FUZZ_REQUIRE(map_compile(&config, "map", text, buf_span(&bytes), true, &same, &errors));
        FUZZ_REQUIRE(span_eq(buf_span(&bytes), buf_span(&same)));
        buf_fini(&same);
    }
    buf_fini(&bytes);
    buf_fini(&errors);
}

void fuzz_one(struct span input)
{
    struct map map;
    if (fuzz_choice(&input, 2) == 0)
        compile(input);
    else if (map_open(&map, input))
        walk(&map);
}
