/* Signing in to IMAP stores: tame ones, old ones, hostile ones. */
#include "test/unit/login_transcript.h"

#include "proxy/wire/imap_command.h"
#include "proxy/wire/imap_reply.h"

#define HELLO "S* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS AUTH=PLAIN] Hello\r\n"
#define LOGIN_ANNA "Ch1 LOGIN \"anna\" \"geheim\"\r\n"
#define BARE "S* OK old server\r\n"
#define BARE_CAPABILITY BARE, "Ch1 CAPABILITY\r\n", "Sh1 BAD what?\r\n"
#define PLAIN_ANNA "AGFubmEAZ2VoZWlt" /* NUL anna NUL geheim */
#define IN ENDS(IN, "ok"), SENT

static const struct forwarded client = {
    .client = {.family = AF_INET,         .port = 51234, .bytes = { 10, 0, 0, 7 } },
    .connected = { .family = AF_INET,                        .port = 993,                    .bytes = { 10, 0, 0, 1 } },
    .session = { "s-1", 3},
    .ttl = 4,
};

/* clang-format off */ /* version 14 falls over tables of unequal rows */
static const struct transcript tame[] = {
    { "one round trip",
      { HELLO, LOGIN_ANNA, "Sh1 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n" }, IN, .text = "Logged in",
      .capabilities = "IMAP4rev1 IDLE" },
    { "bytes behind belong to the session",
      { HELLO, LOGIN_ANNA, "Sh1 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n* BYE and more\r\nx" }, IN,
        .text = "Logged in",
      .capabilities = "IMAP4rev1 IDLE", .left = "* BYE and more\r\nx" },
    { "untagged list between",
      { HELLO, LOGIN_ANNA, "S* CAPABILITY IMAP4rev1 MOVE\r\n* OK noise\r\n* 0 RECENT\r\nh1 OK in\r\n" }, IN,
        .text = "in",
      .capabilities = "IMAP4rev1 MOVE" },
    { "no list after login: asked",
      { HELLO, LOGIN_ANNA, "Sh1 OK in\r\n", "Ch2 CAPABILITY\r\n",
        "S* CAPABILITY IMAP4rev1 QUOTA\r\nh2 OK done\r\n* 1 EXISTS\r\n" },
      IN, .text = "in", .capabilities = "IMAP4rev1 QUOTA", .left = "* 1 EXISTS\r\n" },
    { "untagged behind the OK, then asked",
      { HELLO, LOGIN_ANNA, "Sh1 OK in\r\n* OK [ALERT] Disk full\r\n", "Ch2 CAPABILITY\r\n",
        "Sh2 OK [CAPABILITY X] done\r\n" }, IN,
      .text = "in", .capabilities = "X", .alerts = "* OK [ALERT] Disk full\r\n" },
    { "not said even when asked", { HELLO, LOGIN_ANNA, "Sh1 OK\r\n", "Ch2 CAPABILITY\r\n", "Sh2 NO never\r\n" }, IN },
    { "BYE behind the OK",
      { HELLO, LOGIN_ANNA, "Sh1 OK in\r\n", "Ch2 CAPABILITY\r\n", "S* BYE Internal error occurred\r\n" },
      ENDS(TEMPORARY, "bye"), SENT, .text = "Internal error occurred" },
    { "list that could break out",
      { HELLO, LOGIN_ANNA, "Sh1 OK in\r\n", "Ch2 CAPABILITY\r\n",
        "S* CAPABILITY IMAP4rev1 A] B\"  C\r\nh2 OK done\r\n" }, IN,
      .text = "in", .capabilities = "IMAP4rev1 C" },
    { "bare dialect",
      { BARE_CAPABILITY, "Ch2 LOGIN \"anna\" \"geheim\"\r\n", "Sh2 OK [CAPABILITY X] in\r\n" }, IN, .text = "in",
      .capabilities = "X" },
    { "greeting without a list",
      { BARE, "Ch1 CAPABILITY\r\n", "S* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\nh1 OK\r\n",
        "Ch2 AUTHENTICATE PLAIN\r\n", "S+\r\n",
        "C" PLAIN_ANNA "\r\n", "Sh2 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X" },
    { "bare LF", { "S* OK [CAPABILITY IMAP4rev1] x\n", LOGIN_ANNA, "Sh1 OK [CAPABILITY X] in\n" }, IN, .text = "in",
      .capabilities = "X" },
    { "alerts",
      { HELLO, LOGIN_ANNA, "S* OK [ALERT] One\r\n* NO [ALERT] T\xc3\xa9st\r\nh1 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .alerts = "* OK [ALERT] One\r\n* OK [ALERT] T\xc3\xa9st\r\n" },
    { "plain by the admin, SASL-IR",
      { HELLO, "Ch1 AUTHENTICATE PLAIN " PLAIN_ANNA "\r\n", "Sh1 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .site = MECHANISM_PLAIN },
    { "plain by the admin, bare dialect",
      { BARE_CAPABILITY, "Ch2 AUTHENTICATE PLAIN\r\n", "S+ \r\n", "C" PLAIN_ANNA "\r\n",
        "Sh2 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .site = MECHANISM_PLAIN },
    { "for somebody else: only SASL can say it",
      { HELLO, "Ch1 AUTHENTICATE PLAIN Ym94AGFubmEAZ2VoZWlt\r\n", "Sh1 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .authzid = "box" },
    { "for somebody else, by the admin's word",
      { BARE_CAPABILITY, "Ch2 AUTHENTICATE PLAIN\r\n", "S+ \r\n", "CYm94AGFubmEAZ2VoZWlt\r\n",
        "Sh2 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .site = MECHANISM_PLAIN, .authzid = "box" },
    { "for somebody else, where nothing can say it", { BARE_CAPABILITY }, ENDS(SITE_FAULT, "no_mechanism"),
      .authzid = "box" },
    { "for somebody else, with a token",
      { "S* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] x\r\n",
        "Ch1 AUTHENTICATE XOAUTH2 dXNlcj1ib3gBYXV0aD1CZWFyZXIgZ2VoZWltAQE=\r\n", "Sh1 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .client = SASL_XOAUTH2, .authzid = "box" },
    { "8 bit goes by SASL",
      { HELLO, "Ch1 AUTHENTICATE PLAIN AGFubmEAZ8Ok\r\n", "Sh1 OK [CAPABILITY X] in\r\n" }, IN, .text = "in",
      .capabilities = "X", .password = "g\xc3\xa4" },
    { "8 bit by literal, waited for",
      { BARE_CAPABILITY, "Ch2 LOGIN \"anna\" {3}\r\n", "S+ go\r\n", "Cg\xc3\xa4\r\n",
        "Sh2 OK [CAPABILITY X] in\r\n" }, IN, .text = "in",
      .capabilities = "X", .password = "g\xc3\xa4" },
    { "both by literal",
      { BARE_CAPABILITY, "Ch2 LOGIN {5}\r\n", "S+ go\r\n", "Cann\xc3\xa4 {3}\r\n", "S+ go\r\n", "Ca\r\n\r\n",
        "Sh2 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .password = "a\r\n", .user = "ann\xc3\xa4" },
    { "LITERAL+",
      { "S* OK [CAPABILITY IMAP4rev1 LITERAL+] x\r\n", "Ch1 LOGIN {5+}\r\nann\xc3\xa4 {3+}\r\na\r\n\r\n",
        "Sh1 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .password = "a\r\n", .user = "ann\xc3\xa4" },
    { "LITERAL-",
      { "S* OK [CAPABILITY IMAP4rev1 LITERAL-] x\r\n", "Ch1 LOGIN \"anna\" {2+}\r\n\xc3\xa4\r\n",
        "Sh1 OK [CAPABILITY X] in\r\n" }, IN,
      .text = "in", .capabilities = "X", .password = "\xc3\xa4" },
    { "literals by the admin",
      { "S* OK [CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN] x\r\n", "Ch1 LOGIN \"anna\" {2+}\r\n\xc3\xa4\r\n",
        "Sh1 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .password = "\xc3\xa4", .site = MECHANISM_LOGIN },
    { "ID with the login",
      { "S* OK [CAPABILITY IMAP4rev1 ID] x\r\n",
        "Ch1 ID (\"x-originating-ip\" \"10.0.0.7\" \"x-originating-port\" \"51234\" \"x-connected-ip\" \"10.0.0.1\" "
        "\"x-connected-port\" \"993\" \"x-session-id\" \"s-1\" \"x-proxy-ttl\" \"4\" \"name\" \"mutt\")\r\n"
        "h2 LOGIN \"anna\" \"geheim\"\r\n",
        "S* ID NIL\r\nh1 OK\r\nh2 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .may_forward = true, .forwarded = &client,
      .client_id = "\"name\" \"mutt\"" },
    { "ID to a site that may not know, and a literal",
      { "S* OK [CAPABILITY IMAP4rev1 ID] x\r\n", "Ch1 ID (\"x-proxy-ttl\" \"4\")\r\nh2 LOGIN \"anna\" {2}\r\n",
        "S* CAPABILITY OLD\r\nh1 BAD\r\n+ ok\r\n", "C\xc3\xa4\r\n", "Sh2 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .password = "\xc3\xa4", .forwarded = &client,
      .client_id = "\"name\" \"mutt\"" },
    { "list before ID's reply is an old one",
      { "S* OK [CAPABILITY ID] x\r\n", "Ch1 ID (\"x-proxy-ttl\" \"4\")\r\nh2 LOGIN \"anna\" \"geheim\"\r\n",
        "S* CAPABILITY OLD\r\nh1 OK\r\nh2 OK in\r\n", "Ch3 CAPABILITY\r\n", "S* CAPABILITY X\r\nh3 OK\r\n" }, IN,
      .text = "in", .capabilities = "X", .forwarded = &client },
    { "no ID where it is not listed",
      { HELLO, LOGIN_ANNA, "Sh1 OK [CAPABILITY X] in\r\n" }, IN, .text = "in", .capabilities = "X",
      .may_forward = true, .forwarded = &client },
    { "STARTTLS",
      { "S* OK [CAPABILITY IMAP4rev1 STARTTLS LITERAL+] x\r\n", "Ch1 STARTTLS\r\n",
        "S* OK [ALERT] clear\r\nh1 OK go\r\n", "T",
        "Ch2 CAPABILITY\r\n", "S* CAPABILITY IMAP4rev1\r\nh2 OK\r\n", "Ch3 LOGIN \"anna\" {2}\r\n", "S+\r\n",
        "C\xc3\xa4\r\n",
        "Sh3 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .password = "\xc3\xa4", .starttls = true },
    { "STARTTLS without a list",
      { "S* OK x\r\n", "Ch1 STARTTLS\r\n", "Sh1 OK go\r\n", "T", "Ch2 CAPABILITY\r\n", "Sh2 NO\r\n",
        "Ch3 LOGIN \"anna\" \"geheim\"\r\n",
        "Sh3 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .starttls = true },
    { "XOAUTH2",
      { "S* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] x\r\n",
        "Ch1 AUTHENTICATE XOAUTH2 dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB\r\n",
        "Sh1 OK [CAPABILITY X] in\r\n" },
      IN, .text = "in", .capabilities = "X", .password = "tok", .client = SASL_XOAUTH2 },
    { "XOAUTH2 refused",
      { "S* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] x\r\n", "Ch1 AUTHENTICATE XOAUTH2\r\n", "S+ \r\n",
        "CdXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRvawEB\r\n", "S+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", "C\r\n",
        "Sh1 NO SASL failed\r\n" },
      ENDS(WRONG, "refused"), SENT, .password = "tok", .client = SASL_XOAUTH2 },
};

static const struct transcript refusing[] = {
    { "no code", { HELLO, LOGIN_ANNA, "Sh1 NO LOGIN failed.\r\n" }, ENDS(WRONG, "refused"), SENT },
    { "code", { HELLO, LOGIN_ANNA, "Sh1 NO [AUTHENTICATIONFAILED] Internal error occurred\r\n" },
      ENDS(WRONG, "refused"), SENT },
    { "unknown code", { HELLO, LOGIN_ANNA, "Sh1 NO [X-FOO] no\r\n" }, ENDS(WRONG, "refused"), SENT },
    { "AUTHORIZATIONFAILED", { HELLO, LOGIN_ANNA, "Sh1 NO [AUTHORIZATIONFAILED] no\r\n" },
      ENDS(WRONG, "refused"), SENT },
    { "EXPIRED", { HELLO, LOGIN_ANNA, "Sh1 NO [EXPIRED] Change it\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "EXPIRED", .text = "Change it" },
    { "LIMIT", { HELLO, LOGIN_ANNA, "Sh1 NO [limit] Too many\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "LIMIT", .text = "Too many" },
    { "INUSE", { HELLO, LOGIN_ANNA, "Sh1 NO [INUSE] Locked\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "INUSE", .text = "Locked" },
    { "CONTACTADMIN", { HELLO, LOGIN_ANNA, "Sh1 NO [CONTACTADMIN] Call\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "CONTACTADMIN", .text = "Call" },
    { "ALERT", { HELLO, LOGIN_ANNA, "Sh1 NO [ALERT] Log in via the web\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "ALERT", .text = "Log in via the web" },
    { "UNAVAILABLE", { HELLO, LOGIN_ANNA, "Sh1 NO [UNAVAILABLE] no\r\n" },
      ENDS(TEMPORARY, "unavailable"), SENT, .code = "UNAVAILABLE", .text = "no" },
    { "SERVERBUG", { HELLO, LOGIN_ANNA, "Sh1 NO [SERVERBUG] no\r\n" },
      ENDS(TEMPORARY, "unavailable"), SENT, .code = "SERVERBUG", .text = "no" },
    { "PRIVACYREQUIRED", { HELLO, LOGIN_ANNA, "Sh1 NO [PRIVACYREQUIRED] no\r\n" },
      ENDS(SITE_FAULT, "privacyrequired"), SENT },
    { "referral (B7)", { HELLO, LOGIN_ANNA, "Sh1 NO [REFERRAL IMAP://evil.example/] go\r\n" },
      ENDS(SITE_FAULT, "referral"), SENT },
    { "Exchange", { HELLO, LOGIN_ANNA, "Sh1 NO Server Unavailable. 15\r\n* BYE Connection closed.\r\n" },
      ENDS(TEMPORARY, "phrase"), SENT, .text = "Server Unavailable. 15" },
    { "Cyrus", { HELLO, LOGIN_ANNA, "Sh1 NO Login failed: generic failure\r\n" }, ENDS(TEMPORARY, "phrase"), SENT,
      .text = "Login failed: generic failure" },
    { "Courier", { HELLO, LOGIN_ANNA, "S* BYE Temporary problem, please try again later\r\n" },
      ENDS(TEMPORARY, "bye"), SENT,
      .text = "Temporary problem, please try again later" },
    { "BAD", { HELLO, LOGIN_ANNA, "Sh1 BAD what is geheim?\r\n" }, ENDS(SITE_FAULT, "bad_to_login"), SENT },
    { "echo", { HELLO, LOGIN_ANNA, "S* OK [ALERT] anna GEHEIM\r\nh1 NO [LIMIT] LOGIN anna geheim\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "LIMIT" },
    { "echo, quoted",
      { HELLO, "Ch1 LOGIN \"anna\" \"a\\\"b\\\\c\"\r\n", "Sh1 NO [LIMIT] LOGIN \"anna\" \"a\\\"b\\\\c\"\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "LIMIT", .password = "a\"b\\c" },
    { "echo, base64",
      { HELLO, "Ch1 AUTHENTICATE PLAIN " PLAIN_ANNA "\r\n", "Sh1 NO [LIMIT] bad: " PLAIN_ANNA "\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "LIMIT", .site = MECHANISM_PLAIN },
    { "text cleaned", { HELLO, LOGIN_ANNA, "Sh1 NO [LIMIT] [X] a\tb\xff\xc2\x9b\xe2\x80\xae\xc3\xa9\r\n" },
      ENDS(SAYS, "says"), SENT, .code = "LIMIT", .text = "X] a?b???\xc3\xa9" },
    { "literal refused", { BARE_CAPABILITY, "Ch2 LOGIN \"anna\" {2}\r\n", "Sh2 NO no literals\r\n" },
      ENDS(SITE_FAULT, "refused_early"), .password = "\xc3\xa4" },
    { "SASL refused early",
      { BARE, "Ch1 CAPABILITY\r\n", "S* CAPABILITY LOGINDISABLED AUTH=PLAIN\r\nh1 OK\r\n",
        "Ch2 AUTHENTICATE PLAIN\r\n",
        "Sh2 NO [UNAVAILABLE] later\r\n" },
      ENDS(TEMPORARY, "unavailable"), .code = "UNAVAILABLE", .text = "later" },
};

#define STARTTLS_ASKED "S* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n", "Ch1 STARTTLS\r\n"

static const struct transcript hostile[] = {
    { "B1 not listed", { "S* OK [CAPABILITY IMAP4rev1] x\r\n" }, ENDS(SITE_FAULT, "no_starttls"), .starttls = true },
    { "B1 more behind the OK", { STARTTLS_ASKED, "Sh1 OK go\r\n* CAPABILITY IMAP4rev1\r\n" },
      ENDS(SITE_FAULT, "bytes_after_starttls"), .starttls = true, .whole_only = true },
    { "B1 one byte behind the OK", { STARTTLS_ASKED, "Sh1 OK go\r\nh" },
      ENDS(SITE_FAULT, "bytes_after_starttls"), .starttls = true,
      .whole_only = true },
    { "B1 NO", { STARTTLS_ASKED, "Sh1 NO\r\n" }, ENDS(SITE_FAULT, "starttls_refused"), .starttls = true },
    { "B1 BAD", { STARTTLS_ASKED, "Sh1 BAD\r\n" }, ENDS(SITE_FAULT, "starttls_refused"), .starttls = true },
    { "B1 +", { STARTTLS_ASKED, "S+ go\r\n" }, ENDS(SITE_FAULT, "continuation"), .starttls = true },
    { "B1 BYE", { STARTTLS_ASKED, "S* BYE\r\n" }, ENDS(SITE_FAULT, "starttls_refused"), .starttls = true },
    { "B1 PREAUTH", { STARTTLS_ASKED, "S* PREAUTH\r\n" }, ENDS(SITE_FAULT, "preauth"), .starttls = true },
    { "B1 another tag", { STARTTLS_ASKED, "Sh2 OK go\r\n" }, ENDS(SITE_FAULT, "unasked"), .starttls = true },
    { "B2 PREAUTH", { "S* PREAUTH welcome\r\n" }, ENDS(SITE_FAULT, "preauth") },
    { "B2 PREAUTH before STARTTLS", { "S* PREAUTH welcome\r\n" }, ENDS(SITE_FAULT, "preauth"), .starttls = true },
    { "B2 BYE", { "S* BYE too busy\r\n" }, ENDS(TEMPORARY, "bye"), .text = "too busy" },
    { "B2 NO", { "S* NO\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 BAD", { "S* BAD\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 -ERR", { "S-ERR\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 +OK", { "S+OK POP3\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 HTTP", { "SHTTP/1.1 400 Bad Request\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 SMTP", { "S220 mail ESMTP\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 SSH", { "SSSH-2.0-OpenSSH_9.2\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 empty line", { "S\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 tagged", { "Sh1 OK\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 data", { "S* 5 EXISTS\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B2 star", { "S*\r\n" }, ENDS(SITE_FAULT, "garbage") },
    { "B3 login reply with the greeting", { HELLO "h1 OK in\r\n" }, ENDS(SITE_FAULT, "unasked"), .whole_only = true },
    { "B3 half a reply with the greeting", { HELLO "h1 O" }, ENDS(SITE_FAULT, "unasked"), .whole_only = true },
    { "B3 second greeting", { HELLO "* OK again\r\n" }, ENDS(SITE_FAULT, "unasked"), .whole_only = true },
    { "B3 login reply with the list",
      { BARE, "Ch1 CAPABILITY\r\n", "S* CAPABILITY IMAP4rev1\r\nh1 OK\r\nh2 OK in\r\n" }, ENDS(SITE_FAULT, "unasked"),
      .whole_only = true },
    { "B3 login reply for the list", { BARE, "Ch1 CAPABILITY\r\n", "Sh2 OK in\r\n" }, ENDS(SITE_FAULT, "unasked") },
    { "B3 both go-aheads at once", { BARE_CAPABILITY, "Ch2 LOGIN {5}\r\n", "S+ go\r\n+ go\r\n" },
      ENDS(SITE_FAULT, "unasked"),
      .user = "ann\xc3\xa4", .password = "\xc3\xa4", .whole_only = true },
    { "B3 OK before the password", { BARE_CAPABILITY, "Ch2 LOGIN \"anna\" {2}\r\n", "Sh2 OK in\r\n" },
      ENDS(SITE_FAULT, "unasked"),
      .password = "\xc3\xa4" },
    { "PREAUTH later", { HELLO, LOGIN_ANNA, "S* PREAUTH\r\n" }, ENDS(SITE_FAULT, "preauth"), SENT },
    { "continuation that nobody waits for", { HELLO, LOGIN_ANNA, "S+ more\r\n" },
      ENDS(SITE_FAULT, "continuation"), SENT },
    { "second challenge",
      { HELLO, "Ch1 AUTHENTICATE PLAIN " PLAIN_ANNA "\r\n", "S+ more\r\n" }, ENDS(SITE_FAULT, "continuation"), SENT,
      .site = MECHANISM_PLAIN },
    { "second bearer challenge",
      { "S* OK [CAPABILITY SASL-IR AUTH=OAUTHBEARER] x\r\n",
        "Ch1 AUTHENTICATE OAUTHBEARER bixhPWFubmEsAWF1dGg9QmVhcmVyIHRvawEB\r\n", "S+ e30=\r\n", "CAQ==\r\n",
        "S+ e30=\r\n" },
      ENDS(SITE_FAULT, "continuation"), SENT, .password = "tok", .client = SASL_OAUTHBEARER },
    { "continuation before ID's reply",
      { "S* OK [CAPABILITY ID] x\r\n", "Ch1 ID (\"x-proxy-ttl\" \"4\")\r\nh2 LOGIN \"anna\" {2}\r\n", "S+ go\r\n" },
      ENDS(SITE_FAULT, "continuation"), .password = "\xc3\xa4", .forwarded = &client },
    { "login before ID's reply",
      { "S* OK [CAPABILITY ID] x\r\n", "Ch1 ID (\"x-proxy-ttl\" \"4\")\r\nh2 LOGIN \"anna\" \"geheim\"\r\n",
        "Sh2 OK in\r\n" },
      ENDS(SITE_FAULT, "out_of_order"), SENT, .forwarded = &client },
    { "garbage later", { HELLO, LOGIN_ANNA, "Snonsense\r\n" }, ENDS(SITE_FAULT, "garbage"), SENT },
    { "another tag", { HELLO, LOGIN_ANNA, "Sh01 OK in\r\n" }, ENDS(SITE_FAULT, "unasked"), SENT },
    { "B6 only LOGINDISABLED",
      { STARTTLS_ASKED, "Sh1 OK\r\n", "T", "Ch2 CAPABILITY\r\n",
        "S* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nh2 OK\r\n" },
      ENDS(SITE_FAULT, "no_mechanism"), .starttls = true },
    { "B6 only NTLM", { "S* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=NTLM] x\r\n" },
      ENDS(SITE_FAULT, "no_mechanism") },
    { "B6 login by the admin", { "S* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN] x\r\n" },
      ENDS(SITE_FAULT, "no_mechanism"),
      .site = MECHANISM_LOGIN },
    { "B6 plain by the admin", { "S* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x\r\n" },
      ENDS(SITE_FAULT, "no_mechanism"),
      .site = MECHANISM_PLAIN },
    { "B6 bearer not listed", { "S* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] x\r\n" }, ENDS(SITE_FAULT, "no_mechanism"),
      .client = SASL_OAUTHBEARER },
    { "B7 greeting", { "S* BYE [REFERRAL IMAP://evil.example/] go there\r\n" }, ENDS(SITE_FAULT, "referral") },
    { "B7 BYE", { HELLO, LOGIN_ANNA, "S* BYE [REFERRAL IMAP://evil.example/] go there\r\n" },
      ENDS(SITE_FAULT, "referral"), SENT },
    { "B7 OK",
      { HELLO, LOGIN_ANNA, "Sh1 OK [REFERRAL IMAP://evil.example/] in\r\n", "Ch2 CAPABILITY\r\n", "Sh2 BAD\r\n" }, IN,
      .text = "in" },
    { "name that no line holds", { NULL }, ENDS(SITE_FAULT, "unwritable"), .user = "a\r\nh2 LOGOUT" },
    { "no name", { NULL }, ENDS(SITE_FAULT, "unwritable"), .user = "" },
};

/* clang-format on */

static void plays(const struct transcript *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        play(&t[i], IMAP);
}

static void test_tame(void **state)
{
    (void)state;
    plays(tame, COUNT_OF(tame));
}

static void test_refusing(void **state)
{
    (void)state;
    plays(refusing, COUNT_OF(refusing));
}

static void test_hostile(void **state)
{
    (void)state;
    plays(hostile, COUNT_OF(hostile));
}

/* What a store reads is what was to be said: our own reader of commands is the judge. */
static void check_password(struct span password)
{
    struct one o;
    struct imap_reader reader;
    struct imap_command command;
    imap_problem problem;
    one_init(&o, IMAP, password, SASL_PLAIN);
    imap_reader_init(&reader, 65536);
    assert_int_equal(one_feed(&o, SPAN("* OK [CAPABILITY IMAP4rev1 LITERAL+] x\r\n")), LOGIN_MORE);
    struct span said = buf_span(&o.out);
    assert_int_equal(imap_reader_next(&reader, &said, &command, &problem), IMAP_COMMAND);
    assert_int_equal(said.n, 0);
    assert_int_equal(command.verb, IMAP_LOGIN);
    assert_true(span_eq(command.words[0], SPAN("anna")));
    assert_true(span_eq(command.words[1], password));
    assert_true(login_credential_sent(o.l));
    imap_reader_fini(&reader);
    one_fini(&o);
}

static void test_every_byte(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char password[] = { 'a', (char)c, 'z', (char)c };
        check_password(span_bytes(password, sizeof password));
        check_password(span_bytes(password + 1, 1));
    }
    check_password(SPAN(""));
    check_password(SPAN("*%{5}\r\nh2 LOGOUT\r\n \"\\"));
    check_password(SPAN("p\xc3\xa4ssw\xc3\xb6rd \xe2\x82\xac \xf0\x9f\x94\x91"));
}

static void test_nul(void **state)
{
    (void)state;
    struct one o;
    one_init(&o, IMAP, SPAN("a\0b"), SASL_PLAIN);
    assert_int_equal(one_feed(&o, SPAN("* OK x\r\n")), LOGIN_DONE);
    assert_int_equal(o.out.n, 0);
    assert_string_equal(login_answer(o.l)->why, "unwritable");
    assert_int_equal(login_answer(o.l)->outcome, LOGIN_SITE_FAULT);
    one_fini(&o);
}

static void check_flood(const char *line, size_t times, const char *why)
{
    struct one o;
    one_init(&o, IMAP, SPAN("geheim"), SASL_PLAIN);
    assert_int_equal(one_feed(&o, SPAN("* OK x\r\n")), LOGIN_MORE);
    one_flood(&o, line, times, why);
    one_fini(&o);
}

static void test_floods(void **state)
{
    (void)state;
    check_flood("* OK [ALERT] again and again\r\n", SITE_INPUT_MAX / 30 + 1, "too_much");
    check_flood("* NO\r\n", SITE_INPUT_MAX / 6 + 1, "too_much");
    check_flood("* OK never ending ", IMAP_REPLY_LINE_MAX / 18 + 1, "garbage");
    check_flood("* FLAGS {16383}\r\n", 1100, "garbage");
}

static void test_long_text(void **state)
{
    (void)state;
    struct one o;
    struct buf line;
    buf_init(&line, 2000);
    assert_true(buf_add_text(&line, "h1 NO [LIMIT] x"));
    for (int i = 0; i < 300; i++)
        assert_true(buf_add_text(&line, "\xc3\xa9"));
    assert_true(buf_add_text(&line, "\r\n"));
    one_init(&o, IMAP, SPAN("geheim"), SASL_PLAIN);
    assert_int_equal(one_feed(&o, SPAN("* OK [CAPABILITY X] x\r\n")), LOGIN_MORE);
    assert_int_equal(one_feed(&o, buf_span(&line)), LOGIN_DONE);
    assert_int_equal(login_answer(o.l)->text.n, 399);
    assert_true(span_is_utf8(login_answer(o.l)->text));
    one_fini(&o);
    buf_fini(&line);
}

static void test_phrases(void **state)
{
    (void)state;
    const char *own[] = { "Bitte warten", "" };
    struct site_config site = {
        .temporary_texts = {.at = own, .n = 2}
    };
    for (size_t i = 0; login_temporary_phrases[i] != NULL; i++)
        assert_true(login_text_is_temporary(span_of(login_temporary_phrases[i]), &site));
    assert_true(login_text_is_temporary(SPAN("LOGIN: TEMPORARY PROBLEM, please"), &site));
    assert_true(login_text_is_temporary(SPAN("bitte WARTEN!"), &site));
    assert_false(login_text_is_temporary(SPAN("LOGIN failed"), &site));
    assert_false(login_text_is_temporary(SPAN("Login failed: authentication failure"), &site));
    assert_false(login_text_is_temporary(SPAN(""), &site));
}

static void test_stages(void **state)
{
    (void)state;
    struct one o;
    one_init(&o, IMAP, SPAN("geheim"), SASL_PLAIN);
    o.order.starttls = true;
    o.order.implicit_tls = false;
    login_free(&o.l);
    o.l = login_new(&o.order);
    assert_int_equal(one_feed(&o, SPAN("")), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "greeting");
    assert_false(login_greeted(o.l));
    assert_int_equal(one_feed(&o, SPAN("* OK x\r\n")), LOGIN_MORE);
    assert_true(login_greeted(o.l));
    assert_string_equal(login_stage(o.l), "starttls");
    assert_int_equal(one_feed(&o, SPAN("h1 OK\r\n")), LOGIN_START_TLS);
    assert_int_equal(login_protected(o.l, &o.out), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "capability");
    assert_int_equal(one_feed(&o, SPAN("h2 BAD\r\n")), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "login");
    assert_true(login_credential_sent(o.l));
    assert_int_equal(one_feed(&o, SPAN("h3 OK\r\n")), LOGIN_MORE);
    assert_string_equal(login_stage(o.l), "after");
    one_fini(&o);
}

/* An out that is too small must not get half a command. */
static void test_full_out(void **state)
{
    (void)state;
    struct one o;
    one_init(&o, IMAP, SPAN("geheim"), SASL_PLAIN);
    o.out.max = 10;
    assert_int_equal(one_feed(&o, SPAN("* OK [CAPABILITY X] x\r\n")), LOGIN_DONE);
    assert_int_equal(o.out.n, 0);
    assert_string_equal(login_answer(o.l)->why, "no_memory");
    assert_false(login_answer(o.l)->credential_sent);
    one_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tame),       cmocka_unit_test(test_refusing), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_every_byte), cmocka_unit_test(test_nul),      cmocka_unit_test(test_floods),
        cmocka_unit_test(test_long_text),  cmocka_unit_test(test_phrases),  cmocka_unit_test(test_stages),
        cmocka_unit_test(test_full_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
