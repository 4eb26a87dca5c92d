/* Base64 (RFC 4648 4), strictly: two spellings of one credential would be two credentials to whoever compares. */
#include "proxy/wire/sasl.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* `n` bytes (1 to 3) from four characters, of which the last 3 - n are padding. */
static bool decode_group(const char *four, size_t n, char *to)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i <= n ? value_of(four[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    if ((bits & (0xffffffu >> (8 * n))) != 0)
        return false; /* loose bits before the padding */
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(bits >> (16 - 8 * i));
    return true;
}

bool base64_decode(struct span text, struct buf *to)
{
    if (text.n == 0)
        return true;
    if (text.n % 4 != 0)
        return false;
    size_t padding = text.at[text.n - 1] != '=' ? 0 : text.at[text.n - 2] != '=' ? 1 : 2;
    size_t n = text.n / 4 * 3 - padding;
    char *space = buf_space(to, n);
    if (space == NULL)
        return false;
    for (size_t done = 0; done < n; done += 3) {
        if (!decode_group(text.at + done / 3 * 4, n - done < 3 ? n - done : 3, space + done)) {
            explicit_bzero(space, n);
            return false;
        }
    }
    buf_grew(to, n);
    return true;
}

bool base64_encode(struct span bytes, struct buf *to)
{
    if (bytes.n == 0)
        return true;
    if (bytes.n > SIZE_MAX / 2)
        return false;
    size_t n = (bytes.n + 2) / 3 * 4;
    char *space = buf_space(to, n);
    if (space == NULL)
        return false;
    for (size_t i = 0; i < bytes.n; i += 3) {
        uint32_t bits = 0;
        size_t held = bytes.n - i < 3 ? bytes.n - i : 3;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < held ? (unsigned char)bytes.at[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *space++ = k <= held ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
    }
    buf_grew(to, n);
    return true;
}
