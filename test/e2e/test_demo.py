"""scripts/demo, as a person runs it: the tour passes, finds what is wrong, and every refusal is one clear sentence."""
import glob
import os
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from harness import clients, ports, processes

DEMO = os.path.join(processes.ROOT, "scripts", "demo.py")


@pytest.fixture
def base():
    """A base whose ports are free: those above all that harness/ports.py gives, and each worker's apart."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for base_port in range(31000 + os.getppid() % 4 * 160 + worker % 7 * 20, 60000, 20):
        if all(map(ports.is_free, [base_port + each for each in (1, 2, 3, 4, 5, 6, 110, 143, 993, 995)])):
            return base_port
    raise AssertionError("no free ports")


def demo(*arguments, **environment):
    """The stage without the build: that has happened."""
    return subprocess.run([sys.executable, "-B", DEMO, *arguments], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **environment})


def test_the_tour_passes_and_leaves_nothing_behind(base):
    done = demo("--check", "--ports", str(base))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout and "steps were right" in done.stdout
    print(done.stdout[done.stdout.index("homewardctl trace"):])
    assert not [each for each in glob.glob(tempfile.gettempdir() + "/homeward-demo-*/pid")
                if processes.read(each).split()[1] == str(base)]


READS, GUESSES = len(clients.CLIENTS), "with a wrong password"
ALL = ("anna", "bert", "carl")


def wrong(said, name, guess):
    """How many of the tour's steps with this mailbox were wrong: programs that read it, or the one that guesses."""
    return len([line for line in said.splitlines() if line.startswith("WRONG") and f", {name}@demo.test: " in line and (GUESSES in line) == guess])


@pytest.mark.parametrize("parts, unread, guessed", [
    ("north south old", ALL, ALL), ("homeward", ALL, ALL), ("mail password", ("anna",), ALL), ("map", ("anna",), ())])
def test_the_tour_finds_each_disturbed_part(base, parts, unread, guessed):
    done = demo("--check", "--ports", str(base), DEMO_DISTURB=parts)
    assert done.returncode == 1, done.stdout + done.stderr
    for name in ALL:
        assert wrong(done.stdout, name, False) == (READS if name in unread else 0), done.stdout
        assert wrong(done.stdout, name, True) == (name in guessed), done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_port_in_use_is_said_in_one_sentence_with_the_way_out(base):
    with socket.create_server(("127.0.0.1", base + 993)):
        done = demo("--ports", str(base))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"port {base + 993} is in use" in done.stderr and "--ports" in done.stderr


def test_it_stays_until_interrupted_and_a_second_one_is_refused(base):
    with subprocess.Popen([sys.executable, "-B", DEMO, "--ports", str(base)], stdout=subprocess.PIPE, text=True) as first:
        try:
            said = ""
            while "Ctrl-C ends" not in said:
                line = first.stdout.readline()
                assert line, said
                said += line
            second = demo("--ports", str(base))
            assert second.returncode == 1 and len(second.stderr.splitlines()) == 1
            assert f"another demo is running (process {first.pid}" in second.stderr
            # The first line to copy works as it stands.
            command = next(line.strip() for line in said.splitlines() if line.strip().startswith("curl"))
            copied = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=30, check=False)
            assert "This is mail 1 in the mailbox anna@demo.test" in copied.stdout, copied.stderr
        finally:
            first.send_signal(signal.SIGINT)
        assert first.wait(20) == 0
    folder = said.split("everything is in ")[1].split()[0]
    assert not os.path.exists(folder)


def test_help_needs_nothing():
    done = subprocess.run([os.path.join(os.path.dirname(DEMO), "demo"), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--check" in done.stdout
