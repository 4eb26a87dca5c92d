"""Child processes: started under an unprivileged account, watched, ended by their own process id."""
import grp
import os
import pwd
import shutil
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AM_ROOT = os.getuid() == 0
# Dovecot refuses to read mail as root, and Homeward is to be shown as an ordinary user.
ACCOUNT = pwd.getpwnam("nobody") if AM_ROOT else pwd.getpwuid(os.getuid())
GROUP = grp.getgrgid(ACCOUNT.pw_gid).gr_name


class Failure(Exception):
    """Something did not start, answer or end as it should; the text is one sentence for a person."""


def as_account():
    """Keyword arguments for subprocess that run a program under ACCOUNT."""
    if not AM_ROOT:
        return {}
    return {"user": ACCOUNT.pw_uid, "group": ACCOUNT.pw_gid, "extra_groups": []}


def give(*paths):
    """Make ACCOUNT the owner of these files and folders (everything inside a folder too)."""
    if not AM_ROOT:
        return
    for path in paths:
        os.chown(path, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        for folder, folders, files in os.walk(path):
            for name in folders + files:
                os.chown(os.path.join(folder, name), ACCOUNT.pw_uid, ACCOUNT.pw_gid, follow_symlinks=False)


def new_folder(path):
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    give(path)
    return path


def wait_until(what, seconds, condition):
    """Ask condition() until it gives something true, and return that."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")
    except FileNotFoundError:
        return ""


def session_members(session):
    """Process ids of one session (as setsid makes them), with their command lines."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if int(fields[3]) == session and fields[0] != b"Z":
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    found[int(name)] = file.read().replace(b"\0", b" ").decode("ascii", "replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Process:
    """A long-running program with its output in a file. It heads a session of its own, so that what it leaves behind
    can be seen, and gets SIGTERM should the program that started it die. within: a namespaces.Namespace."""

    def __init__(self, argv, output, env=None, privileged=False, cwd="/", within=None):
        self.output = output
        self.name = os.path.basename(argv[0])
        account = {} if privileged or within else as_account()
        inside = within.as_account() if within else []
        death = [shutil.which("setpriv") or "/usr/bin/setpriv", "--pdeathsig", "TERM", "--"]
        with open(output, "ab") as file:
            self.popen = subprocess.Popen(inside + death + argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=cwd,
                                          env=env, start_new_session=True, **account)
        self.pid = self.popen.pid

    def is_alive(self):
        return self.popen.poll() is None

    def members(self):
        return session_members(self.pid)

    def signal(self, number):
        if self.is_alive():
            self.popen.send_signal(number)

    def wait(self, seconds):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} (process {self.pid}) did not end within {seconds} s") from None

    def stop(self, seconds=10):
        """End it politely; what refuses is killed and reported. Returns its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(seconds)
        finally:
            self.kill()

    def kill(self):
        """End it and all of its session at once."""
        if self.is_alive():
            self.popen.kill()
            self.popen.wait()
        for pid in self.members():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def run(argv, seconds=60, **more):
    """A short program, under ACCOUNT. Its output, errors included, and its exit status."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds, **as_account(), **more)
    except subprocess.TimeoutExpired:
        raise Failure(f"{argv[0]} took more than {seconds} s") from None
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed; scripts/install-deps installs it") from None
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace")
