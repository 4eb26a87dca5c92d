"""TLS clients that are not what they seem: names of every kind, handshakes half done by the hundred, renegotiation. What a good client
may and may not negotiate is shown in test/e2e/test_tls.py."""
import asyncio
import itertools
import subprocess
import time

import pytest

from bench import measure
from . import matrix, wire
from .stage import sign_in
from .wire import hello

NAMES = 5000
HALF_DONE = 300


LONG = ".".join(["a" * 62] * 4)
ODD = {"251 octets": (LONG, None), "a NUL": ("ab.test", b"a\0.test"), "NULs": ("ab.test", b"\0" * 7), "8-bit": ("ab.test", b"\xff\xfe.test"),
       "LF": ("ab.test", b"a\n.test"), "slashes": ("ab.test", b"../../x"), "percent signs": ("ab.test", b"%n%s%n%"), "dots": ("ab.test", b"......."),
       "stars": ("ab.test", b"*.*.*.*"), "an unknown one": ("nobody.knows.test", None)}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("door", ["imaps", "pop3s"])
def test_a_server_name_of_any_kind_gets_a_server_hello_or_an_alert(stage, door, name):
    async def play():
        client = await wire.connect(stage.doors[door])
        await client.raw(hello(stage.context, *ODD[name]))
        while len(client.unread) < 7 and await client.more():
            pass
        client.close()
        return client.unread
    said = stage.run(play())
    assert said[:1] in (b"\x16", b"\x15"), said
    stage.check()


def test_thousands_of_server_names_leave_no_memory_behind(stage):
    flight, place = hello(stage.context, "n0000000.test"), b"n0000000.test"

    async def one(number, gate):
        async with gate:
            client = await wire.connect(stage.doors["imaps"])
            await client.raw(flight.replace(place, b"n%07d.test" % number))
            await client.more()
            client.close()

    async def many(first):
        gate = asyncio.Semaphore(32)
        await asyncio.gather(*(one(first + number, gate) for number in range(NAMES)))

    stage.run(many(0))
    stage.check()
    before = {pid: measure.rss_kib(pid) for pid in stage.pids()}
    stage.run(many(NAMES))
    stage.check()
    for pid, rss in before.items():
        assert matrix.SANITIZED or measure.rss_kib(pid) < rss + 1024  # a sanitizer keeps what is given back


def test_handshakes_half_done_stand_in_nobodys_way_and_go_at_their_deadline(stage):
    flight = hello(stage.context, "localhost")

    async def play():
        halves = await asyncio.gather(*(wire.connect(stage.doors[("imaps", "pop3s")[number % 2]]) for number in range(HALF_DONE)))
        for number, client in enumerate(halves):
            await client.raw(flight[:(number * 7) % len(flight)])
        began = time.monotonic()
        good = await stage.connect("imaps")
        await sign_in(good, "imaps")
        took = time.monotonic() - began
        good.close()
        gone = await asyncio.gather(*(client.ends(6) for client in halves))
        for client in halves:
            client.close()
        return took, gone
    took, gone = stage.run(play())
    assert took < 2 and all(gone)
    stage.check()


@pytest.mark.parametrize("door", ["imaps", "pop3s"])
def test_a_client_cannot_renegotiate(stage, door):
    """s_client begins anew at a line that starts with R; the greeting must not come in between."""
    argv = ["timeout", "20", "openssl", "s_client", "-connect", f"127.0.0.1:{stage.doors[door]}", "-tls1_2", "-legacy_renegotiation"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        lines = iter(client.stdout.readline, b"")
        said = b"".join(itertools.takewhile(lambda line: not line.startswith((b"* OK", b"+OK")), lines))
        client.stdin.write(b"R\n")
        client.stdin.close()
        said += client.stdout.read()
    assert b"RENEGOTIATING" in said and (b"no renegotiation" in said or b"handshake failure" in said or b"alert" in said), said[-500:]
    stage.check(8)
