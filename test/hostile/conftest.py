"""Fixtures: folders, certificates, and one Homeward for the cases of a file."""
import os
import shutil
import tempfile

import pytest

from harness import certificates, processes
from hostile.stage import HomewardStage


def new_folder():
    path = tempfile.mkdtemp(prefix="homeward-hostile-")
    os.chmod(path, 0o755)
    processes.give(path)
    return path


@pytest.fixture(scope="session")
def authority():
    path = new_folder()
    yield certificates.Authority(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def new_stage(authority):
    """new_stage(…): a HomewardStage, started, of the module."""
    made = []

    def make(**more):
        made.append(HomewardStage(new_folder(), authority, **more).start())
        return made[-1]

    yield make
    for each in made:
        each.close()
        shutil.rmtree(each.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stage(new_stage):
    return new_stage()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed case shows the end of Homeward's log."""
    report = (yield).get_result()
    if report.failed and isinstance(item.funcargs.get("stage"), HomewardStage):
        report.sections.append(("homeward's log", "\n".join(item.funcargs["stage"].said().splitlines()[-15:])))
