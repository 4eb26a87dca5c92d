"""What a session costs, side by side: each figure is taken in turn from every proxy, several rounds over, and the table has the
medians and their ratios to Homeward's. See scripts/bench."""
import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import distance, growth, measure, programs, proxies, steady  # noqa: E402
from harness import certificates, processes  # noqa: E402

PROXY_CPU, LOAD_CPU = 1, 0
USERS = 1000
LOGINS_AT_ONCE = 8
CROWD = 64  # logins at once: what waits in a proxy for a moment no longer decides how busy it is
SPARE = 4


class Row:
    """One line of the table. figure(bench, proxy) gives (value, result of the load), or figure is another row, with whose runs
    this one's come. Less is better unless it says otherwise. once: one round is enough, waiting does not depend on who else is busy.
    at_once: sessions of the load, of which each begins with a full handshake."""

    def __init__(self, name, unit, figure, more_is_better=False, once=False, at_once=LOGINS_AT_ONCE):
        self.name, self.unit, self.figure, self.more_is_better, self.once = name, unit, figure, more_is_better, once
        self.at_once = at_once

    def source(self):
        """The row whose runs give this one its figures."""
        return self.figure if isinstance(self.figure, Row) else self


def cpu_s(proxy):
    return sum(measure.cpu_s(pid) for pid in proxy.pids())


def run(bench, proxy, mode, protocol="imap", **options):
    """A load between its begin and its end: CPU seconds of all processes of the proxy, and the load's result."""
    load = programs.Load(bench.folder, mode, proxy.port[protocol], pop3=protocol == "pop3", users=USERS, settle_ms=300, suite=bench.suite or False,
                         duration_s=bench.seconds, **options)
    try:
        load.wait_for("begin")
        before = cpu_s(proxy)
        load.wait_for("end", bench.seconds + 60)
        after = cpu_s(proxy)
        return after - before, load.result(60)
    finally:
        load.kill()


def cpu_per_round(bench, proxy, mode, scale, **options):
    cpu, result = run(bench, proxy, mode, **options)
    return scale * cpu / max(result["ok"], 1), result


def logins(name, at_once=LOGINS_AT_ONCE, **options):
    return Row(f"{name}, CPU", "us", at_once=at_once,
               figure=lambda bench, proxy: cpu_per_round(bench, proxy, "login", 1e6, sessions=at_once, **options))


def noops(bench, proxy):
    return cpu_per_round(bench, proxy, "noop", 1e6, sessions=32)


def transfer(mode, protocol="imap"):
    def figure(bench, proxy):
        cpu, result = run(bench, proxy, mode, protocol, sessions=8)
        return 1e9 * cpu / max(result["bytes"], 1), result
    return figure


def idle(bench, proxy):
    """Memory of a proxy that was just started, before and with its sessions. Their users have been there before: what is
    remembered of those is no part of a session."""
    proxy.stop()
    bench.start(proxy)
    programs.Load(bench.folder, "login", proxy.port["imap"], count=bench.sessions, sessions=8, users=bench.sessions,
                  resume=True).result(120)
    time.sleep(measure.SETTLE_S)
    before = measure.total(measure.own_kib, proxy.pids())
    load = programs.Load(bench.folder, "idle", proxy.port["imap"], sessions=bench.sessions, users=bench.sessions)
    try:
        load.wait_for("ready", 120)
        time.sleep(measure.SETTLE_S)
        during = measure.total(measure.own_kib, proxy.pids())
        result = load.stop(120)
    finally:
        load.kill()
    if before is None or during is None:
        bench.say(f"{proxy.name}: memory of processes that are not dumpable is shown to root only")
        return None, result
    return 1.024 * (during - before) / bench.sessions, result


def speed(of):
    """The megabytes per second of another row's runs."""
    return Row(of.name.replace("CPU", "speed"), "MB/s", of, more_is_better=True)


