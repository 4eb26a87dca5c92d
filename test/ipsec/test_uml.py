"""The cases of cases.py, played in one boot of User Mode Linux, on a wire of which every packet was kept."""
import cases
import house
import pytest

CONTROL = "the_search_would_find_it"
NAMES = [case.__name__ for case in cases.ALL]


def result(guest, name):
    for needed in ("boot", name):
        found = guest.results.get(needed)
        if found is None:
            pytest.fail(f"the guest came to no result for {needed}", pytrace=False)
        if found["error"]:
            pytest.fail(found["error"], pytrace=False)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_case(guest, name):
    result(guest, name)


@pytest.mark.parametrize("name", NAMES)
def test_no_password_on_the_wire(guest, name):
    """Every password of the house is looked for in every capture: the control's is found, and no other anywhere."""
    found = result(guest, name)["found"]
    assert found == (["control"] if name == CONTROL else [])


@pytest.mark.parametrize("name", [name for name in NAMES if name != CONTROL])
def test_no_clear_packet_from_homeward(guest, name):
    """Whatever the case. What a kernel answers for a connection that is gone, an empty RST, belongs to no socket."""
    assert result(guest, name)["clear"] == []


def test_all_ends_well(guest):
    """Homeward stopped as it should, and no secret reached its log."""
    result(guest, "end")
    log = guest.log()
    assert "event=session_end" in log
    assert not [name for name, secret in house.SECRETS.items() if secret in log]
