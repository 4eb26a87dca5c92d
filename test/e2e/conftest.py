"""Fixtures of the end-to-end tests: folders that the unprivileged account can use, certificates, mail stores, Homeward."""
import os
import shutil
import ssl
import tempfile

import pytest

from harness import certificates, dovecot, homeward, namespaces, processes, scripted

PASSWORDS = {
    "north": {"anna@demo.test": "secret", "gemma@demo.test": "north-gemma",
              "idle@demo.test": "secret", "big@demo.test": "secret", "deflate@demo.test": "secret"},
    "south": {"bert@demo.test": "secret", "gemma@branch.test": "south-gemma"},
    "old": {"carl": "secret"},
}
SECURITY = {"north": "tls", "south": "starttls", "old": "none"}
MAP = """\
anna@demo.test      north
bert@demo.test      south
carl@demo.test      old
gemma@demo.test     north
idle@demo.test      north
big@demo.test       north
deflate@demo.test   north
@branch.test        south
"""


def _folder(prefix):
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o755)
    processes.give(path)
    return path


@pytest.fixture(scope="session")
def shared_folder():
    path = _folder("homeward-e2e-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder():
    path = _folder("homeward-test-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(shared_folder):
    return certificates.Authority(os.path.join(shared_folder, "ca"))


@pytest.fixture(scope="session")
def trust(authority):
    return ssl.create_default_context(cafile=authority.ca)


@pytest.fixture(scope="session")
def stores(shared_folder, authority):
    """north, south and old, for all tests; each mailbox holds three mails, which no test takes away."""
    certificate = authority.leaf("store")
    found = {}
    try:
        for name, users in PASSWORDS.items():
            found[name] = dovecot.Store(name, os.path.join(shared_folder, name), SECURITY[name], users, certificate).start()
        yield found
    finally:
        for store in found.values():
            store.kill()


@pytest.fixture
def store(folder, authority):
    """store(name, security, users, ...): one more Dovecot, for this test alone."""
    made = []

    def make(name, security, users, **more):
        made.append(dovecot.Store(name, os.path.join(folder, name), security, users, authority.leaf("store"), **more))
        return made[-1].start()

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def scripted_store(authority):
    """scripted_store(script, tls=True): a double whose every connection is given to script(wire)."""
    made = []

    def make(script, tls=True, **more):
        made.append(scripted.ScriptedStore(server_context(authority) if tls else None, **more).serve(script))
        return made[-1]

    yield make
    for each in made:
        each.close()


def server_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.leaf("store"))
    return context


@pytest.fixture(scope="session")
def store_context(authority):
    return server_context(authority)


@pytest.fixture
def front(folder, authority):
    """front(settings, map): Homeward, started; it must end well, whatever the test made of it."""
    made = []

    def make(settings, directory="", name="homeward", start=True, **more):
        settings = {"tls": {"certificates": [dict(zip(("chain", "key"), authority.leaf("mail")))], "ca_file": authority.ca},
                    "auth": {"failure_step_ms": 200}, **settings}
        made.append(homeward.Homeward(os.path.join(folder, name), settings, directory, **more))
        return made[-1].start() if start else made[-1]

    make.made = made
    yield make
    problems = []
    for each in made:
        try:
            each.stop()
        except processes.Failure as failure:
            problems.append(str(failure))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def joined():
    """joined(address, address): two network namespaces with a cable between them, or the reason why there are none."""
    made = []

    def make(*addresses):
        try:
            made.extend(namespaces.joined(*addresses))
        except namespaces.Unavailable as why:
            pytest.skip(f"this user of this machine has no network namespaces: {why}")
        return made

    yield make
    for each in made:
        each.close()


class House:
    """Homeward in front of the three stores, with its four doors."""

    def __init__(self, front, doors, stores):
        self.front, self.doors, self.stores = front, doors, stores


@pytest.fixture(scope="session")
def house(shared_folder, authority, stores):
    """The usual Homeward, for all tests that change nothing of it."""
    doors = homeward.Doors(authority.ca)
    options = {"north": {}, "south": {}, "old": {"user_format": "%n"}}
    settings = {
        **doors.groups(),
        "tls": {"certificates": [dict(zip(("chain", "key"), authority.leaf("mail")))], "ca_file": authority.ca},
        "auth": {"failure_step_ms": 200},
        "sites": [homeward.site(store, **options[name]) for name, store in stores.items()],
    }
    front = homeward.Homeward(os.path.join(shared_folder, "homeward"), settings, MAP).start()
    yield House(front, doors, stores)
    front.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of every Homeward's log that it used."""
    report = (yield).get_result()
    if call.when != "call" or not report.failed:
        return
    for value in item.funcargs.values():
        for instance in getattr(value, "made", [getattr(value, "front", value)]):
            if isinstance(instance, homeward.Homeward):
                lines = instance.said().splitlines()[-40:]
                report.sections.append((f"the log of {os.path.basename(instance.folder)}", "\n".join(lines)))
