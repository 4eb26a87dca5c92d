"""Fixtures of the IPsec tests: one boot of the guest for all of its cases."""
import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import uml  # noqa: E402
from harness import homeward, processes  # noqa: E402


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="homeward-ipsec-")
    os.chmod(path, 0o755)
    processes.give(path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def no_guest(missing):
    """Where User Mode Linux cannot be had most of this stays untried: said aloud, and on the build machine a failure."""
    reason = "User Mode Linux cannot be started, because these packages are not installed: " + ", ".join(missing)
    if os.environ.get("IPSEC_REQUIRED"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def guest():
    missing = uml.missing()
    if missing:
        no_guest(missing)
    made = uml.Guest(homeward.BINARY).run()
    yield made
    made.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    guest = getattr(item, "funcargs", {}).get("guest")
    if call.when == "call" and report.failed and guest is not None:
        report.sections.append(("the guest", guest.said()))
        report.sections.append(("homeward's log in the guest", "\n".join(guest.log().splitlines()[-60:])))
