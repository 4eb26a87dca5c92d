"""Twenty users of a Perdition, an nginx and a Dovecot proxy are brought over by what README.md says, and nothing else: each reaches
the store where the real old front end led them."""
import imaplib
import os
import random
import re
import shutil

import pytest

from harness import clients, dovecot, homeward, ports, processes, verifiers

USERS = [f"user{number:02}" for number in range(20)]
DOMAIN = "example.com"


def blocks(heading):
    """The indented blocks under "**heading.**" in the README."""
    text = processes.read(os.path.join(processes.ROOT, "README.md")).split(f"**{heading}.**", 1)[1].split("\n**", 1)[0]
    return ["\n".join(line[4:] for line in block.splitlines()) for block in re.findall(r"(?:^ {4}.*\n)+", text, re.M)]


def run_block(block, folder, *more):
    """The very command; what depends on this machine comes behind it, as a later --security wins."""
    command = block.replace(" > ", " " + " ".join(more) + " > ", 1)
    status, said = processes.run(["sh", "-c", command], cwd=folder,
                                 env={"PATH": os.path.join(processes.ROOT, "scripts") + ":/usr/bin:/bin"})
    assert status == 0, said
    return command


@pytest.fixture
def houses(store):
    """Three Dovecots in clear text on loopback, as an old front end reaches them. Who lives where is chance."""
    def make(name=lambda user: user):
        chance = random.Random(7)
        home = {user: chance.randrange(3) for user in USERS}
        made = [store(f"house{n}", "none", {name(user): f"pw-{user}" for user in USERS if home[user] == n}) for n in range(3)]
        return made, {user: made[n] for user, n in home.items()}
    return make


def store_of(session, user, password):
    """Whose mail is it?"""
    found = re.search(r'kept by the store "(\w+)"', clients.imap_read(session, (user, password)))
    return found.group(1)


def told_by_old(port, users):
    """Where the old front end leads: {user: store}."""
    processes.wait_until("the old front end listens", 15, lambda: ports.is_open(port))
    return {user: store_of(imaplib.IMAP4(clients.HOST, port, timeout=20), user, password) for user, password in users.items()}


def told_by_new(front, authority, folder, users, lines, **settings):
    """The same of Homeward. lines: what the README adds to the configuration."""
    doors = homeward.Doors(authority.ca)
    instance = front({"imap": doors.groups()["imap"], "directory": {"path": os.path.join(folder, "directory.map")}, **settings}, start=False)
    del instance.settings["auth"]
    instance.write()
    with open(instance.file, "a") as file:
        file.write("\n" + lines.replace('"sites.cfg"', f'"{folder}/sites.cfg"') + "\n")
    instance.write = lambda: None
    processes.give(folder)
    instance.start()
    def session():
        return imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=clients.trust(doors), timeout=20)

    found = {user: store_of(session(), user, password) for user, password in users.items()}
    with pytest.raises(clients.Refused):
        store_of(session(), user=next(iter(users)), password="wrong")
    return found


@pytest.fixture
def program(folder):
    """program(argv): an old front end, for this test."""
    made = []

    def start(*argv):
        processes.give(folder)
        made.append(processes.Process(list(argv), os.path.join(folder, "old.log"), cwd=folder))
        return made[-1]

    yield start
    for each in made:
        each.kill()


def needs(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        raise processes.Failure(f"{name} is not installed; scripts/install-deps test installs it")
    return path


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def test_from_perdition(front, authority, houses, folder, program):
    stores, home = houses()
    users = {user: f"pw-{user}" for user in USERS}
    write(folder, "popmap", "# twenty users\n" + "".join(f"{user}:127.0.0.1:{each.port_of['imap']}\n" for user, each in home.items()))
    status, said = processes.run(["sh", "-c", "grep -v '#' popmap | makegdbm popmap.db"], cwd=folder)
    assert status == 0, said
    port = ports.take()
    program(needs("perdition.imap4"), "--no_daemon", "-f", "/dev/null", "--bind_address", "127.0.0.1", "--listen_port", str(port),
            "-M", "libperditiondb_gdbm.so.0", "-m", os.path.join(folder, "popmap.db"), "--log_facility", "-", "--pid_file", "",
            "--username", processes.ACCOUNT.pw_name, "--group", processes.GROUP, "--ssl_mode", "none")
    old = told_by_old(port, users)
    command, lines = blocks("Perdition")
    print(run_block(command, folder, "--security loopback"))
    new = told_by_new(front, authority, folder, users, lines)
    assert new == old == {user: each.name for user, each in home.items()} and len(new) == 20


NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
daemon off;
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
events {{ }}
mail {{
    auth_http {url};
    server {{ listen 127.0.0.1:{port}; protocol imap; imap_auth plain login; }}
}}
"""


def test_from_nginx_with_its_script(front, authority, houses, folder, program):
    stores, home = houses(lambda user: f"{user}@{DOMAIN}")
    users = {f"{user}@{DOMAIN}": f"pw-{user}" for user in USERS}
    script = verifiers.auth_http(users, {f"{user}@{DOMAIN}": {"Auth-Server": "127.0.0.1", "Auth-Port": str(each.port_of["imap"])}
                                         for user, each in home.items()})
    try:
        url, port = f"http://127.0.0.1:{script.port}/auth", ports.take()
        write(folder, "nginx.conf", NGINX.format(folder=folder, url=url, port=port))
        program(needs("nginx"), "-c", os.path.join(folder, "nginx.conf"), "-p", folder, "-e", os.path.join(folder, "error.log"))
        old = told_by_old(port, users)
        asked = len(script.asked)
        write(folder, "directory.map", "# the script says where home is\n")
        auth, directory = blocks("nginx mail")[0].splitlines()
        assert directory.startswith('directory = { path = "directory.map"; };')
        new = told_by_new(front, authority, folder, users, auth.replace("http://127.0.0.1:9000/auth", url),
                          sites=[homeward.site(each, pop3="off") for each in stores])
        assert new == old and len(new) == 20 and len(script.asked) == asked + 21
    finally:
        script.close()


def test_from_a_dovecot_proxy(front, authority, houses, folder):
    """Half of them have another name at the store."""
    inner = {user: f"{user}@{DOMAIN}" if number % 2 else f"old_{user}" for number, user in enumerate(USERS)}
    stores, home = houses(lambda user: inner[user])
    users = {f"{user}@{DOMAIN}": f"pw-{user}" for user in USERS}
    proxy = dovecot.Store("proxy", os.path.join(folder, "proxy"), "none", {})
    proxy.start()
    try:
        lines = "".join(f"{user}@{DOMAIN}:{{PLAIN}}pw-{user}::::::proxy=y host=127.0.0.1 port={home[user].port_of['imap']}"
                        + (f" destuser={inner[user]}" if inner[user] != f"{user}@{DOMAIN}" else "") + "\n" for user in USERS)
        write(folder, "passwd", lines)
        write(proxy.folder, "users", lines)
        processes.give(proxy.folder)
        old = told_by_old(proxy.port_of["imap"], users)
    finally:
        proxy.kill()
    command, = blocks("Dovecot proxy")
    print(run_block(command, folder, "--security loopback"))
    new = told_by_new(front, authority, folder, users, '@include "sites.cfg"')
    assert new == old == {f"{user}@{DOMAIN}": each.name for user, each in home.items()} and len(new) == 20
