"""Network namespaces: machines of their own, joined by a cable. Root may make them, and so may an ordinary user where the
kernel grants user namespaces; whoever may not is told why (Unavailable).

Programs are started inside (processes.Process(within=...)) under ACCOUNT; a test's own clients get sockets from inside."""
import os
import shutil
import socket
import subprocess
import sys

from . import processes

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

# A socket belongs to the namespace that it was made in, whoever has it later. So the process that keeps the namespace
# alive makes them, until nobody is there to ask for more.
KEEPER = """
import socket, sys
door = socket.socket(fileno=int(sys.argv[1]))
while door.recv(16):
    with socket.socket() as made:
        socket.send_fds(door, [b"here"], [made.fileno()])
"""


class Unavailable(Exception):
    """This user of this machine cannot have network namespaces; the text says what refused."""


def _program(name):
    path = shutil.which(name, path=PATH)
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return path


class Namespace:
    """beside: another one, with which it can be joined."""

    def __init__(self, beside=None):
        self.door, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.settimeout(10)
        if beside is not None:
            kind = beside.as_owner() + [_program("unshare"), "--net"]
        else:
            kind = [_program("unshare"), "--net"] + ([] if processes.AM_ROOT else ["--user", "--map-root-user"])
        with far:
            self.keeper = subprocess.Popen(kind + ["--", sys.executable, "-B", "-c", KEEPER, str(far.fileno())],
                                           pass_fds=[far.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE)
        try:
            self.socket().close()
        except OSError:
            self.close()
            raise Unavailable(f"no network namespace: {self.keeper.stderr.read().decode().strip()}") from None
        try:
            self.ip("link", "set", "lo", "up")
        except Unavailable:
            self.close()
            raise

    def as_owner(self):
        """The beginning of a command line that may change this namespace."""
        user = [] if processes.AM_ROOT else ["--user", "--preserve-credentials"]
        return [_program("nsenter"), "--target", str(self.keeper.pid), "--net"] + user

    def as_account(self):
        """The beginning of a command line that runs in it under ACCOUNT."""
        uid, gid = str(processes.ACCOUNT.pw_uid), str(processes.ACCOUNT.pw_gid)
        if processes.AM_ROOT:
            return self.as_owner() + [_program("setpriv"), "--reuid", uid, "--regid", gid, "--clear-groups", "--"]
        return self.as_owner() + [_program("unshare"), "--user", f"--map-user={uid}", f"--map-group={gid}", "--"]

    def ip(self, *arguments):
        done = subprocess.run(self.as_owner() + [_program("ip"), *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise Unavailable(f"ip {' '.join(arguments)}: {done.stdout.strip()}")

    def socket(self):
        """A TCP socket of this namespace."""
        self.door.send(b"one more")
        word, files, _, _ = socket.recv_fds(self.door, 16, 1)
        if not word:
            raise ConnectionError("the namespace is gone")
        return socket.socket(fileno=files[0])

    def connect(self, address, port, source=None, seconds=10):
        sock = self.socket()
        try:
            sock.settimeout(seconds)
            if source is not None:
                sock.bind((source, 0))
            sock.connect((address, port))
        except OSError:
            sock.close()
            raise
        return sock

    def close(self):
        self.door.close()
        self.keeper.wait(10)


def joined(*addresses):
    """Two namespaces with a cable between them; each end has its address, with the length of the prefix."""
    one = Namespace()
    two = None
    try:
        two = Namespace(beside=one)
        one.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(two.keeper.pid))
        for end, address in zip((one, two), addresses):
            end.ip("address", "add", address, "dev", "cable")
            end.ip("link", "set", "cable", "up")
    except Unavailable:
        for each in (one, two):
            if each is not None:
                each.close()
        raise
    return one, two