DOWNLOAD = Row("download of 1 MiB messages, CPU", "ms/MB", transfer("download"))
UPLOAD = Row("upload of 1 MiB messages, CPU", "ms/MB", transfer("upload"))
ROWS = {
    "login": logins("IMAP login, full handshake"),
    "resumed": logins("IMAP login, resumed handshake", resume=True),
    "crowd-login": logins(f"IMAP, full, {CROWD} at once", at_once=CROWD),
    "crowd-resumed": logins(f"IMAP, resumed, {CROWD} at once", at_once=CROWD, resume=True),
    "pop3-login": logins("POP3 login, full handshake", protocol="pop3"),
    "pop3-resumed": logins("POP3 login, resumed handshake", protocol="pop3", resume=True),
    "noop": Row("NOOP round trip, CPU", "us", noops),
    "download": DOWNLOAD,
    "download-speed": speed(DOWNLOAD),
    "pop3-download": Row("POP3 download of 1 MiB messages, CPU", "ms/MB", transfer("download", "pop3")),
    "upload": UPLOAD,
    "upload-speed": speed(UPLOAD),
    "idle": Row("idle TLS session, memory", "kB", idle),
}
for rtt in (0, 20, 100):
    ROWS[f"site-{rtt}"] = Row(f"LOGIN to OK, site {rtt} ms away", "ms", distance.site(rtt), once=True)
    ROWS[f"site-{rtt}-spare"] = Row(f"the same with spare = {SPARE}", "ms", distance.site(rtt, SPARE), once=True)
for rtt in (0, 20, 100):
    ROWS[f"client-{rtt}"] = Row(f"connect to OK, client {rtt} ms away", "ms", distance.client(rtt), once=True)


class Bench:
    def __init__(self, options):
        self.suite = options.suite
        self.seconds, self.sessions, self.rounds = options.seconds, options.sessions, options.rounds
        self.folder = tempfile.mkdtemp(prefix="homeward-bench-")
        os.chmod(self.folder, 0o755)
        processes.give(self.folder)
        self.rows = [ROWS[name] for name in options.only]
        self.figures = {}   # (row, proxy): values
        self.failures = []  # sentences
        self.proxies, self.store = [], None
        self.names = [] if options.grow or options.steady else options.proxies

    def start(self, proxy):
        with on_cpu(PROXY_CPU):
            proxy.start()

    @staticmethod
    def on_all_cpus():
        return on_cpu(*range(os.cpu_count()))

    def open(self):
        certificate = self.certificate = certificates.Authority(os.path.join(self.folder, "ca")).leaf("mail")
        self.store = programs.Store("north", os.path.join(self.folder, "store")).start()
        for name in self.names:
            proxy = proxies.ALL[name](self.folder, self.store, certificate)
            self.start(proxy)
            self.proxies.append(proxy)
            for protocol in proxy.port:
                run_warm = programs.Load(self.folder, "login", proxy.port[protocol], pop3=protocol == "pop3", count=200,
                                         sessions=4, users=USERS)
                self.note(proxy, f"warming up with {protocol}", run_warm.result())

    def close(self):
        for each in self.proxies + [self.store]:
            if each is not None:
                each.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, sentence):
        if sentence not in self.failures:
            self.failures.append(sentence)

    def note(self, proxy, what, result):
        """No failure is dropped: it stands below the table."""
        if result["failed"]:
            reasons = ", ".join(f"{count} x {reason}" for reason, count in result["reasons"].items())
            self.say(f"{proxy.name}, {what}: {result['failed']} of {result['failed'] + result['ok']} failed: {reasons}")

    def take(self, row, proxy):
        value, result = row.figure(self, proxy)
        self.note(proxy, row.name, result)
        if "resumed" in row.name and result["full"] > row.at_once + 0.01 * result["ok"]:
            self.say(f"{proxy.name}, {row.name}: {result['full']} of {result['ok']} were full handshakes")
        if value is not None:
            self.figures.setdefault((row, proxy.name), []).append(value)
        for other in self.rows:
            if other is not row and other.source() is row:
                self.figures.setdefault((other, proxy.name), []).append(result["mb_s"])

    def all_rounds(self):
        for number in range(1, self.rounds + 1):
            for row in dict.fromkeys(row.source() for row in self.rows):
                if row.once and number > 1:
                    continue
                print(f"round {number} of {self.rounds}: {row.name}", file=sys.stderr)
                for proxy in self.proxies:
                    self.take(row, proxy)

    def median(self, row, proxy):
        values = self.figures.get((row, proxy.name))
        return statistics.median(values) if values else None


