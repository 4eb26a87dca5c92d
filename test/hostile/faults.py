"""Allocations and system calls that fail, one after the other, while scripted sessions are played (shim.c does it).

In our own code a failing allocation costs one session, never the process, and never makes a success of a failure. Inside a library it
makes no wrong success; the process may die for it and main starts another. See scripts/faults."""
import argparse
import errno
import mmap
import os
import re
import shutil
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import measure
from harness import certificates, processes
from hostile import cases, matrix, segments, wire
from hostile.conftest import new_folder
from hostile.stage import HomewardStage, server_context, sign_in

SHIM = os.path.join(processes.ROOT, "build", "hostile", "shim.so")
OWN, LIBRARY = 1, 2
CALLS = {name: number for number, name in enumerate(
    ("accept4", "socket", "connect", "epoll_ctl", "sendmsg", "recvmsg", "read", "write", "setsockopt"), LIBRARY + 1)}
MOST = 5000  # of one session
SETTINGS = {"limits": {"login_timeout_s": 1, "site_login_timeout_s": 1, "check_interval_s": 0, "site_silent_timeout_s": 1},
            "imap": {"idle_timeout_s": 1}, "pop3": {"idle_timeout_s": 1}}


class Plan:
    """The page that the shim looks at."""

    fields = struct.Struct("6i")

    def __init__(self, folder):
        self.path = os.path.join(folder, "faults")
        with open(self.path, "wb") as file:
            file.write(b"\0" * mmap.PAGESIZE)
        os.chmod(self.path, 0o666)
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def arm(self, pid, what, at, error=errno.ENOMEM):
        self.page[:self.fields.size] = self.fields.pack(0, what, error, at, 0, 0)
        self.page[:4] = struct.pack("i", pid)

    def disarm(self):
        """How many there were since, and how many of them failed."""
        self.page[:4] = b"\0" * 4
        return self.fields.unpack(self.page[:self.fields.size])[4:]


def scripts():
    """The sessions: (title, door, turns), honest ones and such as are refused."""
    more = {"imap": {"a long ID": [(b"a ID (%s)\r\n" % b" ".join(b'"k%d" "%s"' % (n, b"v" * 200) for n in range(20)), segments.IMAP_DONE),
                                   (b'b LOGIN "%s" "%s"\r\n' % (segments.ANNA, segments.PASSWORD), segments.IMAP_DONE),
                                   (b"c FETCH 300000\r\n", segments.IMAP_DONE), (b"d LOGOUT\r\n", None)]},
            "pop3": {"a long message": [(b"USER %s\r\n" % segments.ANNA, segments.POP3_DONE), (b"PASS %s\r\n" % segments.PASSWORD, segments.POP3_DONE),
                                        (b"RETR 300000\r\n", rb"\r\n\.\r\n|-ERR"), (b"QUIT\r\n", None)]}}
    return [(name, protocol + door, turns) for protocol in ("imap", "pop3") for door in ("-clear", "s")
            for name, turns in {**segments.DIALOGUES[protocol], **more[protocol]}.items()]


GOOD = re.compile(rb"(?m)^(\w+ OK|\+OK)[^\r]*")


