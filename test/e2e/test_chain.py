"""A front end behind a front end: the session reaches home, the store and the limits know the client, no loop lasts."""
import imaplib
import poplib
import socket
import time

import pytest

from harness import clients, homeward, processes, scripted


def behind(name, doors):
    """A Homeward as a site of another one."""
    return {"name": name, "backends": [{"host": "127.0.0.1"}], "imap": {"port": doors.port["imaps"]}, "pop3": {"port": doors.port["pop3s"]}}


def groups(doors, **more):
    return {protocol: {"listen": doors.listen(protocol, **more)} for protocol in ("imap", "pop3")}


def login(doors, trust, source, user="anna@demo.test"):
    wire = scripted.Wire(socket.create_connection(("127.0.0.1", doors.port["imaps"]), 10, source_address=(source, 0)))
    wire.tls_client(trust)
    wire.line()
    wire.send(f"a LOGIN {user} secret\r\n".encode())
    return wire, wire.line()


@pytest.mark.parametrize("believes", [True, False], ids=["a trusted proxy", "anybody else"])
def test_the_store_logs_the_clients_address_through_two_front_ends(front, authority, store, trust, believes):
    outer, inner = homeward.Doors(authority.ca), homeward.Doors(authority.ca)
    home = store("home", "tls", {"anna@demo.test": "secret"})
    more = {"trusted_proxies": ["127.0.0.1/32"]} if believes else {}
    front({**groups(inner, **more), "sites": [homeward.site(home)]}, "* home\n", name="inner")
    front({**groups(outer), "sites": [behind("inner", inner)]}, "* inner\n", name="outer")
    wire, answer = login(outer, trust, "127.0.0.2")
    assert answer.startswith(b"a OK")
    wire.close()
    processes.wait_until("the store logs the login", 5, lambda: home.logins())
    assert len(home.logins()) == 1
    assert ("rip=127.0.0.2" in home.logins()[0]) == believes
    pop3 = poplib.POP3_SSL(clients.HOST, outer.port["pop3s"], context=trust, timeout=10)
    pop3.user("anna@demo.test")
    pop3.pass_("secret")
    assert pop3.stat()[0] == 3
    pop3.quit()


def test_limits_count_by_the_client_that_a_trusted_proxy_names(front, authority, store, trust):
    outer, inner = homeward.Doors(authority.ca), homeward.Doors(authority.ca)
    home = store("home", "tls", {"anna@demo.test": "secret"})
    front({**groups(inner, trusted_proxies=["127.0.0.1/32"]), "sites": [homeward.site(home)],
           "limits": {"sessions_per_address": 2}}, "* home\n", name="inner")
    front({**groups(outer), "sites": [behind("inner", inner)]}, "* inner\n", name="outer")
    held = [login(outer, trust, "127.0.0.2") for _ in range(2)]
    assert all(answer.startswith(b"a OK") for _, answer in held)
    assert not login(outer, trust, "127.0.0.2")[1].startswith(b"a OK")
    assert login(outer, trust, "127.0.0.3")[1].startswith(b"a OK")


def test_a_circular_map_ends_in_an_outage(front, authority, trust):
    one, two = homeward.Doors(authority.ca), homeward.Doors(authority.ca)
    front({**groups(one), "sites": [behind("two", two)]}, "* two\n", name="one")
    front({**groups(two), "sites": [behind("one", one)]}, "* one\n", name="two")
    start = time.monotonic()
    session = imaplib.IMAP4_SSL(clients.HOST, one.port["imaps"], ssl_context=trust, timeout=30)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\] Your mailbox cannot be reached"):
        session.login("anna@demo.test", "secret")
    assert time.monotonic() - start < 10
    session.shutdown()


def test_a_site_that_is_ones_own_listener_is_an_error_of_the_configuration(front, authority):
    doors = homeward.Doors(authority.ca)
    status, said = front({**groups(doors), "sites": [behind("self", doors)]}, "* self\n", start=False).check()
    assert status == 1
    assert f"127.0.0.1:{doors.port['imaps']} is a listener of this front end itself" in said
