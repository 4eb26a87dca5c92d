"""Every real mail program reads every store's mail through Homeward."""
import pytest

from harness import clients, ports, processes

ACCOUNTS = {"north": ("anna@demo.test", "anna@demo.test"), "south": ("bert@demo.test", "bert@demo.test"),
            "old": ("carl@demo.test", "carl")}


@pytest.mark.parametrize("site", ACCOUNTS)
@pytest.mark.parametrize("program", clients.CLIENTS)
def test_a_real_program_reads_real_messages(house, folder, program, site):
    mailbox, store_name = ACCOUNTS[site]
    text = clients.CLIENTS[program](house.doors, (mailbox, "secret"), processes.new_folder(folder + "/client"))
    assert clients.mails_in(text) == [(number, store_name, site) for number in "123"]


@pytest.mark.parametrize("program", clients.CLIENTS)
def test_a_real_program_is_told_of_a_wrong_password(house, folder, program):
    with pytest.raises(clients.Refused):
        clients.CLIENTS[program](house.doors, ("anna@demo.test", "guess"), processes.new_folder(folder + "/client"))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_address_families_are_served(house, folder, address, monkeypatch):
    if address == "::1" and not ports.has_ipv6():
        pytest.skip("this machine has no IPv6")
    monkeypatch.setattr(clients, "HOST", address)
    for read in (clients.python_imaplib_tls, clients.python_poplib_stls):
        assert len(clients.mails_in(read(house.doors, ("anna@demo.test", "secret"), folder))) == 3
