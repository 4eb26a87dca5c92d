"""What must hold in large numbers, and how well it does. See scripts/hostile --figures."""
import argparse
import asyncio
import base64
import hashlib
import os
import random
import re
import shutil
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import measure, programs
from harness import certificates, homeward, processes
from hostile import wire
from hostile.conftest import new_folder
from hostile.stage import PASSWORD, HomewardStage, server_context, sign_in
from hostile.stores import Store
from hostile.wire import hello


class Rig:
    """Homeward before a stub store (@bench.test) and whatever else a figure brings."""

    def __init__(self, password="secret", stores=(), **settings):
        """stores: {protocol: Store} for sites s0, s1, …"""
        self.folder = new_folder()
        self.authority = certificates.Authority(os.path.join(self.folder, "ca"))
        self.store = programs.Store("bench", os.path.join(self.folder, "bench"), certificate=self.authority.leaf("store"), password=password).start()
        self.scripted = [make(server_context(self.authority.leaf("store"))) for make in stores]
        sites = [{"name": f"s{number}", "backends": [{"host": "127.0.0.1"}], "security": "tls", "imap": {"port": store.port}, "pop3": "off"}
                 for number, store in enumerate(self.scripted)]
        self.stage = HomewardStage(
            os.path.join(self.folder, "stage"), self.authority, [homeward.site(self.store), *sites],
            "@bench.test bench\n" + "".join(f"@s{number}.test s{number}\n" for number in range(len(sites))),
            {"log": {"level": "info"}, **settings}).start()
        for store in self.scripted:
            self.stage.run(self._start(store))
        self.loads = []

    @staticmethod
    async def _start(store):
        store.start()

    def front(self):
        return self.stage.front.roles()["front"][0]

    def load(self, mode, door="imaps", **options):
        more = {"pop3": True} if door.startswith("pop3") else {}
        self.loads.append(programs.Load(self.folder, mode, self.stage.doors[door], users=1000, **more, **options))
        return self.loads[-1]

    def close(self):
        for load in self.loads:
            load.kill()
        for store in self.scripted:
            store.close()
        try:
            self.stage.close()
        finally:
            self.store.stop()
            shutil.rmtree(self.folder, ignore_errors=True)


# ---- a crowd that stalls ----

CROWD, CROWD_S, DEADLINE_S = 5000, 12, 60


async def at_half_hello(stage, _):
    client = await wire.connect(stage.doors["imaps"])
    await client.raw(hello(stage.context, "localhost")[:150])
    return client


def at(door, greeted, *steps):
    async def reach(stage, number):
        name = (door if number % 2 else door.replace("imap", "pop3"))
        client = await stage.connect(name) if greeted else await wire.connect(stage.doors[name])
        for step in steps:
            await client.send(step[0] if number % 2 else step[1])
        return client
    return reach


STALLS = [at("imaps", False), at_half_hello, at("imap", True, (b"a STARTTLS\r\n", b"STLS\r\n")), at("imaps", True),
          at("imaps", True, (b"a LOGI", b"USE")), at("imaps", True, (b"a LOGIN {10}\r\n12345", b"USER anna\r\nPASS ha")),
          at("imaps", True, (b"a AUTHENTICATE PLAIN\r\n", b"AUTH PLAIN\r\n"))]


def p99_ms(rig):
    result = rig.load("login", sessions=15, pause_ms=120, duration_s=CROWD_S, settle_ms=0).result(60)
    return result["login_us"]["p99"] / 1000, result


