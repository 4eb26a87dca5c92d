"""Whoever has taken a role over finds nothing to go on with: the real program, with escape.c loaded into it, tries from
inside each role's loop what that role must not do, and each attempt must be stopped by the kernel."""
import os
import re
import shutil
import signal
import subprocess

import pytest

from harness import homeward, processes

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "escape.c")
with open(SOURCE, encoding="utf-8") as source:
    ATTEMPTS = re.findall(r'^ +{ ?"([^"]+)", ', source.read(), re.M)
ORDER_BYTES, NAME_BYTES = 4096, 32
ROLES = ("auth", "backends", "front")

# What is let through, or refused with an error that libraries expect; everything else ends the process.
ANYWHERE = {"io_uring": "ENOSYS"}
BACKENDS = {**ANYWHERE, "dial": "DONE", "connect what is there": "EINVAL"}
WITH_THREADS = {**ANYWHERE, "read a file": "EACCES", "read below /etc": "EACCES"}
# libcurl and libldap work in here: files that Landlock lets them read, sockets, and Landlock alone between them and a port.
ONLINE = {**ANYWHERE, "read a file": "EACCES", "read below /etc": "DONE", "dial": "DONE", "connect what is there": "EINVAL",
          "bind a port": "EACCES", "a UNIX socket": "DONE", "map code": "EACCES"}
SILENT = ("block the signal",)  # the kernel ends it, and nobody can say which call it was


@pytest.fixture(scope="module")
def library(shared_folder):
    if "san.so" in subprocess.run(["ldd", homeward.BINARY], capture_output=True, text=True, check=True).stdout:
        pytest.skip("a sanitizer's build has a wider list, and loads before everything else")
    path = os.path.join(shared_folder, "escape.so")
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path, SOURCE], check=True)
    os.chmod(path, 0o755)
    return path


class Trial:
    """One Homeward in which every role makes one attempt. outcome: by role, what main or the role itself said of it."""

    def __init__(self, library, folder, authority, attempt, roles, settings):
        self.attempt, self.roles, self.outcome = attempt, roles, {}
        doors = homeward.Doors(authority.ca)
        site = {"name": "site", "backends": [{"host": "127.0.0.1"}], "security": "loopback", "imap": {"port": 9}, "pop3": "off"}
        self.instance = homeward.Homeward(folder, {"imap": doors.groups()["imap"], "sites": [site], **settings}, "* site\n",
                                          certificate=authority.leaf("mail"))
        self.order = os.path.join(folder, "order")
        self.instance.put(self.order, "\0" * ORDER_BYTES)
        self.instance.environment = {"LD_PRELOAD": library, "HOMEWARD_ESCAPE": self.order}

    def write_order(self, text):
        with open(self.order, "r+b") as file:
            file.write(text)

    def run(self):
        self.instance.start()
        self.write_order(b"\0" * NAME_BYTES + self.instance.file.encode() + b"\0")
        self.write_order(self.attempt.encode())
        self.instance.process.signal(signal.SIGUSR1)  # every role wakes up to tell its status
        processes.wait_until(f"every role has tried to {self.attempt}", 20, self.has_answered)
        self.write_order(b"\0" * NAME_BYTES)  # those who are born again leave it alone
        processes.wait_until("all roles are back", 20, lambda: len(self.instance.roles()) == 1 + len(ROLES))
        self.instance.stop()

    def has_answered(self):
        for line in self.instance.said().splitlines():
            said = re.search(r'escape ".*" of (\w+): (\w+)', line) or re.search(
                r"event=role_died process=\"?(\w+).*(?:system call (\w+)|died of (signal 31)|why=(.*))", line)
            if said:
                names = {role[:5]: role for role in ROLES}
                result = next(filter(None, said.groups()[1:]))
                self.outcome.setdefault(names[said.group(1)[:5]], ("DIED " if "role_died" in line else "") + result)
        return all(role in self.outcome for role in self.roles)


@pytest.fixture(scope="module")
def trials(library, shared_folder, authority):
    """trials(roles, settings): outcomes of every attempt in every of these roles."""
    made = []

    def make(roles, settings, attempts=ATTEMPTS):
        outcomes = {}
        for attempt in attempts:
            made.append(Trial(library, os.path.join(shared_folder, f"escape{len(made)}"), authority, attempt, roles, settings))
            made[-1].run()
            outcomes[attempt] = made[-1].outcome
        return outcomes

    yield make
    for each in made:
        if each.instance.process is not None:
            each.instance.process.kill()
        shutil.rmtree(each.instance.folder, ignore_errors=True)


