/* The status page: plain HTML without a script, which fits a phone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/pages.h"

enum { HTTP_OK = 200, HTTP_UNAVAILABLE = 503 };

static bool written;

static void put(struct buf *to, const char *text)
{
    written = buf_add_text(to, text) && written;
}

static void put_number(struct buf *to, int64_t number)
{
    written = buf_printf(to, "%lld", (long long)number) && written;
}

static void put_text(struct buf *to, const char *text)
{
    static const char special[] = "<>&\"'";
    for (; *text != '\0'; text++) {
        bool plain = strchr(special, *text) == NULL && (unsigned char)*text >= 0x20;
        written = (plain ? buf_add_byte(to, *text) : buf_printf(to, "&#%d;", (unsigned char)*text)) && written;
    }
}

static const char page_head[] =
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>Homeward</title>"
    "<meta name=viewport content=\"width=device-width, initial-scale=1\"><meta http-equiv=refresh content=10><style>"
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:64rem;padding:0 "
    "1rem}"
    "h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.4rem 0 .4rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px "
    "solid #8884;"
    "vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}.n{text-align:right}"
    ".good{color:#1a7f37}.bad{color:#c00;font-weight:600}@media(prefers-color-scheme:dark){.good{color:#4ac26b}.bad{"
    "color:#ff7b72}}"
    "@media(max-width:40rem){.sites thead{display:none}.sites tr{display:block;border-bottom:1px solid "
    "#8888;padding:.4rem 0}"
    ".sites td{display:flex;gap:.6rem;border:0;padding:.1rem 0}.sites td:empty{display:none}"
    ".sites td::before{content:attr(data-t);flex:0 0 7rem;color:CanvasText;font-weight:400;opacity:.7}}"
    "</style></head><body>";

/* ---- facts ---- */

static void open_fact(struct buf *to, const char *title)
{
    put(to, "<tr><th scope=row>");
    put(to, title);
    put(to, "</th><td>");
}

static void fact(struct buf *to, const char *title, const char *text)
{
    open_fact(to, title);
    put_text(to, text);
    put(to, "</td></tr>");
}

static void fact_list(struct buf *to, const char *title, const json_t *list)
{
    size_t i;
    json_t *each;
    open_fact(to, title);
    if (json_array_size(list) == 0)
        put(to, "off");
    json_array_foreach((json_t *)list, i, each)
    {
        put(to, i > 0 ? ", " : "");
        put_text(to, json_string_value(each));
    }
    put(to, "</td></tr>");
}

static void fact_time(struct buf *to, const char *title, int64_t at_s, const char *behind)
{
    char text[64] = "never";
    time_t at = (time_t)at_s;
    struct tm utc;
    if (at_s > 0 && gmtime_r(&at, &utc) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    open_fact(to, title);
    put(to, text);
    put_text(to, behind);
    put(to, "</td></tr>");
}

static int64_t sum(const struct reply *status, const char *key)
{
    size_t i;
    json_t *row;
    int64_t all = 0;
    json_array_foreach(status->rows, i, row) if (strcmp(text_of(row, "process"), "front") == 0) all +=
        number_of(row, key);
    return all;
}

static void put_sessions(struct buf *to, const struct reply *status)
{
    open_fact(to, "Sessions");
    put_number(to, sum(status, "imap"));
    put(to, " IMAP4, ");
    put_number(to, sum(status, "pop3"));
    put(to, " POP3; ");
    put_number(to, sum(status, "sessions"));
    put(to, " clients of ");
    put_number(to, sum(status, "sessions_max"));
    put(to, "</td></tr>");
}

static void put_certificates(struct buf *to, const json_t *main_row)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(main_row, "certificates"), i, each)
    {
        int64_t days = number_of(each, "days_left");
        open_fact(to, "Certificate");
        put(to, days < 7 ? "<span class=bad>" : "<span>");
        put_number(to, days);
        put(to, " days left</span>: ");
        put_text(to, text_of(each, "names"));
        put(to, "</td></tr>");
    }
    json_array_foreach(json_object_get(main_row, "weak"), i, each)
    {
        open_fact(to, "<span class=bad>WEAK</span>");
        put_text(to, text_of(each, "site"));
        put(to, " ");
        put_text(to, text_of(each, "until"));
        put(to, " ");
        put_text(to, text_of(each, "reason"));
        put(to, "</td></tr>");
    }
}

