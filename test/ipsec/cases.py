"""What must be seen on the wire, in the log and by the client, case by case. Each plays against sites of its own."""
import signal
import threading
import time

from harness import processes

import charon
import network
from house import BARE_IMAP, BARE_POP3, SECRETS, SITES, Refused, read_imap, read_pop3
from network import FRONT, FRONT4, FRONT6, STORE

ALL = []
OUTAGE = ("UNAVAILABLE", "SYS/TEMP")


def case(function):
    ALL.append(function)
    return function


def sealed(world, name):
    """ESP both ways, and not a clear byte from either side."""
    pair = world.pairs[name]
    local, peer = pair.local, pair.peer
    assert world.wire.esp_from(local) and world.wire.esp_from(peer), "no ESP was seen"
    silent(world, name)


def silent(world, name):
    pair = world.pairs[name]
    for end in (pair.local, pair.peer):
        clear = [each for each in world.wire.clear_from(end) if pair.peer in (each.source, each.target)]
        said = [str(each) for each in clear if not each.is_nobodys]
        assert not said, f"clear packets: {said}"


def is_outage(answer):
    return answer is not None and any(code in answer for code in OUTAGE)


def reads(world, name):
    mails = read_imap(world.imap(name))
    assert mails.count("kept by the store") == 3, mails
    mails = read_pop3(world.pop3(name))
    assert mails.count("kept by the store") == 3, mails


def ends(world, name):
    """The session's line in the log."""
    world.close_clients()
    return world.line("session_end", f"site={name}")


