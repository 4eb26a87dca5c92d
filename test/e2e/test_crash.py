"""kill -9 of each process: it is back within half a second and costs only what it owned."""
import ctypes
import imaplib
import os
import signal
import socket
import time

import pytest

from harness import clients, homeward, processes

LIMIT = 4


@pytest.fixture
def house_of_two_fronts(front, authority, stores):
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])],
                      "run": {"workers": 2, "runtime_dir": "run"}, "limits": {"imap_sessions_per_user": LIMIT}}, "* north\n")
    return doors, instance


def login(doors, trust, user="anna@demo.test"):
    session = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=10)
    session.login(user, "secret")
    return session


def is_alive(session):
    try:
        return session.noop()[0] == "OK"
    except (imaplib.IMAP4.abort, OSError):
        return False


def kill(instance, role, which=0):
    """Its successor is there within half a second, and nobody else was replaced."""
    before = instance.roles()
    os.kill(before[role][which], signal.SIGKILL)
    start = time.monotonic()
    processes.wait_until(f"another {role} is there", 3, lambda: len(set(instance.roles().get(role, [])) - set(before[role])) == 1)
    took = time.monotonic() - start
    after = instance.roles()
    assert took < 0.5
    assert {name: pids for name, pids in after.items() if name != role} == {
        name: pids for name, pids in before.items() if name != role}


def full(doors, trust):
    with pytest.raises(imaplib.IMAP4.error, match=rf"\[UNAVAILABLE\] Too many mail programs are connected \({LIMIT}\)"):
        login(doors, trust)
    return True


def test_a_front_costs_its_own_sessions_and_no_others(house_of_two_fronts, trust):
    doors, instance = house_of_two_fronts
    held = [login(doors, trust, user) for user in ("anna@demo.test", "idle@demo.test") for _ in range(LIMIT)]
    other = set(instance.roles()["front"][1:])
    kill(instance, "front")
    left = [session for session in held if is_alive(session)]
    login(doors, trust, "big@demo.test").logout()
    assert other <= set(instance.roles()["front"])
    kill(instance, "front", instance.roles()["front"].index(other.pop()))
    assert not any(map(is_alive, held)) and len(left) < len(held)
    for session in held:
        session.shutdown()
    # What a dead front held is given back: both users may sign in as often as before.
    processes.wait_until("the counts are given back", 5, lambda: all(
        is_alive(session) for session in [login(doors, trust) for _ in range(LIMIT)]))


@pytest.mark.parametrize("role", ["auth", "backends"])
def test_sessions_counts_and_limits_survive_the_helpers(house_of_two_fronts, trust, role):
    doors, instance = house_of_two_fronts
    held = [login(doors, trust) for _ in range(LIMIT)]
    assert full(doors, trust)
    for _ in range(2):
        kill(instance, role)
        assert all(map(is_alive, held))
        assert full(doors, trust)
    held.pop().logout()

    def lets_in():
        try:
            return is_alive(login(doors, trust))
        except imaplib.IMAP4.error:
            return False  # auth may hear of the end a moment after the client does

    processes.wait_until("one more may sign in", 3, lets_in)
    for session in held:
        assert is_alive(session)
        session.logout()


def cut_channels(pid):
    """Shut the sockets of a process that lead to other processes; not those that main gave it at birth, nor a copy of them."""
    descriptor, libc = os.pidfd_open(pid), ctypes.CDLL(None, use_errno=True)
    from_main = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (3, 4)}
    cut = 0
    for fd in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
        if fd < 5 or not link.startswith("socket:") or link in from_main:
            continue
        copy = libc.syscall(438, descriptor, fd, 0)  # pidfd_getfd(2), which Python has no name for
        assert copy >= 0, os.strerror(ctypes.get_errno())
        with socket.socket(fileno=copy) as theirs:
            if theirs.family == socket.AF_UNIX:
                theirs.shutdown(socket.SHUT_RDWR)
                cut += 1
    os.close(descriptor)
    return cut


@pytest.mark.skipif(not processes.AM_ROOT, reason="needs root, to reach into a process")
def test_channels_that_break_between_the_living_are_made_anew(house_of_two_fronts, trust):
    doors, instance = house_of_two_fronts
    held = [login(doors, trust) for _ in range(LIMIT)]
    before = instance.roles()
    assert [cut_channels(pid) for pid in before["front"]] == [2, 2]
    for helper in ("auth", "backends"):
        processes.wait_until(f"two fronts have a channel to {helper} again", 10, lambda: len(
            instance.events("channel", f"and {helper} lost each other")) == 2)
    login(doors, trust, "big@demo.test").logout()
    assert instance.roles() == before
    # They told again what they hold: nobody was ended, and the limit counts them.
    assert all(map(is_alive, held))
    assert full(doors, trust)


def test_five_reloads_change_no_count(house_of_two_fronts, trust):
    doors, instance = house_of_two_fronts
    held = [login(doors, trust) for _ in range(LIMIT)]
    for number in range(5):
        instance.settings["pop3"] = {"listen": doors.listen("pop3"), "idle_timeout_s": 700 + number}
        instance.settings["run"]["generations_max"] = 10
        instance.reload()
        assert full(doors, trust)
    assert all(map(is_alive, held))


def test_when_main_dies_the_roles_drain_and_leave_nothing_behind(house_of_two_fronts, trust):
    doors, instance = house_of_two_fronts
    session = login(doors, trust)
    process, instance.process = instance.process, None
    try:
        process.popen.kill()
        process.popen.wait()
        processes.wait_until("the ports are closed", 5, lambda: refuses(doors, trust))
        assert is_alive(session)
        session.logout()
        processes.wait_until("the roles have left", 10, lambda: not process.members())
    finally:
        process.kill()


def refuses(doors, trust):
    try:
        login(doors, trust).shutdown()
        return False
    except (OSError, imaplib.IMAP4.error):
        return True
