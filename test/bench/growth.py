"""How Homeward's cost grows: with idle sessions, fronts, mailboxes in the map, and clients that read slowly. One table; each line is a
Homeward of its own."""
import os
import time

from bench import measure, programs, proxies
from harness import processes

ONE_FRONT_MOST = 9000   # sessions, with 20,000 open files
READER_KIB_S = 4


class Series:
    def __init__(self, bench):
        self.bench, self.number = bench, 0

    def homeward(self, users=100, **options):
        """One that has seen so many users."""
        self.number += 1
        folder = os.path.join(self.bench.folder, f"growth-{self.number}")
        os.mkdir(folder, 0o755)
        processes.give(folder)
        proxy = proxies.Homeward(folder, self.bench.store, self.bench.certificate, **options)
        if options.get("workers", 1) == 1:
            self.bench.start(proxy)
        else:
            with self.bench.on_all_cpus():
                proxy.start()
        programs.Load(self.bench.folder, "login", proxy.port["imap"], count=max(users, 200), sessions=8, users=users,
                      resume=True).result(300)
        return proxy

    def tell(self, what, result, **figures):
        shown = "   ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
        print(f"{what:58}{shown}", flush=True)
        if result["failed"]:
            print(f"! {result['failed']} failed: {result['reasons']}")


def fronts_for(sessions):
    return 1 if sessions <= ONE_FRONT_MOST else 2


def memory_at_rest(proxy):
    time.sleep(measure.SETTLE_S)
    return memory(proxy)


def memory(proxy):
    return measure.total(measure.own_kib, proxy.pids())


def cpu_s(proxy):
    return sum(measure.cpu_s(pid) for pid in proxy.pids())


def idle(series, sessions):
    proxy = series.homeward(sessions, workers=fronts_for(sessions))
    before = memory_at_rest(proxy)
    load = programs.Load(series.bench.folder, "idle", proxy.port["imap"], sessions=sessions, users=sessions)
    try:
        load.wait_for("ready", 300)
        during, cpu = memory_at_rest(proxy), cpu_s(proxy)
        time.sleep(2)
        busy = (cpu_s(proxy) - cpu) / 2
        result = load.stop(300)
    finally:
        load.kill()
        proxy.stop()
    each = "-" if before is None or during is None else f"{1.024 * (during - before) / sessions:.2f}"
    series.tell(f"{sessions} idle sessions, {fronts_for(sessions)} fronts", result, kB_each=each,
                CPU_while_idle=f"{100 * busy:.1f} %", arrived_in=f"{load.events('ready')[0]['at_us'] / 1e6 - load.begun_s:.0f} s")


def logins(series, what, proxy, **more):
    load = programs.Load(series.bench.folder, "login", proxy.port["imap"], sessions=16, duration_s=series.bench.seconds, **more)
    load.wait_for("begin")
    before = cpu_s(proxy)
    load.wait_for("end", 60)
    used = cpu_s(proxy) - before
    result = load.result(60)
    series.tell(what, result, logins_per_s=f"{result['rate']:.0f}", CPU_us_each=f"{1e6 * used / max(result['ok'], 1):.0f}")


def fronts(series, workers):
    proxy = series.homeward(workers=workers)
    try:
        logins(series, f"logins, {workers} fronts", proxy, users=1000)
    finally:
        proxy.stop()


def mailboxes(series, count):
    lines = "".join(f"user{number}@bench.test north\n" for number in range(count))
    proxy = series.homeward(directory=lines)
    try:
        logins(series, f"logins, {count} mailboxes in the map", proxy, users=min(count, 100000))
        auth = proxy.front.roles()["auth"]
        print(f"{'':58}auth: {measure.total(measure.rss_kib, auth) / 1024:.1f} MB resident, the map among it")
    finally:
        proxy.stop()


def readers(series, count):
    proxy = series.homeward(count, workers=fronts_for(count))
    before = memory_at_rest(proxy)
    load = programs.Load(series.bench.folder, "download", proxy.port["imap"], sessions=count, users=count, message_kib=64,
                         rate_kib=READER_KIB_S, duration_s=8)
    try:
        load.wait_for("begin", 300)
        cpu = cpu_s(proxy)
        time.sleep(5)
        during, used = memory(proxy), cpu_s(proxy) - cpu
        result = load.result(120)
    finally:
        load.kill()
        proxy.stop()
    each = "-" if before is None or during is None else f"{1.024 * (during - before) / count:.1f}"
    series.tell(f"{count} readers of {READER_KIB_S} KiB/s, {fronts_for(count)} fronts", result, kB_each=each, CPU=f"{100 * used / 5:.1f} %")


def print_all(bench):
    series = Series(bench)
    for count in (1000, 4000, 8000, 16000):
        idle(series, count)
    for count in (1, 2):
        fronts(series, count)
    for count in (100, 10000, 1000000):
        mailboxes(series, count)
    for count in (1, 100, 10000):
        readers(series, count)
