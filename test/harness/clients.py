"""Real mail programs, each made to read a whole mailbox through Homeward.

Every function takes the doors (ports and CA), an account (name, password) and a folder to work in, and returns what the
program fetched, as one text. One that was refused raises Refused, with what the program said."""
import imaplib
import os
import poplib
import re
import ssl

from . import processes

HOST = "localhost"


class Refused(Exception):
    """The program could not read the mailbox; its own words."""


def _run(argv, folder, **environment):
    status, output = processes.run(argv, cwd=folder, env={
        "PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C.UTF-8", **environment})
    if status != 0:
        raise Refused(f"exit status {status}: {output.strip()[-400:]}")
    return output


def _write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o600)
    processes.give(path)
    return path


def _files(folder):
    """All that was stored below a folder, one behind the other."""
    return "".join(processes.read(os.path.join(where, name)) for where, _, names in sorted(os.walk(folder))
                   for name in sorted(names))


def _curl(doors, account, folder, urls, *options):
    user = _write(folder, "curlrc", "user = \"%s:%s\"\n" % tuple(
        each.replace("\\", "\\\\").replace('"', '\\"') for each in account))
    return _run(["curl", "-q", "--silent", "--show-error", "--max-time", "30", "--cacert", doors.ca, "--config", user, *options, *urls],
                folder)


def curl_imaps(doors, account, folder):
    return _curl(doors, account, folder, [f"imaps://{HOST}:{doors.port['imaps']}/INBOX;MAILINDEX={n}" for n in (1, 2, 3)])


def curl_imap_starttls(doors, account, folder):
    return _curl(doors, account, folder, [f"imap://{HOST}:{doors.port['imap']}/INBOX;MAILINDEX={n}" for n in (1, 2, 3)],
                 "--ssl-reqd")


def curl_pop3s(doors, account, folder):
    return _curl(doors, account, folder, [f"pop3s://{HOST}:{doors.port['pop3s']}/{n}" for n in (1, 2, 3)])


def curl_pop3_stls(doors, account, folder):
    return _curl(doors, account, folder, [f"pop3://{HOST}:{doors.port['pop3']}/{n}" for n in (1, 2, 3)], "--ssl-reqd")


def trust(doors):
    return ssl.create_default_context(cafile=doors.ca)


def imap_read(session, account):
    try:
        session.login(*account)
        session.select(readonly=True)
        _, parts = session.fetch("1:*", "(BODY.PEEK[])")
        session.logout()
    except imaplib.IMAP4.error as error:
        raise Refused(str(error)) from None
    return "".join(part[1].decode() for part in parts if isinstance(part, tuple))


def python_imaplib_tls(doors, account, _):
    return imap_read(imaplib.IMAP4_SSL(HOST, doors.port["imaps"], ssl_context=trust(doors), timeout=30), account)


def python_imaplib_starttls(doors, account, _):
    session = imaplib.IMAP4(HOST, doors.port["imap"], timeout=30)
    session.starttls(trust(doors))
    return imap_read(session, account)


def pop3_read(session, account):
    try:
        session.user(account[0])
        session.pass_(account[1])
        count, _ = session.stat()
        text = b"".join(line + b"\n" for n in range(count) for line in session.retr(n + 1)[1]).decode()
        session.quit()
    except poplib.error_proto as error:
        raise Refused(str(error)) from None
    return text


def python_poplib_tls(doors, account, _):
    return pop3_read(poplib.POP3_SSL(HOST, doors.port["pop3s"], context=trust(doors), timeout=30), account)


def python_poplib_stls(doors, account, _):
    session = poplib.POP3(HOST, doors.port["pop3"], timeout=30)
    session.stls(trust(doors))
    return pop3_read(session, account)


def _curl_by(mechanism, protocol):
    """Its last word is the password or the token."""
    def read(doors, account, folder):
        name, secret = account
        options = ["--login-options", f"AUTH={mechanism}"]
        if mechanism in BEARER:
            options += ["--config", _write(folder, "bearer", f'oauth2-bearer = "{secret}"\n')]
        what = "INBOX;MAILINDEX=" if protocol == "imap" else ""
        return _curl(doors, (name, "" if mechanism in BEARER else secret), folder,
                     [f"{protocol}s://{HOST}:{doors.port[protocol + 's']}/{what}{n}" for n in (1, 2, 3)], *options)
    return read


def _mbsync(doors, account, folder, port, kind, *more):
    more = "\n".join(more)
    config = _write(folder, "mbsyncrc", f"""\
IMAPAccount homeward
Host {HOST}
Port {doors.port[port]}
User "{account[0]}"
Pass "{account[1]}"
SSLType {kind}
SystemCertificates no
CertificateFile {doors.ca}
{more}

IMAPStore far
Account homeward

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
""")
    processes.new_folder(os.path.join(folder, "mail"))
    _run(["mbsync", "-c", config, "all"], folder)
    return _files(os.path.join(folder, "mail"))


def mbsync_imaps(doors, account, folder):
    return _mbsync(doors, account, folder, "imaps", "IMAPS")


def mbsync_starttls(doors, account, folder):
    return _mbsync(doors, account, folder, "imap", "STARTTLS")


def _mbsync_by(mechanism):
    return lambda doors, account, folder: _mbsync(doors, account, folder, "imaps", "IMAPS", f"AuthMechs {mechanism}")


