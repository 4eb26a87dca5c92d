"""Homeward itself: a configuration in a folder, the process, its log.

The binary is $HOMEWARD, else build/homeward. It is copied into the folder first: the account that it runs under need not be able to
read the source tree."""
import json
import os
import re
import shutil
import signal
import time

from . import ports, processes

BINARY = os.environ.get("HOMEWARD") or os.path.join(processes.ROOT, "build", "homeward")
SANITIZER = re.compile(r"ERROR: (Address|Leak|Undefined|Thread)\w*Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|Sanitizer has encountered")


def quote(text):
    """A string of libconfig."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def setting(value):
    """A Python value as libconfig writes it: dict a group, list a list, the rest a scalar."""
    if isinstance(value, dict):
        return "{ " + "".join(f"{key} = {setting(each)}; " for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(map(setting, value)) + " )"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else quote(value)


def configuration(groups):
    return "".join(f"{name} = {setting(value)};\n" for name, value in groups.items())


class Homeward:
    """settings: a dict of groups as in homeward.cfg(5); may be changed between start and reload. directory: the map's text.
    Missing groups that every instance needs (run, tls, directory) are filled in."""

    def __init__(self, folder, settings, directory="", certificate=None, privileged=False, log=None, within=None,
                 environment=None):
        self.folder = processes.new_folder(folder)
        self.settings, self.directory, self.certificate = settings, directory, certificate
        self.privileged, self.within = privileged, within
        self.environment = environment or {}
        self.file = os.path.join(folder, "homeward.cfg")
        self.map = os.path.join(folder, "directory.map")
        self.log = log or os.path.join(folder, "homeward.log")
        self.process = None
        self.binary = os.path.join(folder, "homeward")
        if not os.path.exists(BINARY):
            raise processes.Failure(f"{BINARY} does not exist; make builds it")
        shutil.copy(BINARY, self.binary)
        os.chmod(self.binary, 0o755)
        self.control = os.path.join(folder, "run", "control")
        self.ctl_binary = self.binary + "ctl"
        if os.path.exists(BINARY + "ctl"):
            shutil.copy(BINARY + "ctl", self.ctl_binary)

    def write(self):
        groups = dict(self.settings)
        # Tests leave sessions open; waiting for their end would show nothing.
        groups["run"] = {"workers": 1, "runtime_dir": "run", "drain_timeout_s": 0, "drain_spread_s": 0, **groups.get("run", {})}
        # Scripted stores count their connections; tests that want checks say so.
        groups["limits"] = {"check_interval_s": 0, **groups.get("limits", {})}
        if self.certificate:
            groups.setdefault("tls", {"certificates": [dict(zip(("chain", "key"), self.certificate))]})
        groups.setdefault("directory", {"driver": "file", "path": "directory.map"})
        self.put(self.file, configuration(groups))
        self.write_map()

    def write_map(self):
        self.put(self.map, self.directory)

    def put(self, path, text):
        """In one step, so that nobody sees half a file."""
        beside = path + ".new"
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
        processes.give(beside)
        os.rename(beside, path)

    def check(self):
        """homeward -t: exit status and what it said."""
        self.write()
        return processes.run([self.binary, "-t", "-c", self.file])

    def launch(self):
        """Start it and return at once."""
        self.write()
        environment = {**os.environ, "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:exitcode=99",
                       "UBSAN_OPTIONS": "print_stacktrace=1", **self.environment}
        self.process = processes.Process([self.binary, "-c", self.file], self.log, env=environment,
                                         privileged=self.privileged, cwd=self.folder, within=self.within)
        return self

    def start(self):
        self.launch()
        processes.wait_until("homeward says event=ready", 20, lambda: self.has_ended() or self.events("ready"))
        if self.has_ended():
            self.process = None
            raise processes.Failure(f"homeward ended at once: {self.said().strip()}")
        return self

    def has_ended(self):
        return not self.process.is_alive()

    def said(self):
        return processes.read(self.log)

    def settled(self):
        """The log, when what is on its way has come: that takes a few milliseconds."""
        before, now = None, self.said()
        for _ in range(5):  # under load there is always more to come
            if before == now:
                break
            time.sleep(0.01)
            before, now = now, self.said()
        return now

    def mark(self):
        """A place in the log: lines after it are said(mark)."""
        return len(self.settled())

    def lines(self, *words, since=0):
        """Log lines that hold all of these."""
        return [line for line in self.settled()[since:].splitlines() if all(word in line for word in words)]

    def events(self, event, *words, since=0):
        return [line for line in self.lines(*words, since=since) if re.search(rf"(^| )event={event}( |$)", line)]

    def wait_for(self, event, *words, since=0, seconds=5):
        """The first such line, waited for."""
        what = " ".join((f"event={event}",) + words)
        return processes.wait_until(f"homeward logs {what} (in {self.log})", seconds,
                                    lambda: self.events(event, *words, since=since))[0]

    def reload(self, result="ok", seconds=10):
        """Write the configuration as it is now, SIGHUP, wait for the answer in the log; returns that line."""
        self.write()
        since = self.mark()
        self.process.signal(signal.SIGHUP)
        return self.wait_for("reload", f"result={result}", since=since, seconds=seconds)

    def ctl(self, *words, status=0):
        """What homewardctl says; its exit status must be that one."""
        got, said = processes.run([self.ctl_binary, "-s", self.control, *words])
        if got != status:
            raise processes.Failure(f"homewardctl {' '.join(words)} ended with {got}, not {status}: {said}")
        return said

    def ask(self, *words, status=0):
        """The same for programs: the JSON object."""
        return json.loads(self.ctl("--json", *words, status=status))

    def roles(self):
        """Process ids by what they are: {"front": [1, 2], "auth": [3], …}."""
        found = {}
        for pid, line in self.process.members().items():
            role = re.search(r"homeward: (\w+)", line)
            found.setdefault(role.group(1) if role else "main", []).append(pid)
        return found

    def descriptors(self):
        """How many each process has open, by process id."""
        found = {}
        for pid in self.process.members():
            try:
                found[pid] = len(os.listdir(f"/proc/{pid}/fd"))
            except (FileNotFoundError, PermissionError):
                continue
        return found

    def stop(self, seconds=20):
        """SIGTERM, and all that must hold at an end: status 0, nobody left behind, no sanitizer's report."""
        if self.process is None:
            return
        process, self.process = self.process, None
        try:
            status = process.stop(seconds)
            end = time.monotonic() + 3
            while process.members() and time.monotonic() < end:
                time.sleep(0.02)
            left = process.members()
        finally:
            process.kill()
        if left:
            raise processes.Failure(f"homeward ended and left these behind: {left}")
        self.look_for_reports()
        if status != 0:
            raise processes.Failure(f"homeward ended with status {status}: {self.said()[-2000:]}")

    def look_for_reports(self):
        report = SANITIZER.search(self.said())
        if report:
            raise processes.Failure("a sanitizer reports: " + self.said()[report.start():][:4000])


