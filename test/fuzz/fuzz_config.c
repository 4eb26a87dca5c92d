/* A configuration file: refused with at least one line, or its dump is the same configuration. */
#include "config/config.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test/fuzz/fuzz.h"

/* libconfig's scanner forgets a string that is not closed; the process that reads configurations ends soon after. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static char path[64];
static int fd;
static struct buf errors, warnings, dump, again;

void fuzz_start(void)
{
    fd = memfd_create("homeward.cfg", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&errors, 1 << 20);
    buf_init(&warnings, 1 << 20);
    buf_init(&dump, 16 << 20);
    buf_init(&again, 16 << 20);
}

/* Of a text that names its own folder nothing comes but more of the same. */
static bool includes(struct span input)
{
    return span_contains_nocase(input, SPAN("@include"));
}

static void load(void)
{
    struct config *c = config_load(path, &errors, &warnings);
    FUZZ_REQUIRE((c == NULL) == (errors.n > 0));
    if (c == NULL)
        return;
    FUZZ_REQUIRE(config_dump(c, ~0U, &dump));
    struct config *same = config_parse(buf_span(&dump));
    FUZZ_REQUIRE(same != NULL && config_dump(same, ~0U, &again));
    FUZZ_REQUIRE(span_eq(buf_span(&dump), buf_span(&again)));
    config_free(&same);
    config_free(&c);
}

void fuzz_one(struct span input)
{
    if (includes(input))
        return;
    FUZZ_REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, input.at, input.n, 0) == (ssize_t)input.n);
    load();
    struct config *c = config_parse(input); /* as a role would read bytes of main's */
    config_free(&c);
    buf_fini(&errors);
    buf_fini(&warnings);
    buf_fini(&dump);
    buf_fini(&again);
}
