"""The installed package under a real systemd: User Mode Linux boots the clean root, a script inside it plays service manager's
admin, and what it saw is read afterwards. The kernel enforces the unit's restrictions, so what they forbid too much shows here."""
import os
import re
import shutil
import subprocess

import pytest

from harness import certificates, homeward, processes
from package import build, sh

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 240  # then it hangs
UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /var/tmp/guest
ExecStopPost=/bin/systemctl poweroff --force --force
[Install]
WantedBy=multi-user.target
"""
SETTINGS = {
    "run": {"user": "homeward", "readers": "homeward"},
    "tls": {"certificates": [{"chain": "chain.pem", "key": "key.pem"}]},
    "imap": {"listen": [{"address": "127.0.0.1", "port": 993, "tls": "implicit"}]},
    "sites": [{"name": "north", "security": "loopback", "backends": [{"host": "127.0.0.1"}], "pop3": "off"}],
    "directory": {"path": "directory.map"},
}


@pytest.fixture
def installed(work, root):
    """The root with the package in it, a configuration that needs what the unit gives, and what the guest runs."""
    shutil.copy(build(work, "0.1"), os.path.join(root, "tmp/homeward.deb"))
    sh("chroot", root, "dpkg", "-i", "/tmp/homeward.deb")
    chain, key = certificates.Authority(os.path.join(work, "systemd-ca")).leaf("mail")
    etc = os.path.join(root, "etc/homeward")
    for name, file in (("chain.pem", chain), ("key.pem", key)):
        shutil.copy(file, os.path.join(etc, name))
        os.chown(os.path.join(etc, name), 0, 0)
    os.chmod(os.path.join(etc, "key.pem"), 0o600)
    for name, text in (("homeward.cfg", homeward.configuration(SETTINGS)), ("directory.map", "* north\n")):
        with open(os.path.join(etc, name), "w") as file:
            file.write(text)
    socket = os.path.join(root, "usr/share/doc/homeward/homeward.socket")
    text = processes.read(socket)
    with open(socket, "w") as file:
        file.write(text.replace("ListenStream=0.0.0.0:993\nListenStream=[::]:993", "ListenStream=127.0.0.1:993"))
    shutil.copy(os.path.join(HERE, "guest"), os.path.join(root, "var/tmp/guest"))
    units = os.path.join(root, "etc/systemd/system")
    with open(os.path.join(units, "guest.service"), "w") as file:
        file.write(UNIT)
    sh("chroot", root, "systemctl", "enable", "guest.service")
    sh("chroot", root, "systemctl", "set-default", "multi-user.target")
    yield root
    for path in ("guest.service", "multi-user.target.wants/guest.service", "homeward.socket", "homeward.service.d/no-privileges.conf"):
        if os.path.lexists(os.path.join(units, path)):
            os.unlink(os.path.join(units, path))
    sh("chroot", root, "dpkg", "-P", "homeward")
    shutil.rmtree(etc, ignore_errors=True)


def boot(root, work):
    """Boots it, until it powers itself off. Returns what the guest wrote: {step: text}."""
    shim = os.path.join(work, "uml_xstate.so")
    sh(os.environ.get("CC", "gcc"), "-O2", "-shared", "-fPIC", "-o", shim,
       os.path.join(processes.ROOT, "test", "ipsec", "uml_xstate.c"), "-ldl")
    console = os.path.join(work, "console")
    with open(console, "wb") as out:
        subprocess.run(["timeout", "--kill-after=5", str(SECONDS), "env", f"LD_PRELOAD={shim}", f"HOME={work}", f"TMPDIR={work}", "linux.uml",
                        "mem=512M", "rootfstype=hostfs", f"rootflags={root}", "rw", "con=null", "con0=null,fd:1",
                        "init=/lib/systemd/systemd"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=work, check=False)
    said = processes.read(os.path.join(root, "var/log/guest"))
    assert "== end" in said, said[-3000:] + processes.read(console)[-3000:]
    return dict(re.findall(r"^== (\w+)\n(.*?)(?=^== )", said + "== \n", re.M | re.S))


def privileges(text):
    """{process: (uid, effective capabilities, filtered system calls?)}"""
    return {name: (int(uid), int(caps, 16), seccomp != "0") for name, uid, caps, seccomp in
            re.findall(r"^(\S+) uid=(\d+) caps=(\w+) seccomp=(\d)", text, re.M)}


@pytest.mark.skipif(not shutil.which("linux.uml"), reason="needs user-mode-linux")
def test_the_units_do_what_they_say(installed, work):
    saw = boot(installed, work)
    print("\n".join(f"{step}: {text.strip()}" for step, text in saw.items()))
    homewards = privileges(saw["processes"])
    uid = homewards["main"][0]
    assert uid != 0 and homewards["main"][1] == 1 << 10 | 1 << 2
    assert {name: rest for name, rest in homewards.items() if name != "main"} == dict.fromkeys(("auth", "backends", "front"), (uid, 0, True))
    for step in ("started", "reloaded", "taken_over", "socket", "socket_taken_over"):
        assert "active" in saw[step].split() and "1 of 1 are well" in saw[step], saw[step]
    assert "refused with status 1" in saw["bad_reload"] and "syntax error" in saw["bad_reload"] and "1 of 1 are well" in saw["bad_reload"]
    assert "HTTP/1.1 503" in saw["metrics"] and privileges(saw["metrics"])["metrics"][0] not in (0, uid)
    assert float(re.search(r"level for homeward.service: ([\d.]+)", saw["exposure"]).group(1)) < 2
    assert privileges(saw["socket"]) == dict.fromkeys(("main", "auth", "backends", "front"), (uid, 0, True))
    assert "inactive" in saw["stopped"].split() and not privileges(saw["stopped"])
    assert "level=error" not in saw["journal"] and "role_died" not in saw["journal"]
