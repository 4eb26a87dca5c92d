"""One boot of User Mode Linux: the guest's kernel has ESP, its files are this machine's, and it needs neither KVM nor
root. It plays guest.py and leaves its results in a folder."""
import json
import os
import shutil
import subprocess
import tempfile

from harness import certificates, processes

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = {"linux.uml": "user-mode-linux", "modprobe": "kmod", "ip": "iproute2", "nsenter": "util-linux",
          "setpriv": "util-linux", "dovecot": "dovecot-imapd", "swanctl": "strongswan-swanctl",
          "charon-systemd": "charon-systemd"}
SECONDS = 240  # then it hangs


def which(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def missing():
    """Debian packages without which there is no guest."""
    return sorted({package for program, package in NEEDED.items() if which(program) is None})


class Guest:
    def __init__(self, binary):
        # Below /var/tmp: inside the guest /run is its own, and all else is this machine's.
        self.folder = tempfile.mkdtemp(prefix="homeward-ipsec-", dir="/var/tmp")
        self.out = os.path.join(self.folder, "out")
        os.makedirs(os.path.join(self.folder, "home"))
        os.makedirs(self.out)
        for part in ("harness", "ipsec"):
            shutil.copytree(os.path.join(processes.ROOT, "test", part), os.path.join(self.folder, "test", part),
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(binary, os.path.join(self.folder, "homeward"))
        certificates.Authority(os.path.join(self.folder, "certificates")).leaf("store")
        self.shim = os.path.join(self.folder, "uml_xstate.so")
        subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-shared", "-fPIC", "-o", self.shim,
                        os.path.join(HERE, "uml_xstate.c"), "-ldl"], check=True)
        os.chmod(self.folder, 0o755)
        processes.give(self.folder)
        self.console = self.results = None

    def run(self):
        # libuv and dovecot want some memory; the pages are a file of the guest's HOME or TMPDIR.
        kernel = [which("linux.uml"), "mem=384M", "rootfstype=hostfs", "rootflags=/", "ro", "con=null",
                  "con0=null,fd:1", "quiet", f"HOMEWARD_RUN={self.folder}",
                  f"init={self.folder}/test/ipsec/guest_init"]
        environment = {"HOME": os.path.join(self.folder, "home"), "TMPDIR": os.path.join(self.folder, "home"),
                       "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        argv = ["timeout", "--kill-after=5", str(SECONDS), "setpriv", "--no-new-privs", "env",
                f"LD_PRELOAD={self.shim}", *kernel]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment, cwd=self.folder, **processes.as_account())
        self.console = done.stdout.decode("utf-8", "backslashreplace")
        try:
            with open(os.path.join(self.out, "results.json"), encoding="utf-8") as file:
                self.results = json.load(file)
        except (FileNotFoundError, ValueError):
            self.results = {}
        return self

    def said(self):
        """Whatever may tell why it went wrong."""
        guest = processes.read(os.path.join(self.out, "guest.log"))
        return f"{self.console[-3000:]}\n{guest[-3000:]}"

    def log(self):
        return processes.read(os.path.join(self.out, "run-house-homeward-homeward.log"))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
