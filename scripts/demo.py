"""The demo behind scripts/demo: sets the scene, shows it or tours it, and takes everything away again."""
import argparse
import glob
import imaplib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "test"))
from harness import certificates, clients, dovecot, homeward, ports, processes  # noqa: E402

PASSWORD = "secret"
PREFIX = os.path.join(tempfile.gettempdir(), "homeward-demo-")
DOORS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
#         mailbox            store    its security, the name that the store knows
USERS = [("anna@demo.test", "north", "tls", "anna@demo.test"),
         ("bert@demo.test", "south", "starttls", "bert@demo.test"),
         ("carl@demo.test", "old", "none", "carl")]
MAP = """\
# mailbox          site
anna@demo.test     north
bert@demo.test     south
carl@demo.test     old
"""
# For the test that shows the tour finding what is wrong, some of: north, south, old or homeward is stopped before it; one mail of
# anna is taken away (mail); a password that should be wrong is right (password); the map sends anna to the wrong home (map).
DISTURB = os.environ.get("DEMO_DISTURB", "").split()

INTRODUCTION = """
Homeward stands in front of three mail stores; everything is in {folder}

  mailbox           password   its home
  anna@demo.test    secret     north: IMAP4 and POP3 inside TLS
  bert@demo.test    secret     south: STARTTLS and STLS
  carl@demo.test    secret     old: clear text on loopback, knows only "carl"

  IMAP4: localhost {imaps} (TLS), {imap} (STARTTLS)     POP3: localhost {pop3s} (TLS), {pop3} (STLS)

Try, in another terminal:

  curl --cacert {ca} -u anna@demo.test:secret 'imaps://localhost:{imaps}/INBOX;MAILINDEX=1'
  curl --cacert {ca} -u bert@demo.test:secret --ssl-reqd 'imap://localhost:{imap}/INBOX;MAILINDEX=2'
  curl --cacert {ca} -u carl@demo.test:secret 'pop3s://localhost:{pop3s}/3'
  openssl s_client -quiet -CAfile {ca} -connect localhost:{imaps}     # then: a LOGIN carl@demo.test secret
  cat {folder}/homeward/homeward.cfg {folder}/homeward/directory.map
  tail -f {folder}/homeward/homeward.log

  {folder}/homeward/homewardctl -s {folder}/homeward/run/control status      # also who, sites, top, trace anna@demo.test ...
  {folder}/homeward/homeward probe -c {folder}/homeward/homeward.cfg         # also explain anna@demo.test, doctor

Ctrl-C ends all of it and removes the folder.
"""


