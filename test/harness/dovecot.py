"""Rootless Dovecots: mail stores of the demo and the tests, each in a folder and on ports of its own.

security: "tls"       imaps and pop3s only
          "starttls"  imap and pop3 with STARTTLS
          "none"      a bare clear-text dialect of long ago
Users are a dict from the name that this store knows to the password (str or bytes)."""
import base64
import os
import shutil
import signal
import socket

from . import ports, processes

CONFIGURATION = """\
# Written by {here}; nothing of this is of use without that folder.
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap pop3
listen = {address}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 1000
maildir_stat_dirs = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_verbose = yes
login_trusted_networks = {trusted}
auth_username_chars =
auth_username_format = %u
mail_plugins =
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
protocol imap {{
  mail_plugins = imap_zlib
}}
# chroot needs root. Without the listener there is no penalty for whoever shares the address of one that failed.
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  {imap_listeners}
}}
service pop3-login {{
  chroot =
  {pop3_listeners}
}}
service imap {{
  process_limit = 500
}}
service pop3 {{
  process_limit = 500
}}
{tls}
{extra}
"""

TLS = """\
ssl = {ssl}
ssl_cert = <{chain}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
"""

NO_TLS = """\
ssl = no
disable_plaintext_auth = no
imap_capability = IMAP4rev1
"""

MAIL = """\
From: Postmaster <postmaster@demo.test>\r
To: {to}\r
Date: Mon, 02 Feb 2026 08:0{number}:00 +0000\r
Subject: Mail {number} of 3 at {store}\r
Message-ID: <{number}.{mailbox}@{store}.demo.test>\r
\r
This is mail {number} in the mailbox {mailbox}, kept by the store "{store}".\r
"""


MASTERS = """\
auth_master_user_separator = *
passdb {{
  driver = passwd-file
  args = {path}
  master = yes
  result_success = continue
}}
"""


def masters(folder, passwords):
    """More configuration, of a store where these (name -> password) may open every mailbox."""
    path = os.path.join(folder, "masters")
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(f"{name}:{{PLAIN}}{password}\n" for name, password in passwords.items()))
    processes.give(path)
    return MASTERS.format(path=path)


class Store:
    def __init__(self, name, folder, security, users, certificate=None, mechanisms="plain login", extra="",
                 trusted="127.0.0.1", port_of=None, address="127.0.0.1", within=None):
        self.name, self.security, self.users = name, security, users
        self.folder = processes.new_folder(folder)
        self.chain, self.key = certificate or ("", "")
        self.mechanisms, self.extra, self.trusted = mechanisms, extra, trusted
        self.address, self.within = address, within
        self.port_of = port_of or dict(zip(("imap", "pop3"), ports.take(2)))
        self.log = os.path.join(folder, "dovecot.log")
        self.process = None
        self.uids = 0

    def listeners(self, protocol):
        """Only the port that belongs to the security is open."""
        plain, implicit = protocol, protocol + "s"
        is_tls = self.security == "tls"
        port = self.port_of[protocol]
        return (f"inet_listener {plain} {{\n    port = {0 if is_tls else port}\n  }}\n"
                f"  inet_listener {implicit} {{\n    port = {port if is_tls else 0}\n    ssl = yes\n  }}")

    def configuration(self):
        tls = NO_TLS if self.security == "none" else TLS.format(ssl="required", chain=self.chain, key=self.key)
        return CONFIGURATION.format(
            here="the test harness", folder=self.folder, user=processes.ACCOUNT.pw_name, group=processes.GROUP,
            uid=processes.ACCOUNT.pw_uid, gid=processes.ACCOUNT.pw_gid, mechanisms=self.mechanisms,
            address=self.address, trusted=self.trusted, imap_listeners=self.listeners("imap"),
            pop3_listeners=self.listeners("pop3"), tls=tls, extra=self.extra)

    def write(self):
        with open(os.path.join(self.folder, "dovecot.conf"), "w", encoding="utf-8") as file:
            file.write(self.configuration())
        with open(os.path.join(self.folder, "users"), "w", encoding="utf-8") as file:
            for name, password in self.users.items():
                # base64, so that a password may hold every byte
                password = password if isinstance(password, bytes) else password.encode()
                key = name.replace("\\", "\\\\")  # as Dovecot escapes what it looks for
                file.write(f"{key}:{{PLAIN.b64}}{base64.b64encode(password).decode()}\n")
        for name in self.users:
            if not os.path.isdir(self.maildir(name)):
                self.fill(name)
        processes.give(self.folder)

    def maildir(self, user):
        return os.path.join(self.folder, "mail", user, "Maildir")

    def fill(self, user):
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.maildir(user), sub))
        for text in self.mails(user):
            self.deliver(user, text)

    def mails(self, user):
        """The three mails that every mailbox starts with."""
        to = user if "@" in user else f"{user}@demo.test"
        return [MAIL.format(to=to, number=number, mailbox=user, store=self.name) for number in (1, 2, 3)]

    def deliver(self, user, text):
        """As a mail server would: written beside, then moved into place."""
        self.uids += 1
        name = f"{1770000000 + self.uids}.M{self.uids}.{self.name}"
        beside = os.path.join(self.maildir(user), "tmp", name)
        with open(beside, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        processes.give(beside)
        os.rename(beside, os.path.join(self.maildir(user), "new", name))

    def start(self):
        self.write()
        program = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if program is None:
            raise processes.Failure("dovecot is not installed; scripts/install-deps installs it")
        self.process = processes.Process([program, "-F", "-c", os.path.join(self.folder, "dovecot.conf")],
                                         os.path.join(self.folder, "output"), within=self.within)
        processes.wait_until(f"the store {self.name} listens (its log: {self.log})", 20, self.listens)
        return self

    def listens(self):
        if not self.process.is_alive():
            raise processes.Failure(f"the store {self.name} ended at once: "
                                    f"{processes.read(os.path.join(self.folder, 'output')).strip()}")
        for port in self.port_of.values():
            try:
                if self.within:
                    self.within.connect(self.address, port, seconds=1).close()
                else:
                    socket.create_connection((self.address, port), 1).close()
            except OSError:
                return False
        return True

    def said(self):
        return processes.read(self.log)

    def logins(self):
        """Lines of this store's own log, one a login that succeeded."""
        return [line for line in self.said().splitlines() if "Login: user=<" in line]

    def ask_to_stop(self):
        if self.process is not None:
            self.process.signal(signal.SIGTERM)

    def kill(self):
        """At once; Dovecot takes a second for a polite end."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def freeze(self, number=signal.SIGSTOP):
        for pid in self.process.members():
            os.kill(pid, number)

    def thaw(self):
        self.freeze(signal.SIGCONT)