class Rig:
    """Homeward with the shim in it, and what is played on it."""

    def __init__(self, folder, authority):
        self.plan = Plan(folder)
        self.stage = HomewardStage(os.path.join(folder, "stage"), authority, settings=SETTINGS,
                                   environment={"LD_PRELOAD": SHIM, "HOMEWARD_FAULTS": self.plan.path}).start()
        self.problems, self.runs, self.deaths = [], 0, 0

    def problem(self, text):
        self.problems.append(text)
        print("  " + text[:600], flush=True)

    def play(self, door, turns):
        """What came, as far as it came."""
        async def one():
            try:
                return await segments.play(self.stage, door, turns)
            except (cases.Failed, wire.Surprise, OSError, ssl.SSLError, TimeoutError) as error:
                return error
        return self.stage.run(one())

    def works(self):
        """An ordinary login does, at once."""
        async def one():
            client = await self.stage.connect("imaps")
            await sign_in(client, "imaps")
            client.close()
        try:
            self.stage.run(one())
            return None
        except (wire.Surprise, OSError, ssl.SSLError, TimeoutError) as error:
            return repr(error)

    def judge(self, title, whole, got):
        """No good word that was not said without the fault."""
        wrong = set(GOOD.findall(got)) - set(GOOD.findall(whole)) if isinstance(got, bytes) and isinstance(whole, bytes) else set()
        if wrong:
            self.problem(f"{title}: {got!r:.300}, which is no answer of {whole!r:.300}")

    # ---- allocations ----

    def allocations_of(self, role, what, title, door, turns, every=1):
        """Each one of them in turn; how many there are."""
        whole = self.play(door, turns)
        assert isinstance(whole, bytes), whole
        at = 1
        while at < MOST:
            pid = self.stage.front.roles()[role][0]
            self.plan.arm(pid, what, at)
            got = self.play(door, turns)
            seen, failed = self.plan.disarm()
            if not failed:
                return at - 1
            self.runs += 1
            where = f"{role}, allocation {at} of {title} ({door})"
            self.judge(where, whole, got)
            if pid not in self.stage.front.roles().get(role, []):
                self.died(where, role, what)
            elif (why := self.works()) is not None:
                self.problem(f"{where}: the next login: {why}")
            at += every
        return MOST

    def died(self, where, role, what):
        self.deaths += 1
        if what == OWN:
            self.problem(f"{where}: the process died")
        processes.wait_until(f"another {role} is there", 15, lambda: self.stage.front.roles().get(role))
        processes.wait_until("a login works again", 15, lambda: self.works() is None)
        self.stage.take_baseline()

    def allocations(self, some, what=OWN, roles=("front", "auth", "backends"), every=1):
        counts = {}
        for role in roles:
            for title, door, turns in some:
                counts[role] = counts.get(role, 0) + self.allocations_of(role, what, title, door, turns, every)
        self.stage.check(8)
        return counts

    # ---- system calls ----

    def call_fails(self, role, call, error, at, some):
        """Sessions while a call fails; then all is well again by itself, and nothing span."""
        pid = self.stage.front.roles()[role][0]
        where = f"{role}: {call} fails with {errno.errorcode.get(error, 'a short count')}, {'the ' + str(at) if at > 0 else 'every ' + str(-at)}."
        wholes = [self.play(door, turns) for _, door, turns in some]
        began, cpu = time.monotonic(), measure.cpu_s(pid)
        for (title, door, turns), whole in zip(some, wholes):
            self.plan.arm(pid, CALLS[call], at, error)
            got = self.play(door, turns)
            if (error == 0 or error == errno.EINTR) and got != whole:
                self.problem(f"{where} {title} ({door}): the answers are {got!r:.300}")
            self.judge(f"{where} {title} ({door})", whole, got)
            self.runs += 1
            self.plan.disarm()
        if pid not in self.stage.front.roles().get(role, []):
            self.problem(f"{where}: the process died")
            self.died(where, role, LIBRARY)
            return
        if measure.cpu_s(pid) - cpu > 0.5 * (time.monotonic() - began) + 0.2:
            self.problem(f"{where}: it used {measure.cpu_s(pid) - cpu:.2f} s of CPU in {time.monotonic() - began:.2f} s")
        try:
            processes.wait_until("a login works again", 8, lambda: self.works() is None)
        except processes.Failure:
            self.problem(f"{where}: logins do not work afterwards: {self.works()}")

    def close(self):
        self.stage.close()


