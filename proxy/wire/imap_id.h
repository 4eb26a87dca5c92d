/* The words of an ID list while it is read (RFC 2971): all are checked, few are kept. Used by imap_command.c alone. */
#ifndef PROXY_WIRE_IMAP_ID_H
#define PROXY_WIRE_IMAP_ID_H

#include "proxy/wire/imap_command.h"

/* A key or a value stands complete at r->word_at; with a value the pair is counted, and kept or dropped. */
void imap_id_word(struct imap_reader *r, bool nil);

/* Wipes what r->bytes holds from that offset on. */
void imap_id_forget(struct imap_reader *r, size_t at);

#endif
