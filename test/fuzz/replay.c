/* Plays inputs to a target without libFuzzer: `TARGET FILE…` those of files of seeds, `TARGET --random N [SEED]` random
 * ones, `TARGET --input FILE` the bytes of a file, as libFuzzer leaves them.
 *
 * A file of seeds has one input a line, its bytes as they are or as \n \r \t \\ \xHH; lines that begin with # are
 * comments. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/fuzz/fuzz.h"

enum { INPUT_MAX = 16 << 20, RANDOM_MAX = 48 };

static void play(struct span input)
{
    char *exact = fuzz_exact(input);
    fuzz_one(span_bytes(exact, input.n));
    free(exact);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: it is not written as above. */
static bool unescape(struct span line, struct buf *to)
{
    static const char letters[] = "nrt\\", bytes[] = "\n\r\t\\";
    buf_clear(to);
    for (size_t i = 0; i < line.n; i++) {
        char c = line.at[i];
        if (c == '\\') {
            const char *letter = ++i < line.n ? memchr(letters, line.at[i], 4) : NULL;
            bool hex = letter == NULL && i + 2 < line.n && line.at[i] == 'x' && digit(line.at[i + 1]) >= 0 &&
                       digit(line.at[i + 2]) >= 0;
            if (letter == NULL && !hex)
                return false;
            c = letter != NULL ? bytes[letter - letters] : (char)(16 * digit(line.at[i + 1]) + digit(line.at[i + 2]));
            i += hex ? 2 : 0;
        }
        FUZZ_REQUIRE(buf_add_byte(to, c));
    }
    return true;
}

static void read_file(const char *name, struct buf *to)
{
    FILE *f = fopen(name, "r");
    if (f == NULL) {
        perror(name);
        exit(2);
    }
    for (size_t n = 1; n > 0;) {
        char *room = buf_space(to, 65536);
        FUZZ_REQUIRE(room != NULL);
        n = fread(room, 1, 65536, f);
        buf_grew(to, n);
    }
    fclose(f);
}

static size_t play_seeds(const char *name)
{
    struct buf all, input;
    size_t n = 0, line_n = 0;
    buf_init(&all, INPUT_MAX);
    buf_init(&input, INPUT_MAX);
    read_file(name, &all);
    for (struct span rest = buf_span(&all); rest.n > 0;) {
        struct span line = fuzz_line(&rest);
        line_n++;
        if (line.n > 0 && line.at[0] == '#')
            continue;
        if (!unescape(line, &input)) {
            fprintf(stderr, "%s:%zu: not a seed\n", name, line_n);
            exit(2);
        }
        play(buf_span(&input));
        n++;
    }
    buf_fini(&all);
    buf_fini(&input);
    return n;
}

/* Strings of up to 48 bytes: half of them any bytes, half of them likely ones. */
static size_t play_random(uint64_t times, uint64_t state)
{
    static const char likely[] = "ab019 \t\r\n\0\"\\{}()[]+=@/%*-,:.~\x80\xc3\xa9\xff";
    char at[RANDOM_MAX];
    for (uint64_t i = 0; i < times; i++) {
        size_t n = 0, most = 0;
        for (size_t j = 0; j <= most; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            if (j == 0)
                most = state >> 33 & (RANDOM_MAX - 1);
            else
                at[n++] = state >> 62 & 1 ? likely[(state >> 33) % (sizeof likely - 1)] : (char)(state >> 33);
        }
        play(span_bytes(at, n));
    }
    return times;
}

static size_t play_file(const char *name)
{
    struct buf input;
    buf_init(&input, INPUT_MAX);
    read_file(name, &input);
    play(buf_span(&input));
    buf_fini(&input);
    return 1;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    fuzz_start();
    if (argc > 2 && strcmp(argv[1], "--random") == 0)
        n = play_random(strtoull(argv[2], NULL, 10), argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    else if (argc > 2 && strcmp(argv[1], "--input") == 0)
        n = play_file(argv[2]);
    else
        for (int i = 1; i < argc; i++)
            n += play_seeds(argv[i]);
    printf("[  PASSED  ] 1 test: %s, %zu inputs\n", argv[0], n);
    return n > 0 ? 0 : 2;
}