def crowd():
    """5,000 connections stalled in seven phases while logins go on."""
    rig = Rig(limits={"login_timeout_s": DEADLINE_S, "site_login_timeout_s": 30})
    try:
        p99_ms(rig)  # warms everything up
        alone, _ = p99_ms(rig)
        before = measure.own_kib(rig.front())
        opened, clients = [], []

        async def come(number, gate):
            async with gate:
                opened.append(time.monotonic())
                clients.append(await STALLS[number % len(STALLS)](rig.stage, number))

        async def all_come():
            gate = asyncio.Semaphore(32)
            await asyncio.gather(*(come(number, gate) for number in range(CROWD)))
        rig.stage.run(all_come())
        each = (measure.own_kib(rig.front()) - before) / CROWD
        among, result = p99_ms(rig)

        async def all_gone():
            return await asyncio.gather(*(client.ends(DEADLINE_S + 10) for client in clients))
        gone = rig.stage.run(all_gone(), 200)
        last = time.monotonic() - max(opened)
        for client in clients:
            client.close()
        rig.stage.check(10)
        print(f"crowd: {CROWD} connections stalled in {len(STALLS)} phases cost {each:.1f} KiB each; {result['rate']:.0f} logins/s among them: p99 "
              f"{among:.1f} ms, without them {alone:.1f} ms, failed {result['failed']}; {sum(gone)} were ended, the last {last:.0f} s after it came "
              f"(deadline {DEADLINE_S} s)")
        return each < 48 and among < 2 * alone and result["rate"] >= 100 and result["failed"] == 0 and all(gone) and last < DEADLINE_S + 5
    finally:
        rig.close()


# ---- slow readers ----

SLOW, SLOW_UP = 1000, 100


async def never_reads(double):
    await double.greet()
    await double.welcome(await double.credential())
    await asyncio.sleep(3600)


def slow():
    """A thousand clients that do not read their gibibyte, and stores that do not read theirs."""
    rig = Rig(stores=[lambda context: Store("imap", never_reads, tls=context)])
    try:
        rig.load("login", count=100, sessions=4).result()
        before = measure.own_kib(rig.front())

        async def all_push():
            clients = []
            for _ in range(SLOW_UP):
                clients.append(await rig.stage.connect("imaps", receive_bytes=4096))
                await sign_in(clients[-1], "imaps", b"anna@s0.test")
                await clients[-1].send(b"a APPEND INBOX {1073741824+}\r\n")
            chunk = b"m" * (1 << 20)

            async def one(client):
                try:
                    async with asyncio.timeout(12):
                        while True:
                            await client.send(chunk)
                except TimeoutError:
                    pass
            await asyncio.gather(*(one(client) for client in clients))
            return clients
        clients = rig.stage.run(all_push())
        up = (measure.own_kib(rig.front()) - before) / SLOW_UP
        for end in clients + [visit.wire for visit in rig.scripted[0].visits]:
            end.reset()
        processes.wait_until("they are gone", 20, lambda: rig.stage.run(asyncio.sleep(0.1)) or not any(rig.stage.gauges().values()))
        load = rig.load("download", sessions=SLOW, message_kib=1048576, rate_kib=4, timeout_s=120, settle_ms=0)
        load.wait_for("begin", 120)
        time.sleep(15)
        down = (measure.own_kib(rig.front()) - before) / SLOW
        lost = len(load.events("failed"))
        load.kill()
        print(f"slow: {SLOW} clients that take 4 KiB/s of a message of 1 GiB cost {down:.0f} KiB each, {lost} were lost; {SLOW_UP} uploads of 1 GiB to "
              f"stores that do not read cost {up:.0f} KiB each")
        return down <= 256 and up <= 256 and lost == 0
    finally:
        rig.close()


# ---- nothing is lost or changed ----

WHOLE, EACH = 100, (1 << 30) // 100 + 1
POOL = random.Random(1).randbytes(1 << 21)


async def pour(end, seed):
    """EACH random bytes in chunks, segments and pauses of any kind; their hash."""
    dice, digest, left = random.Random(seed), hashlib.sha256(), EACH
    while left > 0:
        size = min(left, dice.choice((1, 7, 100, 1448, 4096, 16384, 16385, 60000)) if dice.random() < 0.2 else dice.randrange(16384, 200000))
        start = dice.randrange(len(POOL) - size)
        digest.update(POOL[start:start + size])
        await end.send(POOL[start:start + size], dice.choice((0, 0, 0, 1000, 5000)))
        left -= size
        if dice.random() < 0.02:
            await asyncio.sleep(dice.random() / 50)
    return digest.digest()


