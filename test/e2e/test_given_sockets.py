"""Listening sockets opened by a service manager: the daemon binds nothing, and needs no right to."""
import os
import signal

import pytest

from harness import clients, homeward, ports, processes

# What systemd does for a socket unit: bind as root, become somebody without any capability, exec.
MANAGER = """
import os, socket, sys
names, uid, gid = sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])
listeners = []
for name in names:
    host, port = name.rsplit(":", 1)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if names.count(name) > 1:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, int(port)))
    listener.listen(100)
    listeners.append(os.dup(listener.fileno()))
    listener.close()
kept = [os.dup2(os.dup(fd), 100 + i) for i, fd in enumerate(listeners)]
for i, fd in enumerate(kept):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.closerange(3 + len(kept), 200)
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
os.environ.update({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(kept))})
os.execv(sys.argv[4], sys.argv[4:])
"""


@pytest.fixture
def managed(front, authority, stores):
    """managed(how often each address is given): a Homeward of two fronts under such a manager."""
    def make(times, *more):
        port = ports.low() if processes.AM_ROOT else ports.take()
        doors = homeward.Doors(authority.ca, dict.fromkeys(homeward.Doors.names, port))
        instance = front({"imap": {"listen": [{"address": "127.0.0.1", "port": port, "tls": "implicit"}]},
                          "sites": [homeward.site(stores["north"])], "run": {"workers": 2}}, "* north\n", start=False)
        instance.write()
        names = [f"127.0.0.1:{port}"] * times + list(more)
        instance.process = processes.Process(
            ["/usr/bin/python3", "-c", MANAGER, ",".join(names), str(processes.ACCOUNT.pw_uid), str(processes.ACCOUNT.pw_gid),
             instance.binary, "-c", instance.file], instance.log, privileged=True, cwd=instance.folder)
        processes.wait_until("it is ready", 10, lambda: instance.has_ended() or instance.events("ready"))
        assert not instance.has_ended(), instance.said()
        return instance, doors

    return make


def sign_in(doors, folder):
    assert len(clients.mails_in(clients.python_imaplib_tls(doors, ("anna@demo.test", "secret"), folder))) == 3


def capabilities(pid):
    status = processes.read(f"/proc/{pid}/status")
    return status.split("CapEff:")[1].split()[0], status.split("CapPrm:")[1].split()[0]


@pytest.mark.parametrize("times", [1, 2])
def test_it_serves_on_them_without_any_privilege(managed, folder, times):
    """One socket for an address is shared by both fronts; of two each gets its own."""
    instance, doors = managed(times)
    for _ in range(16):
        sign_in(doors, folder)
    for pids in instance.roles().values():
        for pid in pids:
            assert set(capabilities(pid)) == {"0" * 16}
    if times == 2:
        assert all(instance.events("login", f'role="front {n}"') for n in (1, 2))
    instance.reload()
    sign_in(doors, folder)
    since = instance.mark()
    instance.process.signal(signal.SIGUSR2)
    instance.wait_for("ready", since=since, seconds=20)
    sign_in(doors, folder)
    assert not instance.lines("level=error")


def test_one_that_no_listener_has_is_named(managed):
    unwanted = f"127.0.0.1:{ports.take()}"
    instance, _ = managed(1, unwanted)
    assert instance.wait_for("listen", unwanted, "opened by the service manager")


def test_what_is_meant_for_another_process_is_left_alone(front):
    os.environ.update({"LISTEN_PID": "1", "LISTEN_FDS": "3"})
    try:
        instance = front({})
    finally:
        del os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"]
    assert not instance.events("given")
