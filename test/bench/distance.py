"""How long a login takes when the store, or the client, is far away: a delay line stands between, and milliseconds are counted."""
import os
import time

from bench import programs, proxies

LOGINS = 10
NOTHING = {"ok": 0, "failed": 0, "mb_s": 0, "full": 0}


class Far:
    """A store at the other end of a delay line, as proxies see it."""

    def __init__(self, store, line):
        self.name, self.security, self.port_of = store.name, store.security, line.port_of


def logins(bench, port):
    """One after the other, each on a connection of its own."""
    return programs.Load(bench.folder, "login", port, count=LOGINS, sessions=1, users=100, settle_ms=100).result(120)


def median_ms(result, latency):
    return result[latency]["p50"] / 1000 if result["ok"] else None


def site(rtt_ms, spare=0):
    """From the client's LOGIN to its OK."""
    def figure(bench, proxy):
        if spare and not isinstance(proxy, proxies.Homeward):
            return None, NOTHING
        line = programs.DelayLine(bench.folder, rtt_ms, proxy.store.port_of).start()
        folder = os.path.join(bench.folder, f"far-{rtt_ms}-{spare}-{time.monotonic_ns()}")
        os.mkdir(folder, 0o755)
        there = type(proxy)(folder, Far(proxy.store, line), proxy.certificate, **({"spare": spare} if spare else {}))
        try:
            bench.start(there)
            time.sleep(1 + 8 * rtt_ms / 1000)  # what is to stand ready does so
            result = logins(bench, there.port["imap"])
            return median_ms(result, "answer_us"), result
        finally:
            there.stop()
            line.stop()
    return figure


def client(rtt_ms):
    """From a closed connection to OK: TCP, TLS, greeting, LOGIN."""
    def figure(bench, proxy):
        line = programs.DelayLine(bench.folder, rtt_ms, {"imap": proxy.port["imap"]}).start()
        try:
            result = logins(bench, line.port_of["imap"])
            return median_ms(result, "login_us"), result
        finally:
            line.stop()
    return figure
