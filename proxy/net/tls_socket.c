/* A BIO on a descriptor, as OpenSSL's own socket BIO, but that its writes can say MSG_MORE (send(2)). */
#include "proxy/net/tls_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <sys/socket.h>

static int finished(BIO *bio, ssize_t n, int again)
{
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
    return (int)n;
}

static int on_write(BIO *bio, const char *from, int n)
{
    struct tls_socket *s = BIO_get_data(bio);
    ssize_t sent = send(s->fd, from, (size_t)n, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
    if (sent > 0)
        s->held = s->more;
    return finished(bio, sent, BIO_FLAGS_WRITE);
}

static int on_read(BIO *bio, char *to, int room)
{
    struct tls_socket *s = BIO_get_data(bio);
    ssize_t n = recv(s->fd, to, (size_t)room, 0);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return finished(bio, n, BIO_FLAGS_READ);
}

static long on_control(BIO *bio, int command, long number UNUSED, void *pointer UNUSED)
{
    switch (command) {
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static BIO_METHOD *method(void)
{
    static BIO_METHOD *ours; /* made once, for the life of the process */
    if (ours != NULL)
        return ours;
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    if (m != NULL && BIO_meth_set_write(m, on_write) && BIO_meth_set_read(m, on_read) &&
        BIO_meth_set_ctrl(m, on_control))
        return ours = m;
    BIO_meth_free(m);
    return NULL;
}

bool tls_socket_use(SSL *ssl, struct tls_socket *s)
{
    const BIO_METHOD *m = method();
    BIO *bio = m != NULL ? BIO_new(m) : NULL;
    if (bio == NULL)
        return false;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

void tls_socket_push(struct tls_socket *s)
{
    int on = 1; /* as it is already: setting it sends what waits (tcp(7)) */
    if (s->held)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->held = false;
}