def must_end(client):
    """Soon: between the kernel's news of an association and the end of its sessions a command may slip through."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            client.noop()
        except client.abort:
            return
    raise AssertionError("the session goes on")


# ---- what works ----

@case
def esp_over_ipv4(world):
    world.pairs["esp4"].add("gcm").answer_sealed()
    reads(world, "esp4")
    line = ends(world, "esp4")
    assert "link=ipsec reqid=11" in line, line
    sealed(world, "esp4")


@case
def esp_over_ipv6(world):
    world.pairs["esp6"].add("gcm").answer_sealed()
    reads(world, "esp6")
    sealed(world, "esp6")


@case
def aes_cbc_with_sha2(world):
    world.pairs["cbc"].add("cbc").answer_sealed()
    reads(world, "cbc")
    sealed(world, "cbc")


@case
def probed_by_the_admin(world):
    """homeward probe goes the same way, and says what it went through; or does not go."""
    status, said = world.probe("esp4")
    assert status == 0 and "esp transport" not in said and "ipsec" in said and "good" in said, said
    sealed(world, "esp4")
    world.pairs["probed"].add("null").answer_sealed()
    status, said = world.probe("probed")
    assert status != 0 and "refused_null: esp transport reqid=42 ecb(cipher_null)" in said, said


@case
def tunnel_mode(world):
    world.pairs["tunnel"].add("gcm").answer_sealed()
    reads(world, "tunnel")
    sealed(world, "tunnel")


@case
def both_policies_are_in_the_kernel(world):
    """And backends has nothing but CAP_NET_ADMIN, a front nothing at all."""
    client = world.imap("esp4")
    dump = network.ip(FRONT, ["xfrm", "policy"])
    assert "socket in" in dump and "socket out" in dump, dump
    assert dump.count("proto esp reqid 11 mode transport") == 2, dump
    client.noop()
    for role, want in (("backends", 1 << 12), ("front", 0), ("auth", 0)):
        for pid in world.front.roles()[role]:
            text = processes.read(f"/proc/{pid}/status")
            sets = {line.split(":")[0]: int(line.split()[1], 16) for line in text.splitlines() if line.startswith("Cap")}
            assert sets["CapEff"] == sets["CapPrm"] == want and sets["CapInh"] == sets["CapAmb"] == 0, (role, sets)
            assert "Uid:\t65534\t65534\t65534\t65534" in text, text


@case
def starttls_inside_esp(world):
    """The store takes no password without TLS, so this shows that TLS was there."""
    world.pairs["inner"].add("gcm").answer_sealed()
    reads(world, "inner")
    line = ends(world, "inner")
    assert "link=ipsec reqid=15 inner_tls=TLSv1" in line, line
    sealed(world, "inner")


@case
def starttls_never_asked(world):
    world.pairs["never"].add("gcm").answer_sealed()
    reads(world, "never")
    assert "inner_tls" not in ends(world, "never")
    sealed(world, "never")


@case
def a_store_that_knows_only_login(world):
    """No CAPABILITY, no CAPA: LOGIN, USER and PASS, and nothing promised to the client that the store lacks."""
    asked = []

    def imap(wire):
        wire.send(b"* OK Microsoft Exchange IMAP4rev1 server version 4.5\r\n")
        while True:
            tag, verb, *rest = wire.line().split(b" ")
            asked.append(verb)
            good = verb in (b"NOOP", b"LOGOUT") or (verb == b"LOGIN" and rest == [b'"bare"', b'"%s"' % SECRETS["bare"].encode()])
            wire.send(tag + (b" OK done\r\n" if good else b" BAD what?\r\n"))

    def pop3(wire):
        wire.send(b"+OK ready\r\n")
        while True:
            verb, *rest = wire.line().split(b" ")
            asked.append(verb)
            good = verb == b"USER" or (verb == b"PASS" and rest == [SECRETS["bare"].encode()])
            wire.send(b"+OK\r\n" if good else b"-ERR what?\r\n")

    world.pairs["bare"].add("gcm").answer_sealed()
    stores = [world.scripted("10.9.0.17", port, script) for port, script in ((BARE_IMAP, imap), (BARE_POP3, pop3))]
    try:
        client = world.imap("bare")
        assert "[CAPABILITY IMAP4rev1]" in client.welcome_text, client.welcome_text
        assert client.noop()[0] == "OK"
        world.pop3("bare")
        assert set(asked) <= {b"CAPABILITY", b"LOGIN", b"NOOP", b"CAPA", b"USER", b"PASS"}, asked
    finally:
        for store in stores:
            store.close()
    sealed(world, "bare")


@case
def broken_starttls_inside_esp(world):
    """Offered and not to be had: ESP is what protects, so the login goes on without."""
    seen = []

    def imap(wire):
        wire.send(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        while True:
            tag, verb, *_ = wire.line().split(b" ")
            seen.append(verb)
            wire.send(tag + b" OK done\r\n")
            if verb == b"STARTTLS":
                wire.exactly(16)  # of a ClientHello
                wire.send(b"this is not TLS\r\n" * 20)
                return

    world.pairs["broken"].add("gcm").answer_sealed()
    store = world.scripted("10.9.0.18", BARE_IMAP, imap)
    try:
        world.imap("broken")
        assert seen[:2] == [b"STARTTLS", b"LOGIN"], seen
    finally:
        store.close()
    sealed(world, "broken")


# ---- what fails closed ----

@case
def nothing_leaves_without_a_good_association(world):
    """No association, AH only, another mode, another reqid, one direction: the temporary answer, and not one packet."""
    wrong = {
        "ahonly": network.Pair("10.9.0.30", 30, protocol="ah").add("ah"),
        "mode": network.Pair("10.9.0.31", 31, "tunnel").add("gcm"),
        "reqid": network.Pair("10.9.0.32", 132).add("gcm"),
    }
    started = time.monotonic()
    answers = world.try_all(["none", *wrong])
    took = time.monotonic() - started
    assert all(map(is_outage, answers.values())), answers
    assert 4.5 < took < 9, took
    for name, word, found in (("none", "no_sa", ""), ("ahonly", "no_sa", "ah transport reqid=30"),
                              ("mode", "refused_mode", "esp tunnel reqid=31"), ("reqid", "no_sa", "esp transport reqid=132")):
        assert f"ipsec={word}" in world.line("login_failed", f"site={name}"), name
        assert found in world.line("ipsec", f"site={name}"), name
        silent(world, name)
        assert not [each for each in world.wire.seen() if each.target == SITES[name][0]], name


@case
def half_an_association(world):
    """Only outwards: the first packet leaves sealed, the answer cannot be read."""
    pair = world.pairs["half"]
    pair.answer_sealed()
    network.ip(STORE, *(pair.state(out, "add", network.ALGORITHMS["gcm"]) for out in (True, False)))
    network.ip(FRONT, pair.state(True, "add", network.ALGORITHMS["gcm"]))
    assert is_outage(world.try_imap("half"))
    assert "ipsec=one_way" in world.line("login_failed", "site=half")
    assert world.wire.esp_from(FRONT4)
    silent(world, "half")


@case
def a_peer_that_answers_in_clear(world):
    """The peer understands ESP and answers without: its words are dropped, and nothing clear goes back."""
    world.pairs["talker"].add("gcm")
    before = network.statistics(FRONT)["XfrmInTmplMismatch"]
    assert is_outage(world.try_imap("talker"))
    assert network.statistics(FRONT)["XfrmInTmplMismatch"] > before
    assert world.wire.esp_from(FRONT4)
    assert world.wire.clear_from("10.9.0.19"), "the peer was meant to answer in clear"
    # When nobody waits any more the kernel itself answers with an empty RST, as it does to every stranger.
    assert not [each for each in world.wire.clear_from(FRONT4) if each.target == "10.9.0.19" and not each.is_nobodys]


@case
def a_peer_that_turns_clear_in_mid_session(world):
    pair = world.pairs["mute"].add("gcm").answer_sealed()
    client = world.imap("mute")
    before = network.statistics(FRONT)["XfrmInTmplMismatch"]
    pair.answer_clear()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.noop()[0]))
    thread.start()
    processes.wait_until("clear answers are dropped", 5,
                         lambda: network.statistics(FRONT)["XfrmInTmplMismatch"] > before)
    assert not answers
    pair.answer_sealed()
    thread.join(10)
    assert answers == ["OK"], answers
    assert not [each for each in world.wire.clear_from(FRONT4) if each.target == pair.peer]


@case
def an_association_that_goes_and_comes_back(world):
    """A stall, no clear byte, and on it goes."""
    pair = world.pairs["gap"].add("gcm").answer_sealed()
    client = world.imap("gap")
    client.select("INBOX")
    pair.drop()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.fetch("1:*", "(BODY.PEEK[])")[0]))
    thread.start()
    time.sleep(1)
    assert not answers
    pair.add("gcm")
    thread.join(10)
    assert answers == ["OK"], answers
    sealed(world, "gap")


@case
def no_encryption_is_refused_before_the_password(world):
    """The kernel would carry it all: these associations satisfy the policy."""
    names = {"null": "refused_null", "gmac": "refused_null", "unproved": "refused_integrity", "des": "refused_algorithm",
             "w2003": "refused_algorithm"}
    for name in names:
        world.pairs[name].add("3des" if name == "w2003" else name).answer_sealed()
    answers = world.try_all(names)
    assert all(map(is_outage, answers.values())), answers
    for name, word in names.items():
        assert f"ipsec={word}" in world.line("login_failed", f"site={name}"), name
        assert world.wire.esp_from(SITES[name][0]), f"{name}: the connection was meant to be made"


@case
def triple_des_where_it_is_listed(world):
    world.pairs["w2003ok"].add("3des").answer_sealed()
    reads(world, "w2003ok")
    sealed(world, "w2003ok")


@case
def an_association_that_turns_bad_ends_the_session(world):
    pair = world.pairs["turned"].add("gcm").answer_sealed()
    client = world.imap("turned")
    assert client.noop()[0] == "OK"
    pair.drop()
    pair.add("null")
    must_end(client)
    assert "why=ipsec" in world.line("session_end", "site=turned")
    assert is_outage(world.try_imap("turned"))
    # One good association beside a bad one is not enough.
    pair.generation += 1
    pair.add("gcm")
    assert is_outage(world.try_imap("turned"))


@case
def counts_are_told(world):
    """In answer to SIGUSR1, and with the state of a site."""
    world.front.process.signal(signal.SIGUSR1)
    for name, words in (("none", ("ipsec_waits=1", "ipsec_no_sa=1")), ("null", ("ipsec_waits=0", "ipsec_refused=1")),
                        ("turned", ("link=ipsec", "reqid=26", "ipsec_refused=2", "ipsec_ended=1"))):
        line = world.line("site", f"site={name}")
        assert all(word in line for word in words), line
    assert world.front.lines("event=backend_state", "site=null", "ipsec_refused=1"), "counts stand in the site's state"


@case
def an_association_that_turns_bad_before_the_password(world):
    """Good when the connection was made, null when the greeting came: nothing is said but the greeting's due."""
    pair = world.pairs["switched"].add("gcm").answer_sealed()
    connected, greet, heard = threading.Event(), threading.Event(), []

    def imap(wire):
        connected.set()
        greet.wait(10)
        wire.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        heard.append(wire.line())

    store = world.scripted(pair.peer, BARE_IMAP, imap)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(world.try_imap("switched")))
    thread.start()
    try:
        assert connected.wait(5)
        pair.drop().add("null")
        greet.set()
        thread.join(10)
    finally:
        store.close()
    assert is_outage(answers[0]), answers
    assert not heard, heard


