/* SASL messages of the mechanisms that a front end handles: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login),
 * XOAUTH2 (Google's), OAUTHBEARER (RFC 7628), and base64 (RFC 4648, strict: no white space, right padding, no loose
 * bits). */
#ifndef PROXY_WIRE_SASL_H
#define PROXY_WIRE_SASL_H

#include "proxy/base/buf.h"

enum { SASL_NAME_MAX = 320 /* octets of a user name or authzid */, SASL_PASSWORD_MAX = 4096 };

enum sasl_mechanism { SASL_NONE, SASL_PLAIN, SASL_LOGIN, SASL_XOAUTH2, SASL_OAUTHBEARER, SASL_MECHANISMS };

const char *sasl_name(enum sasl_mechanism m);    /* "PLAIN" … */
enum sasl_mechanism sasl_find(struct span name); /* ASCII case ignored; SASL_NONE when unknown */
bool sasl_is_bearer(enum sasl_mechanism m);

/* Decoded bytes are appended to `to`. False: not base64, or `to` is full; `to` is unchanged then. */
bool base64_decode(struct span text, struct buf *to) MUST_CHECK;
bool base64_encode(struct span bytes, struct buf *to) MUST_CHECK;

/* Spans borrow from the message. */
struct sasl_identity {
    struct span authzid;  /* empty: none */
    struct span authcid;  /* the user name; never empty, no NUL, CR, LF; at most SASL_NAME_MAX */
    struct span password; /* PLAIN */
    struct span token;    /* bearer: what stands behind "Bearer " */
};

/* False: malformed (a missing part, NUL inside, a name that is empty, too long, or holds CR, LF or NUL, two user=
 * fields, a ^A inside a token …). PLAIN's password may hold every byte but NUL, and is not empty (RFC 4616). */
bool sasl_plain_parse(struct span message, struct sasl_identity *who) MUST_CHECK;
bool sasl_xoauth2_parse(struct span message, struct sasl_identity *who) MUST_CHECK;
/* =2C and =3D of the user name are decoded into `name` (emptied first), which authcid then borrows from. */
bool sasl_oauthbearer_parse(struct span message, struct buf *name, struct sasl_identity *who) MUST_CHECK;

/* A user name as any mechanism or LOGIN or USER may bring it: 1 to SASL_NAME_MAX octets, no NUL, CR, LF. */
bool sasl_name_ok(struct span name);

/* The messages, not yet in base64. False when the target is full or a part holds what the mechanism cannot carry; `to`
 * is unchanged then. */
bool sasl_plain_write(struct buf *to, struct span authzid, struct span authcid, struct span password) MUST_CHECK;
bool sasl_xoauth2_write(struct buf *to, struct span user, struct span token) MUST_CHECK;
bool sasl_oauthbearer_write(struct buf *to, struct span user, struct span token) MUST_CHECK;

#endif
