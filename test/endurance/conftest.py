"""Fixtures of the endurance tests: Homeward between the stub stores and the load generator of test/bench, in numbers. Figures
worth reading are printed at the end of the run."""
import os
import resource
import shutil
import tempfile

import pytest

from bench import programs
from harness import certificates, homeward, processes


def new_folder():
    path = tempfile.mkdtemp(prefix="homeward-endurance-")
    os.chmod(path, 0o755)
    processes.give(path)
    return path


@pytest.fixture(scope="session", autouse=True)
def open_files():
    """As many as the system gives: descriptors are what runs out first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (65536, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.fixture(scope="session")
def authority():
    path = new_folder()
    yield certificates.Authority(path)
    shutil.rmtree(path, ignore_errors=True)


class Stage:
    """One Homeward with its stub stores, and the loads that run against it."""

    def __init__(self, authority):
        self.authority, self.folder = authority, new_folder()
        self.stores, self.loads, self.fronts = [], [], []
        self.doors = homeward.Doors(authority.ca)

    def store(self, name, **more):
        self.stores.append(programs.Store(name, os.path.join(self.folder, name), **more).start())
        return self.stores[-1]

    def homeward(self, settings, directory, workers=1, limits=None, **more):
        """No limit stands in the way of load that comes from one address, unless the test says so."""
        usual = {"exempt": ["127.0.0.0/8", "::1"], "imap_sessions_per_user": 100000, "pop3_sessions_per_user": 100000}
        name = f"homeward{len(self.fronts)}"
        front = homeward.Homeward(os.path.join(self.folder, name), {
            **self.doors.groups(),
            "run": {"workers": workers, "runtime_dir": "run"},
            "tls": {"certificates": [dict(zip(("chain", "key"), self.authority.leaf("mail")))], "ca_file": self.authority.ca},
            "auth": {"failure_step_ms": 200},
            "limits": {**usual, **(limits or {})},
            **settings,
        }, directory, **more)
        self.fronts.append(front)
        return front.start()

    def load(self, mode, door="imaps", **options):
        if door.startswith("pop3"):
            options["pop3"] = True
        self.loads.append(programs.Load(self.folder, mode, self.doors.port[door], **options))
        return self.loads[-1]

    def close(self):
        problems = []
        for load in self.loads:
            load.kill()
        for each in self.fronts + self.stores:
            try:
                each.stop()
            except processes.Failure as failure:
                problems.append(str(failure))
        shutil.rmtree(self.folder, ignore_errors=True)
        return problems


def _staged(authority):
    made = Stage(authority)
    yield made
    problems = made.close()
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def stage(authority):
    yield from _staged(authority)


@pytest.fixture(scope="module")
def stage_of_module(authority):
    yield from _staged(authority)


@pytest.fixture
def figure(record_property):
    """figure(text): a line of the summary."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter):
    # With the reports they come from whichever worker has played the test.
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    figures = [text for report in reports if report.when == "call" for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of each Homeward's log, and each load's last lines."""
    report = (yield).get_result()
    if call.when == "teardown" or not report.failed:
        return
    for value in item.funcargs.values():
        if isinstance(value, Stage):
            for front in value.fronts:
                lines = [line for line in front.said().splitlines() if "event=login " not in line and "session_end" not in line]
                report.sections.append(("homeward's log, without logins", "\n".join(lines[-40:])))
            for load in value.loads:
                report.sections.append((load.output, "\n".join(processes.read(load.output).splitlines()[-8:])))