@contextlib.contextmanager
def on_cpu(*numbers):
    """What is started meanwhile stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{model}, {os.cpu_count()} CPUs, Linux {os.uname().release}"


def print_table(bench):
    first = bench.proxies[0]
    print(f"{machine()}\n" + "\n".join(proxy.version() for proxy in bench.proxies))
    print(f"one worker on CPU {PROXY_CPU}, load and store on CPU {LOAD_CPU}; medians of {bench.rounds} rounds; "
          f"in brackets {first.name}'s share of it\n")
    print(f"{'':42}" + "".join(f"{proxy.name:>18}" for proxy in bench.proxies))
    for row in bench.rows:
        line = f"{row.name + ', ' + row.unit:42}"
        base = bench.median(row, first)
        for proxy in bench.proxies:
            value = bench.median(row, proxy)
            if value is None:
                line += f"{'-':>18}"
            elif proxy is first or not base or not value:
                line += f"{value:>11.2f}       "
            else:
                line += f"{value:>11.2f} ({base / value:4.2f})"
        print(line.rstrip() + ("   more is better" if row.more_is_better else ""))
    for sentence in bench.failures:
        print("! " + sentence)


def print_json(bench):
    print(json.dumps({
        "machine": machine(), "versions": {proxy.name: proxy.version() for proxy in bench.proxies}, "rounds": bench.rounds,
        "figures": [{"name": row.name, "unit": row.unit, "proxy": proxy.name, "median": bench.median(row, proxy),
                     "values": bench.figures.get((row, proxy.name), [])}
                    for row in bench.rows for proxy in bench.proxies],
        "failures": bench.failures,
    }, indent=1))


def chosen(known):
    def read(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not known; expected some of {','.join(known)}")
        return names
    return read


def options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="What a session costs, side by side.")
    parser.add_argument("--only", type=chosen(ROWS), default=list(ROWS), metavar="ROW,...", help=",".join(ROWS))
    parser.add_argument("--proxies", type=chosen(proxies.ALL), default=list(proxies.ALL), metavar="NAME,...",
                        help=",".join(proxies.ALL))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="for each figure")
    parser.add_argument("--sessions", type=int, default=2000, help="of the idle row")
    parser.add_argument("--suite", metavar="NAME", help="the only one of TLS 1.3 that clients offer: the same for all")
    parser.add_argument("--grow", action="store_true",
                        help="instead: how Homeward's cost grows with sessions, fronts, mailboxes and slow readers")
    parser.add_argument("--steady", type=int, metavar="MINUTES",
                        help="instead: 10,000 logins a minute for so long, and whether Homeward's memory grows")
    parser.add_argument("--json", action="store_true", help="all values, for machines")
    return parser.parse_args()


def main():
    chosen_options = options()
    bench = Bench(chosen_options)
    if os.cpu_count() < 2:
        print("bench: needs two CPUs, one for the proxy and one for the load", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {LOAD_CPU})
    try:
        bench.open()
        if chosen_options.grow:
            print(f"{machine()}\n")
            growth.print_all(bench)
        elif chosen_options.steady:
            steady.print_all(bench, chosen_options.steady)
        else:
            bench.all_rounds()
            (print_json if chosen_options.json else print_table)(bench)
    except processes.Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    finally:
        bench.close()
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
