/* The status page: plain HTML without a script, which fits a phone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/markup.h"
#include "ctl/pages.h"

enum { HTTP_OK = 200, HTTP_UNAVAILABLE = 503, REFRESH_S = 10 };

/* ---- facts ---- */

static void open_fact(struct markup *m, const char *title)
{
    markup_put(m, "<tr><th scope=row>");
    markup_put(m, title);
    markup_put(m, "</th><td>");
}

static void fact(struct markup *m, const char *title, const char *text)
{
    open_fact(m, title);
    markup_text(m, text);
    markup_put(m, "</td></tr>");
}

static void fact_list(struct markup *m, const char *title, const json_t *list)
{
    size_t i;
    json_t *each;
    open_fact(m, title);
    if (json_array_size(list) == 0)
        markup_put(m, "off");
    json_array_foreach((json_t *)list, i, each)
    {
        markup_put(m, i > 0 ? ", " : "");
        markup_text(m, json_string_value(each));
    }
    markup_put(m, "</td></tr>");
}

static void fact_time(struct markup *m, const char *title, int64_t at_s, const char *behind)
{
    char text[64] = "never";
    time_t at = (time_t)at_s;
    struct tm utc;
    if (at_s > 0 && gmtime_r(&at, &utc) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    open_fact(m, title);
    markup_put(m, text);
    markup_text(m, behind);
    markup_put(m, "</td></tr>");
}

static void put_sessions(struct markup *m, const struct reply *status)
{
    open_fact(m, "Sessions");
    markup_number(m, sum_of(status->rows, "front", "imap"));
    markup_put(m, " IMAP4, ");
    markup_number(m, sum_of(status->rows, "front", "pop3"));
    markup_put(m, " POP3; ");
    markup_number(m, sum_of(status->rows, "front", "sessions"));
    markup_put(m, " clients of ");
    markup_number(m, sum_of(status->rows, "front", "sessions_max"));
    markup_put(m, "</td></tr>");
}

static void put_certificates(struct markup *m, const json_t *main_row)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(main_row, "certificates"), i, each)
    {
        int64_t days = number_of(each, "days_left");
        open_fact(m, "Certificate");
        markup_put(m, days < 7 ? "<span class=bad>" : "<span>");
        markup_number(m, days);
        markup_put(m, " days left</span>: ");
        markup_text(m, text_of(each, "names"));
        markup_put(m, "</td></tr>");
    }
    json_array_foreach(json_object_get(main_row, "weak"), i, each)
    {
        open_fact(m, "<span class=bad>WEAK</span>");
        markup_text(m, text_of(each, "site"));
        markup_put(m, " ");
        markup_text(m, text_of(each, "until"));
        markup_put(m, " ");
        markup_text(m, text_of(each, "reason"));
        markup_put(m, "</td></tr>");
    }
}

static void put_facts(struct markup *m, const struct reply *status, const json_t *main_row)
{
    const json_t *reload = json_object_get(main_row, "reload");
    markup_put(m, "<h2>Status</h2><table class=facts><tbody>");
    fact(m, "Version", text_of(main_row, "version"));
    fact_time(m, "Since", (int64_t)time(NULL) - number_of(main_row, "uptime_s"), "");
    fact_list(m, "IMAP4", json_object_get(main_row, "imap"));
    fact_list(m, "POP3", json_object_get(main_row, "pop3"));
    put_sessions(m, status);
    fact_time(m, "Map written", number_of(json_object_get(main_row, "map"), "written_s"), "");
    fact_time(m, "Last change", number_of(reload, "at_s"),
              json_is_true(json_object_get(reload, "ok")) ? ", taken" : ", REFUSED");
    put_certificates(m, main_row);
    markup_put(m, "</tbody></table>");
}

/* ---- sites ---- */

static void cell(struct markup *m, const char *title, const char *text, const char *class)
{
    markup_put(m, "<td data-t=\"");
    markup_put(m, title);
    markup_put(m, "\" class=\"");
    markup_put(m, class);
    markup_put(m, "\">");
    markup_text(m, text);
    markup_put(m, "</td>");
}

static void put_sites(struct markup *m, const struct reply *sites)
{
    static const char *const titles[] = { "Site", "Member", "Protocol", "Link", "State", "Sessions", "Why" };
    size_t i;
    json_t *row;
    markup_put(m, "<h2>Sites</h2><table class=sites><thead><tr>");
    for (size_t t = 0; t < COUNT_OF(titles); t++) {
        markup_put(m, "<th>");
        markup_put(m, titles[t]);
    }
    markup_put(m, "</tr></thead><tbody>");
    json_array_foreach(sites->rows, i, row)
    {
        char member[512], sessions[24];
        const char *state = text_of(row, "state");
        bool good = strcmp(state, "up") == 0 || strcmp(state, "standby") == 0;
        snprintf(member, sizeof member, "%s:%lld", text_of(row, "member"), (long long)number_of(row, "port"));
        snprintf(sessions, sizeof sessions, "%lld", (long long)number_of(row, "sessions"));
        markup_put(m, "<tr>");
        cell(m, titles[0], text_of(row, "site"), "");
        cell(m, titles[1], member, "");
        cell(m, titles[2], strcmp(text_of(row, "proto"), "imap") == 0 ? "IMAP4" : "POP3", "");
        cell(m, titles[3], text_of(row, "link"), "");
        cell(m, titles[4], state, good ? "good" : "bad");
        cell(m, titles[5], sessions, "");
        cell(m, titles[6], text_of(row, "why"), "");
        markup_put(m, "</tr>");
    }
    markup_put(m, "</tbody></table>");
}

unsigned page_status(const struct reply *status, const struct reply *sites, struct buf *to)
{
    const char *why = pages_unready(status, sites);
    const json_t *main_row = status != NULL ? row_of(status->rows, "main") : NULL;
    struct markup page = { .to = to }, *m = &page;
    markup_html(m, "Homeward", REFRESH_S);
    markup_put(m, "<p>");
    markup_put(m, why == NULL ? "<span class=good>Ready.</span>" : "<span class=bad>Not ready:</span> ");
    markup_text(m, why != NULL ? why : "");
    markup_put(m, "</p>");
    if (main_row != NULL)
        put_facts(m, status, main_row);
    if (sites != NULL)
        put_sites(m, sites);
    markup_put(m, "</body></html>\n");
    return main_row != NULL && !m->failed ? HTTP_OK : HTTP_UNAVAILABLE;
}