@case
def an_association_that_expires(world):
    """By its own limit of time: as if it had been deleted."""
    pair = world.pairs["expired"].answer_sealed()
    pair.limits = ["limit", "time-hard", "2"]
    pair.add("gcm")
    client = world.imap("expired")
    time.sleep(2.2)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.noop()[0]))
    thread.start()
    time.sleep(0.7)
    assert not answers
    pair.limits, pair.generation = [], 1
    pair.add("gcm")
    thread.join(10)
    assert answers == ["OK"], answers
    sealed(world, "expired")


@case
def sessions_of_a_draining_front(world):
    """A reload: the old front's session is watched by the new backends, and ends when its association turns bad."""
    pair = world.pairs["drained"].add("gcm").answer_sealed()
    client = world.imap("drained")
    world.front.settings["log"] = {"level": "debug"}
    world.front.reload()
    assert len(world.front.roles()["front"]) == 2
    assert client.noop()[0] == "OK"
    reads(world, "drained")
    sealed(world, "drained")
    pair.drop().add("null")
    must_end(client)
    assert "why=ipsec" in world.line("session_end", "site=drained")


# ---- waiting, dying ----

@case
def logins_wait_for_an_association(world):
    pair = world.pairs["late"].answer_sealed()
    answers = {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: world.try_imap("late")})) for n in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(1.2)
    silent(world, "late")
    added = time.monotonic()
    pair.add("gcm")
    for thread in threads:
        thread.join()
    assert list(answers.values()) == [None] * 3, answers
    assert time.monotonic() - added < 3, time.monotonic() - added
    sealed(world, "late")


