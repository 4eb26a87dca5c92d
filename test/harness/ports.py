"""Ports that nobody uses, below the range from which the kernel takes its own."""
import os
import socket

FIRST, LAST = 21000, 31999
# Test runs side by side begin far from each other; workers of one run have neighbouring process ids.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_next = FIRST + (os.getpid() * 61 + _worker * 5003) % (LAST - FIRST)


def is_free(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        if family == socket.AF_INET6 and not has_ipv6():
            continue
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            # As a server would: connections that ended a moment ago do not count.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
            except OSError:
                return False
    return True


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
            return True
    except OSError:
        return False


def take(number=None):
    """One free port, or a list of them."""
    global _next
    found = []
    while len(found) < (number or 1):
        _next = FIRST + (_next + 1 - FIRST) % (LAST - FIRST)
        if is_free(_next):
            found.append(_next)
    return found if number else found[0]


def low():
    """One that needs a privilege."""
    return next(port for port in range(1023, 512, -1) if is_free(port))


def is_open(port, address="127.0.0.1"):
    """Does somebody listen there?"""
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False
