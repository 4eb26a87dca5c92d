"""TLS towards clients: the early greeting, who gets which certificate, tickets, and certificates that change on disk."""
import os
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import homeward, processes, scripted

HOST = "127.0.0.1"


def s_client(port, *options, say=b"a LOGOUT\r\n", seconds=10):
    """What openssl s_client prints, which sends `say` once it is connected."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{port}", "-quiet", *options], input=say,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    return done.stdout


def connect(port, context, name="localhost", session=None):
    raw = socket.create_connection((HOST, port), 10)
    return context.wrap_socket(raw, server_hostname=name, session=session)


def line(tls):
    said = b""
    while not said.endswith(b"\n"):
        part = tls.recv(1)
        if not part:
            raise EOFError(said)
        said += part
    return said


def server_flights(port):
    """How many TLS flights (turns) it takes from connecting to the greeting, seen from a client made of memory BIOs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    raw = socket.create_connection((HOST, port), 10)
    raw.settimeout(10)
    turns = 0
    greeted = b""
    with raw:
        while not greeted:
            try:
                if tls.version() is None or outgoing.pending or turns == 0:
                    tls.do_handshake()
                greeted = tls.read(1000)
                break
            except ssl.SSLWantReadError:
                pass
            if outgoing.pending:
                raw.sendall(outgoing.read())
                turns += 1
            incoming.write(whole_turn(raw))
    return turns, greeted


def whole_turn(raw):
    """All that the server says before it waits for us: one turn may come in several segments."""
    said = raw.recv(65536)
    raw.settimeout(0.1)
    try:
        while more := raw.recv(65536):
            said += more
    except socket.timeout:
        pass
    raw.settimeout(10)
    return said


@pytest.mark.parametrize("early, turns", [(True, 1), (False, 2)], ids=["early greeting", "switched off"])
def test_the_greeting_comes_in_the_servers_first_flight(front, authority, stores, early, turns):
    doors = homeward.Doors(authority.ca)
    chain, key = authority.leaf("mail")
    front({**doors.groups(), "sites": [homeward.site(stores["north"])],
           "tls": {"certificates": [{"chain": chain, "key": key}], "ca_file": authority.ca, "early_greeting": early}}, "* north\n")
    flights, greeting = server_flights(doors.port["imaps"])
    assert greeting.startswith(b"* OK [CAPABILITY ")
    assert flights == turns


@pytest.mark.parametrize("options, words", [
    (["-tls1_3", "-groups", "ffdhe2048:X25519"], b"HelloRetryRequest"),  # the server has no finite-field group
    (["-tls1_2"], b""),
], ids=["after a HelloRetryRequest", "TLS 1.2"])
def test_where_there_is_no_key_yet_the_greeting_waits_for_the_end_of_the_handshake(house, options, words):
    said = s_client(house.doors.port["imaps"], *options)
    assert said.count(b"* OK [CAPABILITY ") == 1
    assert b"* BYE" in said and b"a OK" in said
    if words:
        trace = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{house.doors.port['imaps']}", "-msg", *options],
                               input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10).stdout
        assert trace.count(b"ClientHello") == 2, "the handshake went without a second ClientHello: this shows nothing"


@pytest.mark.parametrize("options", [["-tls1_3", "-groups", "ffdhe2048:X25519"], ["-tls1_2"]],
                         ids=["HelloRetryRequest", "TLS 1.2"])
def test_no_flight_that_the_client_waits_for_is_held_back_by_the_kernel(house, options):
    """It would be held for 200 ms, in each of 20 handshakes."""
    began = time.monotonic()
    for _ in range(20):
        s_client(house.doors.port["imaps"], *options)
    assert time.monotonic() - began < 3.5


def segments_in(raw):
    """How many segments with data have come (tcpi_data_segs_in of struct tcp_info, linux/tcp.h)."""
    return struct.unpack_from("I", raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 152)[0]


def test_flight_and_greeting_are_one_segment_and_so_are_ticket_and_reply(house):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with connect(house.doors.port["imaps"], context) as tls:
        assert line(tls).startswith(b"* OK [CAPABILITY ")
        assert segments_in(tls) == 1 and not tls.session.has_ticket
        tls.sendall(b"a NOOP\r\n")
        assert line(tls).startswith(b"a OK ")
        assert segments_in(tls) == 2 and tls.session.has_ticket