async def drink(end):
    digest, left = hashlib.sha256(), EACH
    end.keeps = False
    while left > 0:
        if not end.unread and not await end.more(60):
            raise wire.Ended(f"it ended {left} bytes early")
        digest.update(end.unread)
        left, end.unread = left - len(end.unread), b""
    return digest.digest() if left == 0 else b"too much"


def whole():
    """A gibibyte each way, over a hundred sessions at once."""
    at_store = {}

    async def both_ways(double):
        await double.greet()
        await double.welcome(await double.credential())
        name = double.visit.attempts[-1][0].split(b"@")[0]
        await double.wire.more()  # all have signed in before the first of them begins: this process is slower than a store
        at_store[name] = await asyncio.gather(pour(double.wire, b"down" + name), drink(double.wire))
        await double.wire.rest(patience=60)

    rig = Rig(stores=[lambda context: Store("imap", both_ways, tls=context)],
              limits={"login_timeout_s": 60, "site_login_timeout_s": 30, "greeting_timeout_ms": 20000})

    async def come(number):
        client = await rig.stage.connect("imaps", patience=120)
        await sign_in(client, "imaps", b"u%d@s0.test" % number)
        return client

    async def one(number, client):
        name = b"u%d" % number
        sent, got = await asyncio.gather(pour(client, b"up" + name), drink(client))
        while name not in at_store:
            await asyncio.sleep(0.05)
        client.close()
        return [sent, got] == at_store[name][::-1]

    async def all_of_them():
        clients = [await come(number) for number in range(WHOLE)]
        return await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))
    try:
        began = time.monotonic()
        equal = rig.stage.run(all_of_them(), 900)
        took = time.monotonic() - began
        print(f"whole: {WHOLE} sessions at once, {WHOLE * EACH / (1 << 30):.2f} GiB each way in random chunks and records: {sum(equal)} with equal hashes "
              f"both ways, in {took:.0f} s")
        return all(equal)
    finally:
        rig.close()


# ---- nothing reaches the wrong end ----

MARKED = 5000


