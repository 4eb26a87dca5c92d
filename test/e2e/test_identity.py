"""The same local part lives at two sites with different passwords and mail; each store's own log proves who came where."""
import pytest

from harness import clients


def logins_of(store, user):
    return [line for line in store.logins() if f"user=<{user}>" in line]


@pytest.mark.parametrize("read", [clients.python_imaplib_tls, clients.python_imaplib_starttls, clients.python_poplib_tls,
                                  clients.python_poplib_stls])
def test_each_gemma_reads_her_own_mail_at_her_own_store(house, folder, read):
    north, south = house.stores["north"], house.stores["south"]
    before = len(logins_of(north, "gemma@demo.test")), len(logins_of(south, "gemma@branch.test"))
    ours = read(house.doors, ("gemma@demo.test", "north-gemma"), folder)
    theirs = read(house.doors, ("gemma@branch.test", "south-gemma"), folder)
    assert {(mailbox, store) for _, mailbox, store in clients.mails_in(ours)} == {("gemma@demo.test", "north")}
    assert {(mailbox, store) for _, mailbox, store in clients.mails_in(theirs)} == {("gemma@branch.test", "south")}
    assert len(logins_of(north, "gemma@demo.test")) == before[0] + 1
    assert len(logins_of(south, "gemma@branch.test")) == before[1] + 1
    assert not logins_of(north, "gemma@branch.test") and not logins_of(south, "gemma@demo.test")


def test_the_password_of_one_does_not_open_the_other(house, folder):
    for name, password in (("gemma@demo.test", "south-gemma"), ("gemma@branch.test", "north-gemma")):
        with pytest.raises(clients.Refused, match="AUTHENTICATIONFAILED"):
            clients.python_imaplib_tls(house.doors, (name, password), folder)


def test_no_password_reaches_the_log(house):
    said = house.front.said()
    for password in ("north-gemma", "south-gemma", "secret", "c2VjcmV0", "bm9ydGgtZ2VtbWE"):
        assert password not in said