class Demo:
    def __init__(self, base_port):
        self.base_port = base_port
        numbers = {name: base_port + usual for name, usual in DOORS.items()}
        self.refuse_taken(list(numbers.values()))
        self.folder = tempfile.mkdtemp(prefix=PREFIX)
        os.chmod(self.folder, 0o755)
        processes.give(self.folder)
        with open(os.path.join(self.folder, "pid"), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()} {base_port}\n")
        self.ca = certificates.Authority(os.path.join(self.folder, "certificates"), "Homeward demo CA")
        self.doors = homeward.Doors(self.ca.ca, numbers)
        self.stores, self.front = {}, None

    def refuse_taken(self, numbers):
        taken = [port for port in numbers if not ports.is_free(port)]
        if not taken:
            return
        other = 30000 if self.base_port != 30000 else 40000
        way_out = f"end it, or choose other ports: scripts/demo --ports {other}"
        for file in glob.glob(PREFIX + "*/pid"):
            pid, base_port = processes.read(file).split()
            if int(base_port) == self.base_port and os.path.exists(f"/proc/{pid}"):
                raise processes.Failure(f"another demo is running (process {pid}, folder {os.path.dirname(file)}); {way_out}")
        raise processes.Failure(f"port {taken[0]} is in use by another program; {way_out}")

    def start(self):
        certificate = self.ca.leaf("store")
        for (mailbox, name, security, store_name), index in zip(USERS, range(3)):
            numbers = {"imap": self.base_port + 1 + 2 * index, "pop3": self.base_port + 2 + 2 * index}
            if not all(map(ports.is_free, numbers.values())):
                numbers = None
            self.stores[name] = dovecot.Store(name, os.path.join(self.folder, name), security, {store_name: PASSWORD},
                                              certificate, port_of=numbers).start()
        more = {"north": {}, "south": {}, "old": {"user_format": "%n"}}
        settings = {
            **self.doors.groups(),
            "tls": {"certificates": [dict(zip(("chain", "key"), self.ca.leaf("mail")))], "ca_file": self.ca.ca},
            "sites": [homeward.site(self.stores[name], **more[name]) for name in self.stores],
            "auth": {"failure_step_ms": 200},  # for looking: usually a wrong password waits longer for its answer
        }
        text = MAP.replace("anna@demo.test     north", "anna@demo.test     south") if "map" in DISTURB else MAP
        self.front = homeward.Homeward(os.path.join(self.folder, "homeward"), settings, text).start()

    def introduce(self):
        print(INTRODUCTION.format(folder=self.folder, ca=self.ca.ca, **self.doors.port), flush=True)

    def stay(self):
        while True:
            for name, process in [("Homeward", self.front.process)] + [
                    (f"the store {name}", store.process) for name, store in self.stores.items()]:
                if not process.is_alive():
                    raise processes.Failure(f"{name} has ended by itself; its last words: "
                                            f"{processes.read(process.output).strip()[-500:]}")
            time.sleep(1)

    def end(self):
        try:
            if self.front is not None:
                self.front.stop()
        finally:
            for store in self.stores.values():
                store.ask_to_stop()
            for store in self.stores.values():
                store.stop()
            shutil.rmtree(self.folder)


# What an admin asks first: (command, exit status, words that stand in the answer). A session of anna is open meanwhile.
QUESTIONS = [
    ("homeward explain carl@demo.test --proto imap", 0, ["old", "carl"]),
    ("homeward explain nobody@demo.test", 1, ["unknown"]),
    ("homeward probe", 0, ["6 of 6 are well"]),
    ("homeward probe --front", 0, ["are well"]),
    ("homeward doctor", None, ["certificate"]),  # it may find something of this machine
    ("homewardctl status", 0, ["serving", "3 entries"]),
    ("homewardctl who", 0, ["anna@demo.test"]),
    ("homewardctl who --site south", 1, []),
    ("homewardctl route bert@demo.test", 0, ["south"]),
    ("homewardctl sites", 0, ["north", "south", "old", "up"]),
    ("homewardctl site south maint", 0, []),
    ("homewardctl sites south", 0, ["maint"]),
    ("homewardctl site south ready", 0, []),
    ("homewardctl loglevel debug", 0, []),
    ("homewardctl reload", 0, []),
    ("homewardctl kick anna@demo.test --reason 'just showing'", 0, ["1 sessions"]),
    ("homewardctl fly", 2, []),
    ("homewardctl drain", 0, ["draining"]),
]


