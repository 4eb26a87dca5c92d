"""The matrix of phases and faults (matrix.py): at least 300 cells for each protocol."""
import collections

import pytest

from . import matrix
from .stage import server_context


def staged(new_stage, authority, cells):
    context = server_context(authority.leaf("store"))
    sites = [site for site in (cell.prepare(context) for cell in cells) if site is not None]
    return new_stage(sites=sites, directory="".join(f"@{site['name']}.test {site['name']}\n" for site in sites), settings=matrix.SETTINGS)


@pytest.fixture(scope="module")
def cells():
    return matrix.cells()


@pytest.fixture(scope="module")
def stage(new_stage, authority, cells):
    return staged(new_stage, authority, cells)


def test_there_are_300_cells_for_each_protocol(cells):
    count = collections.Counter(cell.protocol for cell in cells)
    count.update(cell.protocol for some in matrix.helper_cells().values() for cell in some)
    assert count["imap"] >= 300 and count["pop3"] >= 300


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_every_phase_by_every_fault_of_either_end(stage, cells, protocol):
    wrong = stage.run(matrix.round_of(stage, [cell for cell in cells if cell.protocol == protocol]), 300)
    assert not wrong, "\n".join(wrong)
    stage.check()


@pytest.mark.parametrize("role, fault", matrix.HELPER_FAULTS)
def test_every_phase_when_a_helper_is_stopped_or_killed(new_stage, authority, role, fault):
    some = matrix.helper_cells()[role, fault]
    stage = staged(new_stage, authority, some)
    wrong = stage.run(matrix.round_of(stage, some, (role, fault)), 300)
    assert not wrong, "\n".join(wrong)
    if fault == "SIGKILL":
        stage.take_baseline()  # its successor is another process
    stage.check()