def is_own(received, line):
    """Nothing but this line, over and over; the last may be cut. Behind it Homeward may say that the store was lost."""
    received = received.partition(b"* BYE The connection")[0]
    return (line * (len(received) // len(line) + 1)).startswith(received)


def marked():
    """Sessions that say nothing but their own name, and break off at random at either end."""
    wrong, dice = [], random.Random(9)

    async def chat(end, line, name, mark, seconds):
        try:
            async with asyncio.timeout(seconds):
                async def talk():
                    while True:
                        await end.send(line * dice.randrange(1, 100))
                        await asyncio.sleep(dice.random() / 5)

                async def listen():
                    while await end.more(60):
                        pass
                talking = asyncio.get_running_loop().create_task(talk())
                try:
                    await listen()
                finally:
                    talking.cancel()
                    await asyncio.gather(talking, return_exceptions=True)
        except (TimeoutError, OSError, ssl.SSLError, wire.Surprise):
            pass
        if not is_own(end.received[mark:], line):
            wrong.append(name)
        dice.choice((end.close, end.reset, end.close))()

    async def store(double):
        await double.greet()
        await double.welcome(await double.credential())
        name = double.visit.attempts[-1][0].split(b"@")[0]
        # What came glued to the login counts as well.
        mark = len(double.wire.received) - len(double.wire.unread)
        await chat(double.wire, b"* " + name + b" mark\r\n", name, mark, dice.random() / 2)

    rig = Rig(stores=[lambda context: Store("imap", store, tls=context)])

    async def one(number, gate):
        async with gate:
            name = b"m%06d" % number
            client = await rig.stage.connect(("imaps", "imap-clear")[number % 2], patience=20)
            try:
                await sign_in(client, "imaps", name + b"@s0.test")
            except (wire.Surprise, OSError):
                return  # its store broke off first
            mark = len(client.received) - len(client.unread)
            await chat(client, b"* " + name + b" mark\r\n", name, mark, dice.random() / 2)

    async def all_of_them():
        gate = asyncio.Semaphore(100)
        await asyncio.gather(*(one(number, gate) for number in range(MARKED)))
    try:
        rig.stage.run(all_of_them(), 900)
        rig.stage.check(10)
        seen = sum(len(visit.wire.received) for visit in rig.scripted[0].visits)
        print(f"marked: {MARKED} sessions that broke off at random, {len(rig.scripted[0].visits)} came to the store, {seen >> 20} MiB up: "
              f"{len(wrong)} ends saw a byte that was not theirs")
        return not wrong and len(rig.scripted[0].visits) >= 0.99 * MARKED
    finally:
        rig.close()


# ---- secrets ----

LOGINS = 10000
WRONG = b"Marker-4712-Wrong!"


def forms(password):
    """As it is, and in base64 at each of the three alignments, without the letters that depend on what stands beside it."""
    found = [password]
    for skip in range(3):
        text = base64.b64encode(b"\0" * skip + password)
        found.append(text[(skip * 8 + 5) // 6:len(text) - 4])
    return found


def memory_hits(pid, needles):
    hits = 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vdso]")):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                text = memory.read(end - start)
            except OSError:
                continue
            hits += sum(len(re.findall(re.escape(needle), text)) for needle in needles)
    return hits


def secrets():
    """Logins good and bad at debug level, and where their passwords can then be found."""
    rig = Rig(password=PASSWORD.decode(), log={"level": "debug"})
    needles = [form for password in (PASSWORD, WRONG) for form in forms(password)]
    try:
        counts = {}
        for door in ("imaps", "pop3s"):
            for password in (PASSWORD, WRONG):
                result = rig.load("login", door, count=LOGINS // 4, sessions=48, password=password.decode(), settle_ms=0).result(120)
                counts[password] = counts.get(password, 0) + (result["ok"] if password == PASSWORD else result["failed"])

        async def by_sasl(number):
            client = await rig.stage.connect("imaps")
            plain = base64.b64encode(b"\0u%d@bench.test\0%s" % (number, (PASSWORD, WRONG)[number % 2]))
            await client.send(b"a AUTHENTICATE PLAIN " + plain + b"\r\n" if number % 3 else b"a AUTHENTICATE PLAIN\r\n")
            line = await client.line()
            if line.startswith(b"+"):
                await client.send(plain + b"\r\n")
                line = await client.line()
            return client, line

        async def some():
            return [await by_sasl(number) for number in range(200)]
        held = rig.stage.run(some())
        time.sleep(4)  # three quiet seconds after a burst its memory goes back to the system
        alive = sum(line.startswith(b"a OK") for _, line in held)
        logs = rig.stage.said().encode()
        in_log = sum(logs.count(needle) for needle in needles)
        in_memory = {role: sum(memory_hits(pid, needles) for pid in pids) for role, pids in rig.stage.front.roles().items()}
        cores = [name for name in os.listdir(rig.stage.front.folder) if name.startswith("core")]
        for client, _ in held:
            client.close()
        print(f"secrets: {counts[PASSWORD]} logins with the right and {counts[WRONG]} with a wrong password, 200 by SASL, at debug level; with {alive} sessions "
              f"still there the passwords stand in {in_log} places of {len(logs) >> 20} MiB of log, {len(cores)} core files, places in memory: {in_memory}")
        return in_log == 0 and not cores and not any(in_memory.values()) and min(counts.values()) > 0.45 * LOGINS
    finally:
        rig.close()


ALL = {each.__name__: each for each in (crowd, slow, whole, marked, secrets)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="; ".join(f"{name}: {each.__doc__}" for name, each in ALL.items()))
    parser.add_argument("names", nargs="*", choices=[[], *ALL], default=[], help="some of them: " + ", ".join(ALL))
    good = True
    for name in parser.parse_args().names or ALL:
        passed = ALL[name]()
        print(f"{name}: {'passed' if passed else 'FAILED'}", flush=True)
        good = good and passed
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
