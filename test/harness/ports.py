"""Ports that nobody uses, below the range from which the kernel takes its own."""
import os
import socket

FIRST, END = 21000, 31000
BLOCK, MOST = 250, 6  # MOST blocks at most for one process, which then begins anew
_blocks = []  # a process's own: (first port, the socket that keeps it)
_low = []  # the same, each for itself
_taken = 0


def _own(first):
    """No other process of a test run has what begins with this port: the name of a socket is a lock that goes with its process. None: one has it."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0homeward-test-ports-{first}")
        return lock
    except OSError:
        lock.close()
        return None


def _next():
    """The next of this process's own, free or not."""
    global _taken
    number, at = divmod(_taken, BLOCK)
    if number == len(_blocks):
        found = next(((first, lock) for first in range(FIRST, END, BLOCK) if (lock := _own(first))), None) if number < MOST else None
        if found is None and not _blocks:
            found = FIRST + os.getpid() * BLOCK % (END - FIRST), None  # shared with somebody
        if found is None:
            number = _taken = 0
        else:
            _blocks.append(found)
    _taken += 1
    return _blocks[number][0] + at


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
    found = []
    while len(found) < (number or 1):
        if is_free(port := _next()):
            found.append(port)
    return found if number else found[0]


def low():
    """One that needs a privilege; nobody else gets it for as long as this process lives."""
    _low.append(next((port, lock) for port in range(1023, 512, -1) if is_free(port) and (lock := _own(port))))
    return _low[-1][0]


def is_open(port, address="127.0.0.1"):
    """Does somebody listen there?"""
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False
