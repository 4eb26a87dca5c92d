"""What hashing passwords does to others: NOOP of a session that is signed in, and logins of another account, while eight clients guess
at one account whose hash takes 80 ms. `make bench-accounts`."""
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), each) for each in ("", "e2e")]

from harness import certificates, clients, dovecot, homeward, processes, verifiers  # noqa: E402
from test_spellings import Door  # noqa: E402

ROUNDS, SECONDS, GUESSERS = 5, 3, 8


def figures(times):
    times = sorted(times)
    return f"p50 {statistics.median(times):6.2f} ms   p99 {times[len(times) * 99 // 100]:6.2f} ms   ({len(times)} of them)"


def noops(door, seconds):
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(door.ask(b"a NOOP\r\n")[1])
        time.sleep(0.002)
    return times


# Processes: threads of this one would wait for each other and measure that.


def logins(doors, stop, times):
    trust, found = clients.trust(doors), []
    while not stop.is_set():
        door = Door(doors, trust, "imap")
        answer, ms = door.plain("", "bert@demo.test", "secret")
        assert answer.startswith(b"a OK"), answer
        found.append(ms)
        door.close()
        stop.wait(0.1)
    times.put(found)


def guess(doors, busy, stop):
    while not stop.is_set():
        if not busy.wait(0.1):
            continue
        door = Door(doors, clients.trust(doors), "imap")
        while busy.is_set():
            door.plain("", "anna@demo.test", "guess")
        door.close()


def hash_of(ms):
    """One that takes about so long on this machine."""
    probe = verifiers.hashed("secret", "$6$rounds=50000$")
    began = time.monotonic()
    verifiers.CRYPT.crypt(b"x", probe.encode())
    rounds = int(50000 * ms / 1000 / (time.monotonic() - began))
    return verifiers.hashed("secret", f"$6$rounds={rounds}$")


def main():
    folder = tempfile.mkdtemp(prefix="homeward-bench-")
    os.chmod(folder, 0o755)
    processes.give(folder)
    authority = certificates.Authority(os.path.join(folder, "ca"))
    users = {"anna@demo.test": "secret", "bert@demo.test": "secret"}
    store = dovecot.Store("real", os.path.join(folder, "real"), "tls", users, authority.leaf("store")).start()
    path = verifiers.passwd_file(os.path.join(folder, "accounts"), {"anna": (hash_of(80), ""), "bert": (verifiers.hashed("secret"), "")})
    doors = homeward.Doors(authority.ca)
    front = homeward.Homeward(os.path.join(folder, "front"), {
        **doors.groups(), "tls": {"certificates": [dict(zip(("chain", "key"), authority.leaf("mail")))], "ca_file": authority.ca},
        "accounts": {"default_domain": "demo.test"}, "sites": [homeward.site(store)], "limits": {"failed_logins": 100, "login_timeout_s": 600},
        "auth": {"failure_step_ms": 1, "delay_points_max": 0, "guesses_per_account": 0, "guesses_per_address": 0,
                 "verifiers": [{"driver": "file", "path": path}]}}, "* real\n").start()
    busy, stop, times = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
    others = [multiprocessing.Process(target=guess, args=(doors, busy, stop), daemon=True) for _ in range(GUESSERS)]
    others.append(multiprocessing.Process(target=logins, args=(doors, stop, times), daemon=True))
    found = {False: [], True: []}
    try:
        door = Door(doors, clients.trust(doors), "imap")
        door.plain("", "bert@demo.test", "secret")
        for each in others:
            each.start()
        for _ in range(ROUNDS):  # in turn: the machine may have other things to do
            for hashing in found:
                (busy.set if hashing else busy.clear)()
                found[hashing] += noops(door, SECONDS)
        stop.set()
        busy.clear()
        print("NOOP, nobody guesses ", figures(found[False]))
        print("NOOP, eight guess    ", figures(found[True]))
        print("others' logins       ", figures(times.get(timeout=30)))
        for each in others:
            each.join()
    finally:
        front.stop()
        store.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