class Doors:
    """The four usual listeners, for a configuration and for clients; on loopback, IPv4 and IPv6, unless addresses are given."""

    names = {"imap": ("imap", "starttls"), "imaps": ("imap", "implicit"),
             "pop3": ("pop3", "starttls"), "pop3s": ("pop3", "implicit")}

    def __init__(self, ca, numbers=None, addresses=None):
        self.ca = ca
        self.addresses = addresses or ["127.0.0.1"] + (["::1"] if ports.has_ipv6() else [])
        self.port = numbers or dict(zip(self.names, ports.take(len(self.names))))

    def listen(self, protocol, **more):
        return [{"address": address, "port": self.port[name], "tls": tls, **more}
                for name, (group, tls) in self.names.items() if group == protocol for address in self.addresses]

    def groups(self, **more):
        return {protocol: {"listen": self.listen(protocol), **more} for protocol in ("imap", "pop3")}


def site(store, name=None, **more):
    """The site group for one dovecot.Store."""
    security = {"tls": "tls", "starttls": "starttls", "none": "loopback"}[store.security]
    return {"name": name or store.name, "backends": [{"host": "127.0.0.1"}], "security": security,
            "imap": {"port": store.port_of["imap"]}, "pop3": {"port": store.port_of["pop3"]}, **more}