def kernel_says(instance):
    line = instance.wait_for("sandbox")
    return dict(re.findall(r"(\w+)=(\S+)", line))


@pytest.fixture(scope="module")
def kernel(shared_folder, authority):
    """What this kernel has of it, as the program itself says."""
    instance = homeward.Homeward(os.path.join(shared_folder, "kernel"), {}, "")
    instance.start()
    try:
        return kernel_says(instance)
    finally:
        instance.stop()


@pytest.fixture(scope="module")
def usual(kernel, trials):
    if kernel["seccomp"] != "on":
        pytest.skip("this kernel has no seccomp filters")
    return trials(ROLES, {})


def must_be(attempt, outcome, expected):
    wanted = expected.get(attempt)
    if wanted is not None:
        assert outcome == wanted
    elif attempt in SILENT:
        assert outcome == "DIED signal 31"
    else:
        assert outcome.startswith("DIED "), f"{attempt}: {outcome}"
        assert outcome != "DIED signal 31" and not outcome.startswith("DIED ?"), "the log says which call it was"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_role_can(usual, attempt):
    must_be(attempt, usual[attempt]["auth"], ANYWHERE)
    must_be(attempt, usual[attempt]["front"], ANYWHERE)
    must_be(attempt, usual[attempt]["backends"], BACKENDS)


# Of an auth process that does more than to look into the map: what its additional calls could have opened.
SOME = ("read a file", "read below /etc", "write a file", "remove a file", "run a program", "fork", "trace main", "map code",
        "make memory code", "dial", "connect what is there", "bind a port", "a UNIX socket", "a netlink socket",
        "an IPsec policy", "silence the sandbox")


def test_auth_with_threads_for_hashes_can_do_no_more(usual, trials, folder):
    users = os.path.join(folder, "users")
    with open(users, "w", encoding="ascii") as file:
        file.write("anna:$6$saltsalt$" + "a" * 86 + "\n")
    os.chmod(users, 0o600)
    processes.give(users)
    outcomes = trials(("auth",), {"auth": {"verifiers": [{"driver": "file", "path": users}]}}, SOME)
    for attempt in SOME:
        must_be(attempt, outcomes[attempt]["auth"], WITH_THREADS)


def test_auth_that_asks_a_server_can_read_settings_and_dial_and_no_more(kernel, usual, trials):
    if not kernel["landlock"].isdigit() or int(kernel["landlock"]) < 4:
        pytest.skip("this kernel has no Landlock that knows ports (ABI 4)")
    outcomes = trials(("auth",), {"auth": {"verifiers": [{"driver": "http", "urls": ["http://127.0.0.1:9/"]}]}}, SOME)
    for attempt in SOME:
        must_be(attempt, outcomes[attempt]["auth"], ONLINE)


def test_switched_off_it_stops_nothing(library, shared_folder, authority):
    trial = Trial(library, os.path.join(shared_folder, "off"), authority, "read below /etc", ROLES, {"run": {"sandbox": "off"}})
    trial.run()
    assert trial.outcome == {role: "DONE" for role in ROLES}
    assert trial.instance.events("sandbox", "it is switched off")
    assert "WEAK" in trial.instance.check()[1]


@pytest.mark.parametrize("missing", ["seccomp", "landlock", "seccomp and landlock"])
def test_what_a_kernel_lacks_is_said_and_can_be_insisted_on(library, front, missing):
    environment = {"LD_PRELOAD": library, "HOMEWARD_OLD_KERNEL": missing}
    instance = front({}, start=False)
    instance.environment = environment
    instance.start()
    for role in ROLES:
        line = processes.wait_until(f"{role} says it", 5, lambda: instance.events("sandbox", role))[0]
        for fence in missing.split(" and "):
            assert f"{fence}=missing" in line and "level=warning" in line
    words = missing.replace("and landlock", "and no Landlock").replace("landlock", "Landlock")
    assert f"this kernel has no {words}" in instance.said(), "the check says it too"
    strict = front({"run": {"sandbox": "required"}}, name="strict", start=False)
    strict.environment = environment
    with pytest.raises(processes.Failure, match=f'run.sandbox is "required", but this kernel has no {words}'):
        strict.start()
