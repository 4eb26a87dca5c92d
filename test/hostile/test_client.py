"""Every client-side case of client_cases.py, one after the other, and the look at Homeward's health after each."""
import pytest

from . import cases, client_cases


@pytest.mark.parametrize("case", [pytest.param(case, id=case.title) for table in client_cases.ALL.values() for case in table])
def test_client(stage, case):
    stage.run(cases.Player(stage, case).play())
    stage.check()
