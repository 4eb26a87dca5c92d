"""Both protocols are off until they are switched on, each by itself, while sessions of the other go on."""
import imaplib
import poplib
import socket

import pytest

from harness import clients, homeward, processes, scripted


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except ConnectionRefusedError:
        return False


def listens(front):
    """Ports on which any of its processes listens."""
    inodes = set()
    for pid in front.process.members():
        for fd in processes.run(["ls", "-l", f"/proc/{pid}/fd"])[1].splitlines():
            if "socket:[" in fd:
                inodes.add(fd.split("socket:[")[1].rstrip("]"))
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in processes.read(table).splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def test_with_neither_protocol_nothing_is_bound(front):
    instance = front({})
    assert "POP3: off, IMAP4: off" in instance.said()
    assert listens(instance) == set()


def test_each_is_switched_on_and_off_by_reload_while_the_other_goes_on(front, authority, stores, trust):
    doors = homeward.Doors(authority.ca)
    groups, sites = doors.groups(), [homeward.site(stores["north"])]
    instance = front({"sites": sites, "imap": groups["imap"], "run": {"generations_max": 10}}, "* north\n")
    assert "POP3: off" in instance.said() and "IMAP4: off" not in instance.said()
    assert not is_open(doors.port["pop3"])
    imap = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=10)
    imap.login("anna@demo.test", "secret")

    instance.settings["pop3"] = groups["pop3"]
    instance.reload()
    assert imap.noop()[0] == "OK"
    pop3 = poplib.POP3_SSL(clients.HOST, doors.port["pop3s"], context=trust, timeout=10)
    pop3.user("anna@demo.test")
    pop3.pass_("secret")

    del instance.settings["imap"]
    instance.reload()
    processes.wait_until("the IMAP4 ports are closed", 5, lambda: not is_open(doors.port["imaps"]) and not is_open(
        doors.port["imap"]))
    assert imap.noop()[0] == "OK" and pop3.stat()[0] == 3
    assert is_open(doors.port["pop3"])

    del instance.settings["pop3"]
    instance.reload()
    processes.wait_until("the POP3 ports are closed", 5, lambda: not is_open(doors.port["pop3"]))
    assert "POP3: off, IMAP4: off" in instance.said()
    assert imap.noop()[0] == "OK" and pop3.stat()[0] == 3
    imap.logout()
    pop3.quit()


@pytest.mark.parametrize("request_", [b"EHLO client.example\r\n", b"GET / HTTP/1.1\r\nHost: mail.example\r\n\r\n"],
                         ids=["EHLO", "HTTP"])
@pytest.mark.parametrize("door", ["imap", "imaps", "pop3", "pop3s"])
def test_another_protocol_gets_one_sentence_and_a_close(house, trust, door, request_):
    wire = scripted.connect(house.doors.port[door], context=trust if door.endswith("s") else None)
    wire.line()
    wire.send(request_)
    said = wire.rest()
    assert said.count(b"\r\n") == 1 and b" " in said


def test_clear_text_on_a_tls_port_is_closed(house):
    for door in ("imaps", "pop3s"):
        wire = scripted.connect(house.doors.port[door])
        wire.send(b"GET / HTTP/1.1\r\nHost: mail.example\r\n\r\n")
        wire.rest()


def test_a_configuration_that_is_wrong_starts_nothing_and_says_why(front):
    instance = front({"imap": {"listen": [{"address": "127.0.0.1", "prot": 993}]}}, start=False).launch()
    assert instance.process.wait(5) == 1
    assert "homeward.cfg:" in instance.said() and "prot" in instance.said()
    instance.process = None


def test_a_reload_with_a_wrong_configuration_changes_nothing_and_says_why(front, authority, stores, trust, folder):
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])]}, "* north\n")
    instance.settings["limits"] = {"errors": 0}
    line = instance.reload(result="refused")
    assert "errors" in line
    assert len(clients.mails_in(clients.python_imaplib_tls(doors, ("anna@demo.test", "secret"), folder))) == 3


def test_a_second_homeward_on_the_same_ports_is_refused_with_one_sentence(front, authority, stores):
    doors = homeward.Doors(authority.ca)
    settings = {**doors.groups(), "sites": [homeward.site(stores["north"])]}
    front(settings, "* north\n")
    second = front(settings, "* north\n", name="second", start=False).launch()
    assert second.process.wait(5) == 1
    assert str(doors.port["imap"]) in second.said() or str(doors.port["imaps"]) in second.said()
    second.process = None