def _fetchmail(doors, account, folder, protocol, port, tls):
    """One run, all mail into a file; nothing is deleted."""
    config = _write(folder, "fetchmailrc", f"""\
poll {HOST} protocol {protocol} port {doors.port[port]}
  user "{account[0]}" password "{account[1]}" is "me" here
  {tls} sslcertck sslcertfile "{doors.ca}"
  keep fetchall
  mda "/bin/sh -c 'cat >>{folder}/mail'"
""")
    _run(["fetchmail", "--fetchmailrc", config, "--nodetach", "--nosyslog", "--pidfile", f"{folder}/pid", "--idfile", f"{folder}/ids"],
         folder, FETCHMAILHOME=folder, USER=processes.ACCOUNT.pw_name)
    return processes.read(os.path.join(folder, "mail"))


def fetchmail_imaps(doors, account, folder):
    return _fetchmail(doors, account, folder, "IMAP", "imaps", "ssl")


def fetchmail_imap_starttls(doors, account, folder):
    return _fetchmail(doors, account, folder, "IMAP", "imap", "sslproto \"TLS1.2+\"")


def fetchmail_pop3s(doors, account, folder):
    return _fetchmail(doors, account, folder, "POP3", "pop3s", "ssl")


def fetchmail_pop3_stls(doors, account, folder):
    return _fetchmail(doors, account, folder, "POP3", "pop3", "sslproto \"TLS1.2+\"")


# It waits in vain for a child that has ended before it began to wait for it, as happens on a busy machine: its children take a moment.
GETMAIL = """
import os, runpy, shutil, time
fork = os.fork
os.fork = lambda: fork() or time.sleep(0.1) or 0
runpy.run_path(shutil.which("getmail"), run_name="__main__")
"""


def _getmail(doors, account, folder, kind, port):
    config = _write(folder, "getmailrc", f"""\
[retriever]
type = {kind}
server = {HOST}
port = {doors.port[port]}
username = {account[0]}
password = {account[1]}
ca_certs = {doors.ca}
timeout = 30
[destination]
type = Maildir
path = {folder}/mail/
[options]
verbose = 0
read_all = true
delete = false
""")
    for each in ("mail", "mail/cur", "mail/new", "mail/tmp"):
        processes.new_folder(os.path.join(folder, each))
    _run(["/usr/bin/python3", "-c", GETMAIL, f"--getmaildir={folder}", f"--rcfile={config}"], folder)
    return _files(os.path.join(folder, "mail"))


def getmail_imaps(doors, account, folder):
    return _getmail(doors, account, folder, "SimpleIMAPSSLRetriever", "imaps")


def getmail_pop3s(doors, account, folder):
    return _getmail(doors, account, folder, "SimplePOP3SSLRetriever", "pop3s")


def _mpop(doors, account, folder, port, starttls, mechanism="user"):
    config = _write(folder, "mpoprc", f"""\
defaults
tls on
tls_starttls {starttls}
tls_trust_file {doors.ca}
timeout 30
keep on
uidls_file {folder}/uidls
delivery mbox {folder}/mail
account homeward
host {HOST}
port {doors.port[port]}
user {account[0]}
password {account[1]}
auth {mechanism}
""")
    _run(["mpop", f"--file={config}", "--quiet", "homeward"], folder)
    return processes.read(os.path.join(folder, "mail"))


def mpop_pop3s(doors, account, folder):
    return _mpop(doors, account, folder, "pop3s", "off")


def mpop_pop3_stls(doors, account, folder):
    return _mpop(doors, account, folder, "pop3", "on")


def _mpop_by(mechanism):
    return lambda doors, account, folder: _mpop(doors, account, folder, "pop3s", "off", mechanism.lower())


CLIENTS = {
    "curl, imaps": curl_imaps,
    "curl, IMAP with STARTTLS": curl_imap_starttls,
    "curl, pop3s": curl_pop3s,
    "curl, POP3 with STLS": curl_pop3_stls,
    "Python imaplib, imaps": python_imaplib_tls,
    "Python imaplib, STARTTLS": python_imaplib_starttls,
    "Python poplib, pop3s": python_poplib_tls,
    "Python poplib, STLS": python_poplib_stls,
    "mbsync, imaps": mbsync_imaps,
    "mbsync, STARTTLS": mbsync_starttls,
    "fetchmail, imaps": fetchmail_imaps,
    "fetchmail, IMAP with STARTTLS": fetchmail_imap_starttls,
    "fetchmail, pop3s": fetchmail_pop3s,
    "fetchmail, POP3 with STLS": fetchmail_pop3_stls,
    "getmail, imaps": getmail_imaps,
    "getmail, pop3s": getmail_pop3s,
    "mpop, pop3s": mpop_pop3s,
    "mpop, POP3 with STLS": mpop_pop3_stls,
}

BEARER = ("XOAUTH2", "OAUTHBEARER")
# (program, mechanism) -> how it reads with it; an account's secret is its password, or its token. curl takes OAUTHBEARER
# wherever both are offered, fetchmail has LOGIN and USER alone, mbsync no OAUTHBEARER.
BY_MECHANISM = {
    **{(f"curl, {protocol}", mechanism): _curl_by(mechanism, protocol) for protocol in ("imap", "pop3") for mechanism in ("PLAIN", "LOGIN", "OAUTHBEARER")},
    **{("mpop", mechanism): _mpop_by(mechanism) for mechanism in ("USER", "PLAIN", "LOGIN", *BEARER)},
    **{("mbsync", mechanism): _mbsync_by(mechanism) for mechanism in ("PLAIN", "LOGIN", "XOAUTH2")},
    ("fetchmail, imap", "LOGIN"): fetchmail_imaps,
    ("fetchmail, pop3", "USER"): fetchmail_pop3s,
}

MAIL = re.compile(r'This is mail (\d) in the mailbox (\S+), kept by the store "(\w+)"')


def mails_in(text):
    """The demo's mails in a text, as a sorted list of (number, mailbox, store)."""
    return sorted(set(MAIL.findall(text)))
