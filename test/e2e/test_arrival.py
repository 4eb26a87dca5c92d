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
