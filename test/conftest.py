"""For all tests: the folder above them, from which the harness is imported, and who runs where when several run at a time (the
Makefile's SIDE_BY_SIDE)."""
import os
import re
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Whose tests share what takes long to make: they go to one worker. Any other test goes to whoever is free.
TOGETHER = re.compile(r"/(e2e/test_(passwords|sandbox|sign_in)|hostile/test_(failing|tls)|endurance/\w+|flow/\w+)\.")
# Whose tests take longest: with them last, one worker would be busy for long after the others.
FIRST = ("test_demo.py", "test_faults.py", "login_timeout.flow", "test_reloads.py", "test_member_lost.py", "test_many_logins.py")


def rank(item):
    return FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST)


def pytest_collection_modifyitems(items):
    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if TOGETHER.search(file) else nodeid

    return Scheduling(config, log)
