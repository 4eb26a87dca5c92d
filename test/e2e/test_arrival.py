"""Who a client is and whether it may connect, when somebody in between speaks for it."""
import socket

import pytest

from harness import homeward, ports, scripted


@pytest.fixture
def house(front, authority, stores):
    """house(**options of all listeners)"""
    def make(**more):
        doors = homeward.Doors(authority.ca, dict(zip(("imap", "imaps", "pop3", "pop3s"), ports.take(4))))
        return doors, front({**doors.groups(**more), "sites": [homeward.site(stores["north"])]}, "* north\n")

    return make


def test_behind_a_balancer_the_named_client_must_be_in_networks(house):
    doors, _ = house(proxy_protocol_from=["127.0.0.0/8"], networks=["192.0.2.0/24"])
    for address, is_welcome in (("192.0.2.7", True), ("198.51.100.7", False)):
        wire = scripted.Wire(socket.create_connection(("127.0.0.1", doors.port["imap"]), 5))
        wire.send(f"PROXY TCP4 {address} 192.0.2.1 51234 143\r\n".encode())
        if is_welcome:
            assert wire.line().startswith(b"* OK ")
        else:
            wire.expect_end()
        wire.close()


def test_who_is_not_in_networks_is_not_served(house):
    doors, _ = house(networks=["192.0.2.0/24"])
    scripted.Wire(socket.create_connection(("127.0.0.1", doors.port["imap"]), 5)).expect_end()


def test_starttls_forgets_who_the_client_was_said_to_be(house, trust):
    """Before TLS anybody in the middle could have said it (RFC 9051 6.2.1)."""
    doors, front = house(trusted_proxies=["127.0.0.0/8"])
    wire = scripted.connect(doors.port["imap"])
    wire.line()
    wire.send(b'a ID ("x-originating-ip" "192.0.2.7" "x-originating-port" "5" "x-session-id" "faked" "x-proxy-ttl" "0")\r\n')
    assert [wire.line()[:4] for _ in range(2)] == [b"* ID", b"a OK"]
    wire.send(b"b STARTTLS\r\n")
    assert wire.line().startswith(b"b OK")
    wire.tls_client(trust)
    wire.send(b"c LOGIN anna@demo.test wrong\r\n")
    assert wire.line().startswith(b"c NO [AUTHENTICATIONFAILED]")
    assert "peer=127.0.0.1:" in front.wait_for("login_failed", "anna@demo.test")
    wire.close()