@pytest.mark.parametrize("protocol, login, leave, good_bye", [
    ("imap", [b"a LOGIN anna@demo.test annas\r\n"], b"b LOGOUT\r\n", b"* BYE until then\r\nb OK gone\r\n"),
    ("pop3", [b"USER anna@demo.test\r\n", b"PASS annas\r\n"], b"QUIT\r\n", b"+OK until then\r\n"),
], ids=["imap", "pop3"])
def test_a_good_bye_and_the_end_behind_it_are_one_segment(front, authority, protocol, login, leave, good_bye):
    store = scripted.ScriptedStore()
    doors = homeward.Doors(authority.ca)
    sites = [{"name": "north", "backends": [{"host": HOST}], "security": "loopback",
              "imap": {"port": store.port}, "pop3": {"port": store.port}}]
    house = front({**doors.groups(), "sites": sites}, "* north\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = scripted.connect(doors.port[protocol + "s"], context=context)
    client.line()
    for number, command in enumerate(login):
        client.send(command)
        if number < len(login) - 1:
            client.line()
    site = store.accept()
    stub = (scripted.ImapStub if protocol == "imap" else scripted.Pop3Stub)(site)
    stub.greet()
    got = stub.credential()
    site.send(got.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n" if protocol == "imap" else b"+OK in\r\n")
    client.line()
    client.send(leave)
    assert site.line() == leave.strip()
    before = segments_in(client.sock)
    asleep = house.roles()["front"]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    site.send(good_bye)
    site.close()
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    assert client.rest() == good_bye
    assert segments_in(client.sock) - before == 1
    store.close()


@pytest.mark.parametrize("offered, taken", [
    ("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    ("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),  # a processor without AES
    ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
])
def test_aes_128_comes_first_but_for_clients_that_prefer_chacha20(house, offered, taken):
    said = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{house.doors.port['imaps']}", "-ciphersuites", offered],
                          input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10).stdout.decode()
    assert f"Cipher is {taken}" in said


def alpn(port, *protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    with connect(port, context) as tls:
        return tls.selected_alpn_protocol()


def test_alpn_of_another_protocol_ends_the_handshake(house):
    assert alpn(house.doors.port["imaps"], "imap") == "imap"
    assert alpn(house.doors.port["pop3s"], "h2", "pop3") == "pop3"
    for port, other in (("imaps", "pop3"), ("pop3s", "imap"), ("imaps", "h2"), ("imaps", "http/1.1")):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            alpn(house.doors.port[port], other)


def names_of(port, name, *options):
    text = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{port}", "-servername", name, *options], input=b"",
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10).stdout
    shown = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-text"], input=text,
                           stdout=subprocess.PIPE, check=True).stdout.decode()
    return shown


def test_sni_picks_the_certificate_and_an_unknown_name_gets_the_first(front, authority, stores):
    doors = homeward.Doors(authority.ca)
    chosen = [authority.leaf("one", "DNS:one.test"), authority.leaf("two", "DNS:two.test,DNS:*.wild.test")]
    rsa = _rsa(authority, "two-rsa", "DNS:two.test")
    front({**doors.groups(), "sites": [homeward.site(stores["north"])], "tls": {
        "ca_file": authority.ca,
        "certificates": [{"chain": chain, "key": key} for chain, key in [*chosen, rsa]]}}, "* north\n")
    port = doors.port["imaps"]
    assert "DNS:one.test" in names_of(port, "one.test")
    assert "DNS:two.test" in names_of(port, "two.test")
    assert "DNS:two.test" in names_of(port, "mail.WILD.test")
    assert "DNS:one.test" in names_of(port, "unknown.test")
    assert "DNS:one.test" in names_of(port, "a.b.wild.test")
    assert "id-ecPublicKey" in names_of(port, "two.test")
    assert "rsaEncryption" in names_of(port, "two.test", "-sigalgs", "rsa_pss_rsae_sha256")


