"""PROXY protocol inward: only on listeners that demand it, only from listed peers; what it says is who the client is."""
import socket
import struct

import pytest

from harness import homeward, ports, processes, scripted

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command=1, family=0x11, addresses=socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") +
       struct.pack("!HH", 51234, 993), tlvs=b""):
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses + tlvs)) + addresses + tlvs


IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + \
    struct.pack("!HH", 51234, 993)

PEERS = {
    "v1, IPv4": (b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 993\r\n", "192.0.2.7"),
    "v1, IPv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 51234 993\r\n", "2001:db8::7"),
    "v2, IPv4": (v2(), "192.0.2.7"),
    "v2, IPv6": (v2(family=0x21, addresses=IPV6), "2001:db8::7"),
    "v2 with TLVs": (v2(tlvs=b"\x04\x00\x05hello"), "192.0.2.7"),
}


@pytest.fixture
def behind(front, authority, stores):
    """A Homeward behind a balancer at 127.0.0.1, and a peer at 127.0.0.2 that is none."""
    doors = homeward.Doors(authority.ca, dict(zip(("imap", "imaps", "pop3", "pop3s"), ports.take(4))))
    more = {"proxy_protocol_from": ["127.0.0.1/32"]}
    settings = {protocol: {"listen": [each for each in doors.listen(protocol, **more) if each["address"] == "127.0.0.1"]}
                for protocol in ("imap", "pop3")}
    return doors, front({**settings, "sites": [homeward.site(stores["north"])]}, "* north\n")


def connect(doors, door, header, source="127.0.0.1", one_by_one=False):
    wire = scripted.Wire(socket.create_connection(("127.0.0.1", doors.port[door]), 5, source_address=(source, 0)))
    wire.send(header, one_by_one)
    return wire


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "a byte at a time"])
@pytest.mark.parametrize("kind", PEERS)
def test_a_header_names_the_client(behind, trust, stores, kind, one_by_one):
    doors, front = behind
    header, address = PEERS[kind]
    wire = connect(doors, "imaps", header, one_by_one=one_by_one)
    wire.tls_client(trust)
    wire.line()
    wire.send(b"a LOGIN anna@demo.test secret\r\n")
    assert wire.line().startswith(b"a OK")
    wire.close()
    line = front.wait_for("login", "anna@demo.test")
    assert f"peer={address}:51234" in line or f"peer=[{address}]:51234" in line
    processes.wait_until(f"the store logs {address}", 5,
                         lambda: any(f"rip={address}" in each for each in stores["north"].logins()))


def test_the_header_and_the_first_bytes_may_share_a_segment(behind):
    doors, _ = behind
    wire = connect(doors, "pop3", PEERS["v2, IPv4"][0] + b"CAPA\r\n")
    assert wire.line().startswith(b"+OK")
    assert wire.line().startswith(b"+OK")
    wire.close()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(command=0, family=0, addresses=b""),
                                    v2(family=0x31, addresses=b"/" + b"\0" * 215)], ids=["UNKNOWN", "LOCAL", "unix"])
def test_a_health_check_is_served_and_silent(behind, header):
    doors, front = behind
    since = front.mark()
    wire = connect(doors, "pop3", header)
    assert wire.line().startswith(b"+OK")
    wire.close()
    wire = connect(doors, "pop3", header)  # and one that leaves at once
    wire.close()
    assert not [line for line in front.said()[since:].splitlines() if "level=warning" in line or "level=error" in line]


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n", b"CAPA\r\n",
                                    SIGNATURE + b"\x31\x11\x00\x00", b"PROXY " + b"x" * 200, v2(addresses=b"\0" * 4000)],
                         ids=["short", "port", "none", "version", "endless", "large"])
def test_what_is_no_header_ends_the_connection(behind, header):
    doors, _ = behind
    wire = connect(doors, "pop3", header)
    assert b"+OK" not in wire.rest()


def test_another_peer_is_not_believed(behind):
    doors, _ = behind
    wire = connect(doors, "pop3", PEERS["v1, IPv4"][0], source="127.0.0.2")
    assert b"+OK" not in wire.rest()


def test_a_listener_that_does_not_demand_it_takes_it_for_noise(house):
    wire = connect(house.doors, "pop3", PEERS["v1, IPv4"][0] + b"CAPA\r\n")
    assert wire.line().startswith(b"+OK")
    assert wire.line().startswith(b"-ERR")
    wire.close()
