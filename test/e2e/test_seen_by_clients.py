"""kick, drain and maintenance as real programs see them: mbsync and curl that come and go, imapfilter that stays in IDLE."""
import os
import re

import pytest

from harness import clients, homeward, processes

ANNA = ("anna@demo.test", "secret")
REASON = "The disk is being changed."


@pytest.fixture
def place(front, authority, stores):
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])], "run": {"workers": 2}}, "* north\n")
    return instance, doors


IDLER = """
options.timeout = 20
options.certificates = false
function watch()
  local account = IMAP {{ server = "{host}", port = {port}, username = "{user}", password = "{password}", ssl = "auto" }}
  print("in")
  io.flush()
  while true do
    print("woke", account.INBOX:enter_idle())
    io.flush()
  end
end
while true do
  pcall(watch)
  print("out")
  io.flush()
  sleep(1)
end
"""


class Idler:
    """imapfilter, told to come back a second after it was sent away, as mail programs with push do."""

    def __init__(self, doors, account, folder):
        config = os.path.join(folder, "idle.lua")
        with open(config, "w") as file:
            file.write(IDLER.format(host=clients.HOST, port=doors.port["imaps"], user=account[0], password=account[1]))
        processes.give(config)
        self.output, self.wire = os.path.join(folder, "idle.out"), os.path.join(folder, "idle.wire")
        self.process = processes.Process(["imapfilter", "-c", config, "-t", doors.ca, "-d", self.wire], self.output,
                                         env={**os.environ, "HOME": folder}, cwd=folder)

    def wait_for(self, what, times, seconds=15):
        processes.wait_until(f"imapfilter says {what!r} {times} times", seconds,
                             lambda: processes.read(self.output).split("\n").count(what) >= times)

    def idles(self, times):
        processes.wait_until("imapfilter idles", 15, lambda: processes.read(self.wire).count("+ idling") >= times)

    def heard(self, pattern, times=1):
        """Lines of the server's, once there are so many."""
        find = lambda: re.findall(pattern, processes.read(self.wire).replace("\r", ""))
        processes.wait_until(f"imapfilter hears {pattern}", 10, lambda: len(find()) >= times)
        return find()


@pytest.fixture
def idler(place, folder):
    instance, doors = place
    made = Idler(doors, ("idle@demo.test", "secret"), folder)
    made.idles(1)
    yield made
    made.process.kill()
    print("the server to it:", re.findall(r"\* BYE.*|\S+ NO .*", processes.read(made.wire)))


def test_an_idle_program_is_kicked_told_why_and_comes_back(place, idler):
    instance, _ = place
    instance.ctl("kick", "idle@demo.test", "--reason", REASON)
    assert idler.heard(r"\* BYE (.*)") == [REASON]
    idler.wait_for("in", 2)
    idler.idles(2)
    assert instance.ask("who", "idle@demo.test")["number"] == 1


def test_an_idle_program_waits_out_a_maintenance(place, idler):
    """It hears BYE, then only UNAVAILABLE, which is no wrong password; and push works again afterwards."""
    instance, _ = place
    instance.ctl("site", "north", "maint")
    idler.heard(r"\* BYE .*")
    assert all("[UNAVAILABLE]" in line for line in idler.heard(r"\d+ NO .*", 2))
    instance.ctl("site", "north", "ready")
    idler.wait_for("in", 2)
    idler.idles(2)
    assert "AUTHENTICATIONFAILED" not in processes.read(idler.wire)


def test_an_idle_program_hears_that_the_service_ends(place, idler):
    instance, _ = place
    instance.ctl("drain")
    assert idler.heard(r"\* BYE (.*)") == ["The server is being restarted; please connect again."]
    processes.wait_until("it has ended", 15, instance.has_ended)


def fails(program, doors, folder):
    with pytest.raises(clients.Refused) as refused:
        program(doors, ANNA, folder)
    print(f"{program.__name__}: {refused.value}")
    return str(refused.value)


def test_mbsync_and_curl_are_told_of_a_maintenance_and_go_on_after_it(place, folder):
    instance, doors = place
    programs = (clients.mbsync_imaps, clients.curl_imaps, clients.curl_pop3s)
    for program in programs:
        assert len(clients.mails_in(program(doors, ANNA, folder))) == 3
    instance.ctl("site", "north", "maint")
    assert "UNAVAILABLE" in fails(clients.mbsync_imaps, doors, folder)
    for program in programs[1:]:
        fails(program, doors, folder)
    assert len(instance.events("login_failed", "result=unavailable")) >= 3 and not instance.events("login_failed", "result=refused")
    instance.ctl("site", "north", "ready")
    for program in programs:
        assert len(clients.mails_in(program(doors, ANNA, folder))) == 3


def test_a_download_under_way_is_finished_before_a_kick(front, authority, store, folder):
    """curl, slowly, with a big mail: it gets all of it, and only then the connection ends."""
    size = 2 << 20
    home = store("home", "tls", {"big": "secret"})
    home.deliver("big", "Subject: big\r\n\r\n" + ("y" * 76 + "\r\n") * (size // 78))
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": doors.groups()["imap"], "sites": [homeward.site(home, pop3="off")]}, "* home\n")
    mail = os.path.join(folder, "mail")
    curl = processes.Process(["curl", "-q", "-sv", "--limit-rate", "1M", "--cacert", doors.ca, "--user", "big:secret", "-o", mail,
                              f"imaps://{clients.HOST}:{doors.port['imaps']}/INBOX;MAILINDEX=4"],
                             os.path.join(folder, "curl.out"), cwd=folder)
    try:
        processes.wait_until("it downloads", 10, lambda: os.path.exists(mail) and os.path.getsize(mail) > 0)
        assert os.path.getsize(mail) < size
        instance.ctl("kick", "big", "--reason", REASON)
        curl.wait(20)
    finally:
        curl.kill()
    print("curl has", os.path.getsize(mail), "bytes")
    assert processes.read(mail).endswith("y\r\n") and os.path.getsize(mail) > size - 78
    assert instance.wait_for("session_end", "why=kick")