class Tour:
    """Real programs read every mailbox; each step is printed with what came back."""

    def __init__(self, demo):
        self.demo, self.wrong, self.steps = demo, 0, 0

    def step(self, what, expected, got):
        self.steps += 1
        right = got == expected
        self.wrong += not right
        print(f"{'ok   ' if right else 'WRONG'} {what}: {got}" + ("" if right else f"; expected {expected}"), flush=True)

    def take(self):
        self.disturb()
        for mailbox, store, _, store_name in USERS:
            for name, client in clients.CLIENTS.items():
                self.step(f"{name}, {mailbox}", f"3 mails of {store_name} from {store}",
                          self.read(client, mailbox, PASSWORD))
            self.step(f"Python imaplib with a wrong password, {mailbox}",
                      "[AUTHENTICATIONFAILED] Authentication failed.", self.read(
                          clients.python_imaplib_tls, mailbox, PASSWORD if "password" in DISTURB else "guess"))
            self.step(f"the log of {store} names only its own user", [store_name],
                      sorted({line.split("user=<")[1].split(">")[0] for line in self.demo.stores[store].logins()}))
        if not DISTURB:
            self.watch_a_login()
            self.ask()
        print(f"{self.steps - self.wrong} of {self.steps} steps were right" +
              (f", {self.wrong} were WRONG" if self.wrong else ""), flush=True)
        return self.wrong == 0

    def command(self, line):
        """As a shell would take it, with the files of the demo."""
        program, *arguments = shlex.split(line)
        front = self.demo.front
        return ([front.ctl_binary, "-s", front.control, *arguments] if program == "homewardctl" else
                [front.binary, *arguments, "-c", front.file])

    def show(self, output):
        print("".join(f"       {line}\n" for line in output.rstrip().splitlines()), end="", flush=True)

    def watch_a_login(self):
        """A trace of anna, who signs in once with a wrong password and once with hers."""
        tracer = subprocess.Popen(self.command("homewardctl trace anna@demo.test --for 2s"), stdout=subprocess.PIPE, text=True,
                                  **processes.as_account())
        time.sleep(0.5)
        for password in ("guess", PASSWORD):
            self.read(clients.python_imaplib_tls, "anna@demo.test", password)
        said, _ = tracer.communicate(timeout=20)
        self.step("homewardctl trace: a refusal and a login, without a byte of the passwords", [True, True, False, False], [
            "AUTHENTICATIONFAILED" in said, '"LOGOUT"' in said, "guess" in said, PASSWORD in said])
        self.show(said)

    def ask(self):
        """Everything that an admin asks or orders, with its output."""
        session = imaplib.IMAP4_SSL(clients.HOST, self.demo.doors.port["imaps"], ssl_context=clients.trust(self.demo.doors))
        session.login("anna@demo.test", PASSWORD)
        for line, status, words in QUESTIONS:
            got, said = processes.run(self.command(line))
            self.step(line, f"exit status {got if status is None else status}, and it says {words}",
                      f"exit status {got}, and it says {[word for word in words if word in said]}")
            self.show(said)
        session.shutdown()

    def read(self, client, mailbox, password):
        """What the program read, in a few words."""
        folder = processes.new_folder(os.path.join(self.demo.folder, "client"))
        try:
            mails = clients.mails_in(client(self.demo.doors, (mailbox, password), folder))
            homes = sorted({f"of {mailbox} from {store}" for _, mailbox, store in mails})
            return f"{len(mails)} mails {' and '.join(homes)}"
        except clients.Refused as refused:
            return str(refused).strip("b'\"")
        except Exception as error:  # whatever a library makes of a broken answer is this step's finding, not the tour's end
            return f"{type(error).__name__}: {error}"
        finally:
            shutil.rmtree(folder)

    def disturb(self):
        for name, store in self.demo.stores.items():
            if name in DISTURB:
                store.stop()
        if "mail" in DISTURB:
            inbox = os.path.join(self.demo.stores["north"].maildir("anna@demo.test"), "new")
            os.remove(os.path.join(inbox, sorted(os.listdir(inbox))[0]))
        if "homeward" in DISTURB:
            self.demo.front.process.kill()


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Homeward in front of three mail stores, for looking.")
    parser.add_argument("--check", action="store_true", help="take the tour with real mail programs; exit 1 if a step was wrong")
    parser.add_argument("--ports", type=int, default=20000, metavar="BASE", help="add 143, 993, 110 and 995 to this (20000)")
    options = parser.parse_args()
    if not 1024 <= options.ports <= 64000:
        parser.error(f"--ports {options.ports}: expected 1024 to 64000")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    demo = None
    try:
        demo = Demo(options.ports)
        print("demo: starting three stores and Homeward ...", flush=True)
        demo.start()
        if options.check:
            return 0 if Tour(demo).take() else 1
        demo.introduce()
        demo.stay()
    except KeyboardInterrupt:
        return 0 if not options.check else 130
    except processes.Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    finally:
        if demo is not None:
            end(demo)


def end(demo):
    """Nothing may interrupt this, nor may what was disturbed hide the rest."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        demo.end()
        print("demo: everything is ended, the folder is removed", flush=True)
    except processes.Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
