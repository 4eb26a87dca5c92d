"""For all tests: the folder above them, from which the harness is imported, and who runs where when several run at a time (the
Makefile's SIDE_BY_SIDE)."""
import os
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Whose tests share what takes long to make: they go to one worker. Any other test goes to whoever is free.
TOGETHER = ("e2e/test_passwords.py", "e2e/test_sandbox.py", "e2e/test_sign_in.py", "hostile/test_failing.py", "hostile/test_tls.py", ".flow")
# Whose tests take longest: with them last, one worker would be busy for long after the others.
FIRST = ("test_demo.py", "test_faults.py", "login_timeout.flow")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.path.name.endswith(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if file.endswith(TOGETHER) else nodeid

    return Scheduling(config, log)
