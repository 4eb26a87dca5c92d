"""Stores that know another name than the client's, behind a catch-all line of the map."""
import pytest

from harness import clients, homeward, processes


@pytest.fixture
def two_stores(front, store, authority):
    """locals knows only local parts; domain knows only DOMAIN\\user."""
    doors = homeward.Doors(authority.ca)
    stores = {"locals": store("locals", "none", {"carl": "secret", "carla": "secret"}),
              "domain": store("domain", "tls", {"CORP\\dora": "secret"})}
    sites = [homeward.site(stores["locals"], user_format="%n"), homeward.site(stores["domain"], user_format="CORP\\%n")]
    front({**doors.groups(), "sites": sites}, "@old.test locals\nspecial@old.test locals user=carla\n* domain\n")
    return doors, stores


@pytest.mark.parametrize("read", [clients.python_imaplib_tls, clients.python_poplib_stls, clients.curl_imaps, clients.mbsync_imaps])
def test_the_store_gets_the_name_that_it_knows(two_stores, folder, read):
    doors, stores = two_stores
    for mailbox, store, name in (("carl@old.test", "locals", "carl"), ("special@old.test", "locals", "carla"),
                                 ("dora@elsewhere.test", "domain", "CORP\\dora")):
        mails = clients.mails_in(read(doors, (mailbox, "secret"), processes.new_folder(f"{folder}/{mailbox}")))
        assert {(each, home) for _, each, home in mails} == {(name, store)}
        # Dovecot's log doubles no backslash
        processes.wait_until(f"the store logs <{name}>", 5,
                             lambda: any(f"user=<{name}>" in line for line in stores[store].logins()))


def test_letters_of_the_domain_in_any_case_are_one_mailbox(two_stores, folder):
    doors, _ = two_stores
    assert len(clients.mails_in(clients.python_imaplib_tls(doors, ("carl@OLD.Test", "secret"), folder))) == 3
