/* What both mail protocols call text. */
#ifndef PROXY_WIRE_TEXT_H
#define PROXY_WIRE_TEXT_H

#include "proxy/base/span.h"

/* Not TAB, which stores do send in their texts. */
static inline bool text_is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

#endif
