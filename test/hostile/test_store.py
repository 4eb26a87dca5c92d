"""Every case of store_cases.py, for both protocols: nothing of the password leaves, the answer is an outage, the site is marked."""
import asyncio
import base64
import ssl

import pytest

from harness import processes
from . import store_cases, wire
from .stage import PASSWORD, SETTLE_S, server_context, sign_in
from .stores import Store

LINES = [(protocol, name) for name, (_, *steps) in store_cases.CASES.items() for protocol, each in zip(("imap", "pop3"), steps) if each is not None]
OUTAGE = {"imap": rb"in NO [UNAVAILABLE]", "pop3": b"-ERR [SYS/TEMP]"}


def script_of(steps):
    async def script(double):
        end, last = double.wire, b""
        for step in steps:
            if step == store_cases.RESET:
                return end.reset()
            if step == store_cases.FIN:
                return None
            if isinstance(step, store_cases.Await):
                while step.word not in (last := await end.line()):
                    pass
            elif isinstance(step, store_cases.Answer):
                await end.send(step.text.replace(b"%s", last.split(b" ")[0]))
            elif isinstance(step, store_cases.Drip):
                for byte in step.data:
                    await end.send(bytes([byte]))
                    await asyncio.sleep(step.seconds)
            elif isinstance(step, bytes):
                await end.send(step)
        return await end.rest()  # whatever comes: it is looked at afterwards
    return script


@pytest.fixture(scope="module")
def stage(new_stage, authority):
    """A site for each case, with a store in either protocol that does what the case says."""
    context = server_context(authority.leaf("store"))
    sites, directory, stores = [], "", {}

    def make(number, name):
        security, *steps = store_cases.CASES[name]
        # What is said instead of a handshake stands in the table as steps of a store without one.
        shakes = context if security == "tls" and "(inside TLS)" in name else None
        both = {protocol: Store(protocol, script_of(each or []), tls=shakes) for protocol, each in zip(("imap", "pop3"), steps)}
        stores.update({(protocol, name): store for protocol, store in both.items()})
        return {"name": f"b{number}", "backends": [{"host": "127.0.0.1"}], "security": security,
                **{protocol: {"port": store.port} for protocol, store in both.items()}}

    for number, name in enumerate(store_cases.CASES):
        sites.append(make(number, name))
        directory += f"@b{number}.test b{number}\n"
    made = new_stage(sites=sites, directory=directory, settings={"limits": {"greeting_timeout_ms": 700}})
    made.scripted = stores

    async def start():
        for store in stores.values():
            store.start()
    made.run(start())
    yield made
    for store in stores.values():
        store.close()


def traces(user):
    """Every form in which the credential could be seen."""
    plain = b"\0" + user + b"\0" + PASSWORD
    return [PASSWORD, base64.b64encode(plain), base64.b64encode(PASSWORD), base64.b64encode(plain)[4:-4]]


@pytest.mark.parametrize("protocol, name", LINES)
def test_store(stage, protocol, name):
    number = list(store_cases.CASES).index(name)
    user, store, mark = b"anna@b%d.test" % number, stage.scripted[protocol, name], len(stage.said())

    async def play():
        client = await stage.connect(protocol + "s")
        try:
            with pytest.raises(wire.Surprise) as refused:
                await sign_in(client, protocol, user, PASSWORD)
            return str(refused.value)
        finally:
            client.close()

    said = stage.run(play())
    assert OUTAGE[protocol].decode() in said and "evil.example" not in said
    for visit in store.visits:
        assert not [form for form in traces(user) if form in visit.wire.received], visit.wire.received
    processes.wait_until("the store's failure is logged", 3, lambda: stage.front.lines(f"site=b{number}", "event=member_failed", since=mark)
                         or stage.front.lines(f"site=b{number}", "state=avoided", since=mark))
    assert len(store.visits) <= 2
    stage.check(SETTLE_S + 3)
