/* What a certificate says of itself. */
#ifndef PROXY_NET_TLS_FACTS_H
#define PROXY_NET_TLS_FACTS_H

#include "proxy/base/buf.h"

/* Of the first certificate in PEM bytes: the end of its validity in seconds since 1970 and its names ("mail.example.com
 * mx.example.com"; names is cleared first). False: there is none that can be read. */
bool tls_certificate_facts(struct span pem, int64_t *ends_s, struct buf *names) MUST_CHECK;

#endif
