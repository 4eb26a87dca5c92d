"""Other mail front ends with the doors of stage.DOORS, as fairly as their manuals allow: TLS 1.2 and up, their usual limits, the good
stores behind them in clear text on loopback, everybody admitted to them. Where it can be said how long somebody may take to log in, it is
what stage.py says to Homeward."""
import os

from bench.proxies import DOVECOT, DOVECOT_LOGIN, NGINX_AUTH, first_line, program
from harness import homeward, ports, processes
from .stage import DOORS, LOGIN_S, HomewardStage, Stage

NGINX = """\
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 10000; }}
{http}mail {{
    auth_http 127.0.0.1:{auth}/auth;
    timeout {login}s;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    imap_capabilities IMAP4rev1 LITERAL+ SASL-IR ID;
    imap_auth plain login;
    pop3_capabilities USER UIDL TOP PIPELINING;
    pop3_auth plain;
    server {{ listen 127.0.0.1:{doors[imap]}; protocol imap; starttls only; }}
    server {{ listen 127.0.0.1:{doors[imap-clear]}; protocol imap; starttls on; }}
    server {{ listen 127.0.0.1:{doors[imaps]} ssl; protocol imap; }}
    server {{ listen 127.0.0.1:{doors[pop3]}; protocol pop3; starttls only; }}
    server {{ listen 127.0.0.1:{doors[pop3-clear]}; protocol pop3; starttls on; }}
    server {{ listen 127.0.0.1:{doors[pop3s]} ssl; protocol pop3; }}
}}
"""

# What bench.proxies leaves to its users, and an address that failed need not wait ever longer: every case comes from the same two.
DOVECOT_LIMITS = """\
ssl = yes
disable_plaintext_auth = yes
mail_max_userip_connections = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


class Peer(Stage):
    """A front end of somebody else. Its processes may come and go with connections; the first one of each may not."""

    package = ""

    def __init__(self, folder, authority):
        super().__init__(processes.new_folder(os.path.join(folder, self.name)), authority)
        self.chain, self.key = authority.leaf("mail")
        self.made, self.first = [], set()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        processes.give(self.folder)
        return path

    def stores(self):
        """{protocol: port}"""
        return {protocol: store.port for protocol, store in self.good.items()}

    def commands(self):
        """The command lines to start."""
        raise NotImplementedError

    def start(self):
        self.made = [processes.Process(argv, os.path.join(self.folder, "output"), cwd=self.folder) for argv in self.commands()]
        listening = set(self.doors.values())
        processes.wait_until(f"{self.name} listens", 20, lambda: not any(map(ports.is_free, listening)))
        self.first = set(self.pids())
        self.run(self.warm())
        self.take_baseline()
        return self

    def pids(self):
        """Those that were there at the start; what is born for one connection does not count."""
        found = {pid for each in self.made for pid in each.members()}
        return found & self.first if self.first else found

    def unwell(self):
        """Its first processes are there, and hold no more than then; fewer is no fault of others than Homeward."""
        now = self.descriptors()
        if not set(self.baseline) <= set(now) or sum(now.values()) > sum(self.baseline.values()):
            return f"processes and their descriptors were {self.baseline} and are {now}"
        return None

    def said(self):
        return "".join(processes.read(os.path.join(self.folder, name)) for name in ("output", "error.log"))

    def close(self):
        super().close()
        for each in self.made:
            try:
                each.stop()
            except processes.Failure:
                pass  # it was killed then


class Nginx(Peer):
    name, package = "nginx", "nginx-light libnginx-mod-mail"

    def version(self):
        return first_line([program("nginx"), "-v"]).rpartition("/")[2]

    def commands(self):
        auth = ports.take()
        http = NGINX_AUTH.format(folder=self.folder, auth=auth, **self.stores())
        path = self.write("nginx.conf", NGINX.format(http=http, folder=self.folder, chain=self.chain, key=self.key, doors=self.doors,
                                                     auth=auth, login=LOGIN_S))
        return [[program("nginx"), "-c", path, "-p", self.folder, "-e", os.path.join(self.folder, "error.log")]]


class Dovecot(Peer):
    """One listener serves both kinds of clear doors: a client on the server's own address counts as protected there, another does not.
    That it lets an address that failed wait ever longer is a virtue, and off here."""

    name, package = "dovecot", "dovecot-imapd dovecot-pop3d"

    def version(self):
        return first_line([program("dovecot"), "--version"]).split(" ")[0]

    def source(self, door):
        return "127.0.0.1" if door.endswith("clear") else "127.0.0.2"

    def commands(self):
        text = DOVECOT.format(folder=self.folder, chain=self.chain, key=self.key, user=processes.ACCOUNT.pw_name, group=processes.GROUP,
                              **self.stores()) + DOVECOT_LIMITS
        for protocol in ("imap", "pop3"):
            self.doors[protocol + "-clear"] = self.doors[protocol]
            text += DOVECOT_LOGIN.format(protocol=protocol, clear=self.doors[protocol], tls=self.doors[protocol + "s"])
        return [[program("dovecot"), "-F", "-c", self.write("dovecot.conf", text)]]


class Perdition(Peer):
    """A process for each listener, and one more for each connection. Before it answers an error it sleeps for three seconds, always."""

    name, package = "perdition", "perdition"
    modes = {"imap": "tls_listen_force", "imap-clear": "tls_listen", "imaps": "ssl_listen",
             "pop3": "tls_listen_force", "pop3-clear": "tls_listen", "pop3s": "ssl_listen"}

    def version(self):
        return first_line(["dpkg-query", "-W", "-f", "${Version}\\n", "perdition"]).partition("-")[0]

    def commands(self):
        return [[program("perdition." + {"imap": "imap4", "pop3": "pop3"}[DOORS[door][0]]), "--config_file", "/dev/null", "--no_daemon",
                 "--log_facility", os.path.join(self.folder, "error.log"), "--map_library", "", "--bind_address", "127.0.0.1",
                 "--listen_port", str(self.doors[door]), "--outgoing_server", f"127.0.0.1:{self.good[DOORS[door][0]].port}",
                 "--authenticate_timeout", str(LOGIN_S), "--username", processes.ACCOUNT.pw_name, "--group", processes.GROUP, "--ssl_mode", mode,
                 "--ssl_cert_file", self.chain, "--ssl_key_file", self.key, "--pid_file", os.path.join(self.folder, door + ".pid")]
                for door, mode in self.modes.items()]


class Homeward(HomewardStage):
    package = ""

    def version(self):
        return first_line([homeward.BINARY, "--version"]).split(" ")[1]


ALL = {kind.name: kind for kind in (Homeward, Nginx, Dovecot, Perdition)}
