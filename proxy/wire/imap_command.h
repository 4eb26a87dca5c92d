/* Reads the commands of an IMAP client that has not signed in yet (RFC 9051 4, 6.1, 6.2, 9; RFC 3501; RFC 7888).
 *
 * Feed it whatever arrived; it takes bytes up to the end of one command and no further, so that what is pipelined
 * behind a LOGIN stays where it is. The answer never depends on how the input was cut up.
 *
 * Memory: one secret buf, bounded by the limits below; it holds the words of the command being read. An ID list is
 * read as a stream: only what fits IMAP_ID_KEPT_MAX is kept, early pairs before late ones and those that tell of the
 * client before all others; the rest is checked and dropped. */
#ifndef PROXY_WIRE_IMAP_COMMAND_H
#define PROXY_WIRE_IMAP_COMMAND_H

#include "proxy/base/buf.h"

enum {
    IMAP_TAG_MAX = 64,           /* a longer tag is bad; it is never echoed */
    IMAP_LINE_MAX = 8192,        /* any command but AUTHENTICATE and ID, literals and line ends included */
    IMAP_AUTHENTICATE_ROOM = 64, /* what an AUTHENTICATE command may have beyond the longest SASL response */
    IMAP_COMMAND_MAX = 131072,   /* an ID command; a bad command is read on up to here, then it is fatal */
    IMAP_LITERAL_MINUS = 4096,   /* RFC 7888 5: a larger non-synchronising literal ends the session */
    IMAP_ID_PAIRS_MAX = 30,      /* RFC 2971 3.3 */
    IMAP_ID_KEY_MAX = 30,
    IMAP_ID_VALUE_MAX = 1024,
    IMAP_ID_KEPT_MAX = 4096, /* octets of keys and values that are remembered */
    IMAP_WORDS_MAX = 2 * IMAP_ID_PAIRS_MAX,
};

/* Commands that exist before login; the front's table says what each does. */
enum imap_verb {
    IMAP_UNKNOWN,
    IMAP_CAPABILITY,
    IMAP_NOOP,
    IMAP_LOGOUT,
    IMAP_ID,
    IMAP_STARTTLS,
    IMAP_AUTHENTICATE,
    IMAP_LOGIN,
};

/* words: CAPABILITY NOOP LOGOUT STARTTLS: none. LOGIN: user name, password. AUTHENTICATE: mechanism, and the initial
 * response as it stands on the line ("=" for an empty one) if n_words is 2. ID: key, value, key, value …; a NIL value
 * has at == NULL; none for NIL and for an empty list. Valid until the next call of imap_reader_next or
 * imap_reader_reset. */
struct imap_command {
    struct span tag;
    struct span name; /* as typed, for the log; at most 32 bytes of it */
    enum imap_verb verb;
    struct span words[IMAP_WORDS_MAX];
    size_t n_words;
};

enum imap_got {
    IMAP_MORE,     /* all input taken, the command is not complete */
    IMAP_GO_AHEAD, /* a synchronising literal was announced: send a continuation, then call again; or refuse the command
                      (its tag and verb are set) and reset the reader, for the client will not send the literal then */
    IMAP_COMMAND,  /* *command is complete */
    IMAP_BAD,      /* a command that cannot be understood was read to its end; command->tag is set ("*" when it had no
                      usable one), and name if that was read: answer with a tagged BAD and go on; *problem says why */
    IMAP_FATAL,    /* what follows cannot be told from commands (a non-synchronising literal that is too large, a line
                      without end): BAD with command->tag, BYE and close; *problem says why */
};

/* What went wrong, as a sentence that may be sent to the client: static text, nothing of the input. */
typedef const char *imap_problem;

/* The caller owns it; the fields are the reader's own. */
struct imap_reader {
    struct buf bytes; /* tag, name and the words, one behind the other */
    size_t sasl_max;  /* longest AUTHENTICATE command */
    size_t command_n; /* octets of this command so far, literals included */
    int step;         /* where in the grammar; imap_command.c */
    int tail;         /* how much of "{n+}" the line ends with so far */
    enum imap_verb verb;
    uint64_t literal; /* from that tail; then the octets of the literal still to come */
    bool non_sync;    /* it had the + */
    bool skip;        /* the literal belongs to a command that will not be understood */
    bool cr;          /* the last byte was CR */
    bool bad;         /* for `problem`: what remains is only read */
    bool list, half;  /* ID: inside the parentheses; a key is read, its value is not */
    imap_problem problem;
    size_t tag_n, name_n; /* both are 0 until complete */
    size_t pairs, kept_n; /* ID: pairs read; octets of the remembered ones */
    size_t word_at;       /* where in bytes the current word begins */
    size_t n_words;
    struct imap_word {
        uint32_t at, n;
        bool nil;
    } words[IMAP_WORDS_MAX];
};

/* sasl_line_max: octets of the longest SASL response; an AUTHENTICATE command may be IMAP_AUTHENTICATE_ROOM longer. */
void imap_reader_init(struct imap_reader *r, size_t sasl_line_max);
void imap_reader_fini(struct imap_reader *r);
void imap_reader_reset(struct imap_reader *r); /* forget a half-read command (STARTTLS) and wipe */

/* Takes bytes from the front of *in. After IMAP_FATAL it takes nothing and says so again until it is reset. */
enum imap_got imap_reader_next(struct imap_reader *r, struct span *in, struct imap_command *command,
                               imap_problem *problem) MUST_CHECK;

/* Writing: an argument in the safest form that keeps every byte (RFC 9051 4.3).
 * Quoted where every byte is 7-bit, not CR, LF or NUL, and it is not longer than 1,000 bytes; else a literal. */
enum imap_literals { IMAP_SYNC_ONLY, IMAP_LITERAL_PLUS, IMAP_LITERALS_TO_4096 /* LITERAL- */ };
enum imap_written {
    IMAP_WRITTEN,    /* whole argument added to out */
    IMAP_WAIT,       /* "{n}\r\n" was added: send it, wait for the continuation, then add the bytes themselves */
    IMAP_UNWRITABLE, /* it holds NUL, or out is full: nothing was added */
};
bool imap_fits_quoted(struct span argument);
enum imap_written imap_write_argument(struct buf *out, struct span argument, enum imap_literals literals) MUST_CHECK;

#endif