@case
def backends_killed_during_a_login(world):
    """Between the connection and the password: the successor is asked, and the login goes on."""
    pair = world.pairs["half_way"].add("gcm").answer_sealed()
    connected, greet = threading.Event(), threading.Event()

    def imap(wire):
        connected.set()
        greet.wait(10)
        wire.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        wire.send(wire.line().split(b" ")[0] + b" OK [CAPABILITY IMAP4rev1] in\r\n")
        wire.line()

    store = world.scripted(pair.peer, BARE_IMAP, imap)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(world.try_imap("half_way")))
    thread.start()
    try:
        assert connected.wait(5)
        old = world.kill_backends()
        greet.set()
        thread.join(10)
        world.wait_for_new_backends(old)
    finally:
        store.close()
    assert answers == [None], answers
    sealed(world, "half_way")


@case
def backends_killed(world):
    """The policies hang on the socket: nothing leaks while nobody watches, then it goes on; a bad association that came
    meanwhile ends the session."""
    pair = world.pairs["reborn"].add("gcm").answer_sealed()
    client = world.imap("reborn")
    old = world.kill_backends()
    assert client.noop()[0] == "OK"
    world.wait_for_new_backends(old)
    assert client.noop()[0] == "OK"
    reads(world, "reborn")
    sealed(world, "reborn")
    assert client.noop()[0] == "OK"
    old = world.kill_backends()
    pair.drop().add("gmac")
    world.wait_for_new_backends(old)
    try:
        raise AssertionError(f"while nobody watches, a command went through: {client.noop()}")
    except client.abort:
        pass
    assert "why=ipsec" in world.line("session_end", "site=reborn")


# ---- a real IKE daemon ----

@case
def strongswan_negotiates(world):
    """A trap policy on each side: the first login waits and works, rekeying under traffic loses nothing, and when both
    daemons are killed sessions go on."""
    daemons = charon.Pair(world.folder, FRONT4, SITES["ike"][0], SITES["ike"][1])
    daemons.start()
    try:
        client = world.imap("ike")
        client.select("INBOX")
        before = daemons.associations()
        for _ in range(2):
            daemons.rekey()
            for _ in range(20):
                assert client.fetch("1:*", "(BODY.PEEK[])")[0] == "OK"
        assert daemons.associations() != before, "nothing was rekeyed"
        assert world.try_imap("ike") is None
        daemons.kill()
        assert client.noop()[0] == "OK"
        assert world.try_imap("ike") is None
        sealed(world, "ike")
    finally:
        daemons.kill()


@case
def strongswan_as_windows_2003(world):
    """IKEv1, 3DES with SHA-1, group 2, transport mode: all that such a machine can do."""
    daemons = charon.Pair(world.folder, FRONT4, SITES["ikev1"][0], SITES["ikev1"][1], version=1, hash="sha1", esp="3des-sha1")
    daemons.start()
    try:
        reads(world, "ikev1")
        assert "cbc(des3_ede)" in network.ip(FRONT, ["xfrm", "state"])
        sealed(world, "ikev1")
    finally:
        daemons.kill()


# ---- the control ----

@case
def the_search_would_find_it(world):
    """A site whose password does go over the wire in clear."""
    reads(world, "control")
    assert world.wire.holds(SECRETS["control"].encode())
    assert world.wire.clear_from(FRONT4)
