/* HTML and XML as they grow. */
#include "ctl/markup.h"

#include <string.h>

/* Fits a phone; a wide table becomes a list there. */
static const char style[] =
    "<style>"
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:64rem;padding:0 "
    "1rem}"
    "h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.4rem 0 .4rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px "
    "solid #8884;"
    "vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}.n{text-align:right}"
    ".good{color:#1a7f37}.bad{color:#c00;font-weight:600}@media(prefers-color-scheme:dark){.good{color:#4ac26b}.bad{"
    "color:#ff7b72}}"
    ".facts th{width:9rem}@media(max-width:40rem){.sites thead{display:none}.sites tr{display:block;border-bottom:1px "
    "solid "
    "#8888;padding:.4rem 0}"
    ".sites td{display:flex;gap:.6rem;border:0;padding:.1rem 0}.sites td:empty{display:none}"
    ".sites td::before{content:attr(data-t);flex:0 0 7rem;color:CanvasText;font-weight:400;opacity:.7}}"
    "</style>";

void markup_put(struct markup *m, const char *words)
{
    m->failed = !buf_add_text(m->to, words) || m->failed;
}

void markup_text(struct markup *m, const char *text)
{
    static const char special[] = "<>&\"'";
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (strchr(special, c) != NULL)
            m->failed = !buf_printf(m->to, "&#%d;", c) || m->failed;
        else if (c >= 0x20) /* XML has no way to write the others */
            m->failed = !buf_add_byte(m->to, *text) || m->failed;
    }
}

void markup_number(struct markup *m, int64_t number)
{
    m->failed = !buf_printf(m->to, "%lld", (long long)number) || m->failed;
}

void markup_html(struct markup *m, const char *title, int refresh_s)
{
    markup_put(m, "<!doctype html><html lang=en><head><meta charset=utf-8><title>");
    markup_text(m, title);
    markup_put(m, "</title><meta name=viewport content=\"width=device-width, initial-scale=1\">");
    if (refresh_s > 0) {
        markup_put(m, "<meta http-equiv=refresh content=");
        markup_number(m, refresh_s);
        markup_put(m, ">");
    }
    markup_put(m, style);
    markup_put(m, "</head><body><h1>");
    markup_text(m, title);
    markup_put(m, "</h1>");
}