def _rsa(authority, name, names):
    chain, key = (os.path.join(authority.folder, f"{name}.{end}") for end in ("crt", "key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", chain, "-days", "30",
                    "-subj", "/CN=x", "-addext", f"subjectAltName={names}"], check=True, stderr=subprocess.DEVNULL)
    processes.give(authority.folder)
    return chain, key


def resumes(port, trust, session, name="localhost"):
    with connect(port, trust, name, session) as tls:
        line(tls)
        return tls.session_reused


def first_session(port, trust):
    with connect(port, trust) as tls:
        line(tls)
        tls.sendall(b"a LOGOUT\r\n")
        while True:
            try:
                if not tls.recv(1000):
                    break
            except (ssl.SSLError, OSError):
                break
        return tls.session


def test_a_ticket_is_good_at_every_front_and_at_no_other_listener(front, authority, stores, trust):
    doors = homeward.Doors(authority.ca)
    front({**doors.groups(), "run": {"workers": 2}, "sites": [homeward.site(stores["north"])]}, "* north\n")
    sessions = [first_session(doors.port["imaps"], trust) for _ in range(12)]
    assert all(resumes(doors.port["imaps"], trust, session) for session in sessions)
    assert not resumes(doors.port["pop3s"], trust, first_session(doors.port["imaps"], trust))


def test_a_ticket_survives_one_rotation_and_not_many(front, authority, stores, trust):
    doors = homeward.Doors(authority.ca)
    chain, key = authority.leaf("mail")
    front({**doors.groups(), "sites": [homeward.site(stores["north"])], "tls": {
        "certificates": [{"chain": chain, "key": key}], "ca_file": authority.ca, "ticket_key_s": 2}}, "* north\n")
    port = doors.port["imaps"]
    session = first_session(port, trust)
    time.sleep(2.2)
    assert resumes(port, trust, session)
    session = first_session(port, trust)
    time.sleep(6.5)
    assert not resumes(port, trust, session)


def serial(port, trust):
    with connect(port, trust) as tls:
        return tls.getpeercert()["serialNumber"]


def test_certificates_swapped_as_certbot_does_are_taken_without_a_signal_and_a_wrong_pair_is_not(front, authority, stores,
                                                                                             trust, folder):
    doors = homeward.Doors(authority.ca)
    live = processes.new_folder(os.path.join(folder, "live"))

    def point_to(chain, key):
        for name, target in (("fullchain.pem", chain), ("privkey.pem", key)):
            beside = os.path.join(live, name + ".new")
            os.symlink(target, beside)
            os.rename(beside, os.path.join(live, name))

    first, second = authority.leaf("first"), authority.leaf("second")
    point_to(*first)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])], "tls": {
        "certificates": [{"chain": os.path.join(live, "fullchain.pem"), "key": os.path.join(live, "privkey.pem")}],
        "ca_file": authority.ca}}, "* north\n")
    port = doors.port["imaps"]
    held = connect(port, trust)
    line(held)
    before = serial(port, trust)
    point_to(*second)
    processes.wait_until("the new certificate is shown", 10, lambda: serial(port, trust) != before)
    after = serial(port, trust)
    since = instance.mark()
    point_to(second[0], first[1])
    assert "does not belong" in instance.wait_for("certificates", "result=refused", since=since, seconds=10)
    assert serial(port, trust) == after
    held.sendall(b"a NOOP\r\n")
    assert line(held).startswith(b"a OK")
    held.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(house, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(house.doors.port["imaps"], context)


@pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "aNULL"])
def test_ciphers_without_forward_secrecy_or_aead_are_refused(house, ciphers):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(house.doors.port["imaps"], context)


def test_early_data_of_a_client_is_never_read(house, folder):
    """A ticket with early data enabled cannot be had; s_client says so by not sending any."""
    saved = os.path.join(folder, "session")
    s_client(house.doors.port["imaps"], "-tls1_3", "-sess_out", saved)
    early = os.path.join(folder, "early")
    with open(early, "wb") as file:
        file.write(b"a LOGIN anna@demo.test secret\r\n")
    before = house.front.mark()
    s_client(house.doors.port["imaps"], "-tls1_3", "-sess_in", saved, "-early_data", early)
    assert house.front.events("login", since=before) == []