static void put_facts(struct buf *to, const struct reply *status, const json_t *main_row)
{
    const json_t *reload = json_object_get(main_row, "reload");
    put(to, "<h2>Status</h2><table class=facts><tbody>");
    fact(to, "Version", text_of(main_row, "version"));
    fact_time(to, "Since", (int64_t)time(NULL) - number_of(main_row, "uptime_s"), "");
    fact_list(to, "IMAP4", json_object_get(main_row, "imap"));
    fact_list(to, "POP3", json_object_get(main_row, "pop3"));
    put_sessions(to, status);
    fact_time(to, "Map written", number_of(json_object_get(main_row, "map"), "written_s"), "");
    fact_time(to, "Last change", number_of(reload, "at_s"),
              json_is_true(json_object_get(reload, "ok")) ? ", taken" : ", REFUSED");
    put_certificates(to, main_row);
    put(to, "</tbody></table>");
}

/* ---- sites ---- */

static void cell(struct buf *to, const char *title, const char *text, const char *class)
{
    put(to, "<td data-t=\"");
    put(to, title);
    put(to, "\" class=\"");
    put(to, class);
    put(to, "\">");
    put_text(to, text);
    put(to, "</td>");
}

static void put_sites(struct buf *to, const struct reply *sites)
{
    static const char *const titles[] = { "Site", "Member", "Protocol", "Link", "State", "Sessions", "Why" };
    size_t i;
    json_t *row;
    put(to, "<h2>Sites</h2><table class=sites><thead><tr>");
    for (size_t t = 0; t < COUNT_OF(titles); t++) {
        put(to, "<th>");
        put(to, titles[t]);
    }
    put(to, "</tr></thead><tbody>");
    json_array_foreach(sites->rows, i, row)
    {
        char member[512], sessions[24];
        const char *state = text_of(row, "state");
        bool good = strcmp(state, "up") == 0 || strcmp(state, "standby") == 0;
        snprintf(member, sizeof member, "%s:%lld", text_of(row, "member"), (long long)number_of(row, "port"));
        snprintf(sessions, sizeof sessions, "%lld", (long long)number_of(row, "sessions"));
        put(to, "<tr>");
        cell(to, titles[0], text_of(row, "site"), "");
        cell(to, titles[1], member, "");
        cell(to, titles[2], strcmp(text_of(row, "proto"), "imap") == 0 ? "IMAP4" : "POP3", "");
        cell(to, titles[3], text_of(row, "link"), "");
        cell(to, titles[4], state, good ? "good" : "bad");
        cell(to, titles[5], sessions, "");
        cell(to, titles[6], text_of(row, "why"), "");
        put(to, "</tr>");
    }
    put(to, "</tbody></table>");
}

static const json_t *main_of(const struct reply *status)
{
    size_t i;
    json_t *row;
    json_array_foreach(status->rows, i, row) if (strcmp(text_of(row, "process"), "main") == 0) return row;
    return NULL;
}

unsigned page_status(const struct reply *status, const struct reply *sites, struct buf *to)
{
    const char *why = pages_unready(status, sites);
    const json_t *main_row = status != NULL ? main_of(status) : NULL;
    written = true;
    put(to, page_head);
    put(to, "<h1>Homeward</h1><p>");
    put(to, why == NULL ? "<span class=good>Ready.</span>" : "<span class=bad>Not ready:</span> ");
    put_text(to, why != NULL ? why : "");
    put(to, "</p>");
    if (main_row != NULL)
        put_facts(to, status, main_row);
    if (sites != NULL)
        put_sites(to, sites);
    put(to, "</body></html>\n");
    return main_row != NULL && written ? HTTP_OK : HTTP_UNAVAILABLE;
}