SHORT = 0
CALL_FAULTS = [
    ("front", "accept4", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINTR, errno.ECONNABORTED]),
    ("front", "epoll_ctl", [errno.ENOMEM, errno.ENOSPC]),
    ("front", "setsockopt", [errno.ENOBUFS, errno.EINVAL]),
    ("front", "sendmsg", [errno.ENOBUFS, errno.ENOMEM, errno.EINTR, errno.EAGAIN]),
    ("front", "recvmsg", [errno.ENOBUFS, errno.ENOMEM, errno.EINTR, errno.EAGAIN]),
    ("front", "read", [SHORT, errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ECONNRESET]),
    ("front", "write", [SHORT, errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EPIPE]),
    ("backends", "socket", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]),
    ("backends", "connect", [errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EAGAIN]),
    ("backends", "epoll_ctl", [errno.ENOMEM, errno.ENOSPC]),
    ("backends", "setsockopt", [errno.ENOBUFS]),
    ("backends", "sendmsg", [errno.ENOBUFS, errno.ENOMEM, errno.EINTR, errno.EAGAIN]),
    ("backends", "recvmsg", [errno.ENOBUFS, errno.ENOMEM, errno.EINTR]),
    ("auth", "sendmsg", [errno.ENOBUFS, errno.ENOMEM, errno.EINTR, errno.EAGAIN]),
    ("auth", "recvmsg", [errno.ENOBUFS, errno.ENOMEM, errno.EINTR]),
]
ATS = (1, 2, 3, -2)


def all_calls(rig, some, only=None):
    for role, call, errors in CALL_FAULTS:
        if only and only not in (role, call):
            continue
        for error in errors:
            for at in ATS:
                rig.call_fails(role, call, error, at, some)


def whole_matrix(folder, authority):
    """Cells played, and what went wrong."""
    context, played, wrong = server_context(authority.leaf("store")), 0, []
    for whom, cells in [(None, matrix.cells()), *matrix.helper_cells().items()]:
        sites = [site for site in (cell.prepare(context) for cell in cells) if site is not None]
        stage = HomewardStage(os.path.join(folder, "-".join(whom or ("ends",))), authority, sites,
                              "".join(f"@{site['name']}.test {site['name']}\n" for site in sites), matrix.SETTINGS).start()
        try:
            wrong += stage.run(matrix.round_of(stage, cells, whom), 600)
            played += len(cells)
        finally:
            stage.close()
    return played, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[], help="matrix, own, libraries, calls: some of it")
    parts = parser.parse_args().parts or ["matrix", "own", "libraries", "calls"]
    folder, problems = new_folder(), []
    try:
        authority = certificates.Authority(os.path.join(folder, "ca"))
        if "matrix" in parts:
            played, wrong = whole_matrix(folder, authority)
            print(f"phases by faults: {played} cells, {len(wrong)} not as they must be", *wrong, sep="\n  ", flush=True)
            problems += wrong
        if set(parts) & {"own", "libraries", "calls"}:
            rig = Rig(folder, authority)
            try:
                with_shim(rig, parts)
            finally:
                rig.close()
                problems += rig.problems
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("faults: " + ("passed" if not problems else f"{len(problems)} FAILED"))
    return 1 if problems else 0


def with_shim(rig, parts):
    sessions = scripts()
    if "own" in parts:
        counts = rig.allocations(sessions)
        print(f"each allocation of our own code fails once, in each of {len(sessions)} sessions: {counts}, processes that died: {rig.deaths}", flush=True)
    if "libraries" in parts:
        rig.deaths, runs = 0, rig.runs
        rig.allocations(sessions[::6], LIBRARY, every=5)
        print(f"every fifth allocation of a library fails, in {len(sessions[::6])} sessions: {rig.runs - runs} runs, processes that died and "
              f"were started again: {rig.deaths}", flush=True)
    if "calls" in parts:
        runs = rig.runs
        all_calls(rig, [each for each in sessions if each[0] in ("LOGIN, quoted", "USER and PASS", "a long ID", "a long message")])
        print(f"system calls fail: {rig.runs - runs} sessions", flush=True)


if __name__ == "__main__":
    sys.exit(main())
