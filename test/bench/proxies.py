"""Homeward and its peers as the bench runs them: one worker each, TLS for clients by the same certificate, the same stub store
behind it in clear text on loopback. Each writes what it needs into a folder of its own."""
import os
import resource
import shutil
import subprocess

from harness import homeward, ports, processes

USER = processes.ACCOUNT.pw_name
GROUP = processes.GROUP
FILES = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
CLIENTS = (FILES - 1000) // 2  # two descriptors each


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise processes.Failure(f"{name} is not installed; scripts/install-deps bench installs it")
    return path


def first_line(argv):
    """What a program says of its version."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode("utf-8", "replace").splitlines()[0]


class Proxy:
    """A proxy in its folder; subclasses say what they write and how they are called."""

    name = ""

    def __init__(self, folder, store, certificate):
        self.folder = processes.new_folder(os.path.join(folder, self.name))
        self.store, self.certificate = store, certificate
        self.port = dict(zip(("imap", "pop3"), ports.take(2)))
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self):
        output = os.path.join(self.folder, "output")
        self.process = processes.Process(self.command(), output, cwd=self.folder)
        processes.wait_until(f"{self.name} listens (its output: {output})", 20,
                             lambda: not self.process.is_alive() or not any(map(ports.is_free, self.port.values())))
        if not self.process.is_alive():
            raise processes.Failure(f"{self.name} ended at once: {processes.read(output)[-2000:]}")
        return self

    def pids(self):
        return list(self.process.members())

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None


class Homeward(Proxy):
    name = "homeward"

    def __init__(self, folder, store, certificate, workers=1, spare=0, directory="* north\n"):
        super().__init__(folder, store, certificate)
        self.workers, self.spare, self.directory = workers, spare, directory

    def version(self):
        return first_line([homeward.BINARY, "--version"])

    def start(self):
        chain, key = self.certificate
        settings = {
            **{protocol: {"listen": [{"address": "127.0.0.1", "port": port}]} for protocol, port in self.port.items()},
            "run": {"workers": self.workers, "runtime_dir": "run"},
            "tls": {"certificates": [{"chain": chain, "key": key}], "ca_file": chain},
            "sites": [homeward.site(self.store, spare=self.spare)],
            "limits": {"exempt": ["127.0.0.0/8"], "imap_sessions_per_user": 100000, "pop3_sessions_per_user": 100000},
        }
        self.front = homeward.Homeward(self.folder, settings, self.directory)
        self.front.start()
        return self

    def pids(self):
        return list(self.front.process.members())

    def stop(self):
        self.front.stop()


# auth_http, answered by nginx itself with the store, whoever asks.
NGINX_AUTH = """\
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    map $http_auth_protocol $store {{ imap {imap}; pop3 {pop3}; }}
    server {{
        listen 127.0.0.1:{auth};
        location = /auth {{
            add_header Auth-Status OK;
            add_header Auth-Server 127.0.0.1;
            add_header Auth-Port $store;
            return 204;
        }}
    }}
}}
"""
NGINX = """\
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {files}; multi_accept on; }}
{http}mail {{
    auth_http 127.0.0.1:{auth}/auth;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    timeout 3600s;
    imap_capabilities IMAP4rev1 LITERAL+ SASL-IR IDLE;
    pop3_capabilities USER UIDL TOP PIPELINING;
    server {{ listen 127.0.0.1:{port_imap} ssl; protocol imap; imap_auth plain login; }}
    server {{ listen 127.0.0.1:{port_pop3} ssl; protocol pop3; pop3_auth plain; }}
}}
"""


class Nginx(Proxy):
    """Its mail module, with auth_http answered by itself: no peer is asked over a network."""

    name = "nginx"

    def version(self):
        return first_line([program("nginx"), "-v"]).removeprefix("nginx version: ")

    def command(self):
        chain, key = self.certificate
        auth = ports.take()
        path = self.write("nginx.conf", NGINX.format(
            http=NGINX_AUTH.format(folder=self.folder, auth=auth, **self.store.port_of), files=FILES, folder=self.folder, auth=auth,
            chain=chain, key=key, port_imap=self.port["imap"], port_pop3=self.port["pop3"]))
        return [program("nginx"), "-c", path, "-p", self.folder, "-e", os.path.join(self.folder, "error.log")]


HAPROXY = """\
global
    nbthread 1
    maxconn {clients}
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen imap
    bind 127.0.0.1:{port_imap} ssl crt {pair}
    server store 127.0.0.1:{imap}
listen pop3
    bind 127.0.0.1:{port_pop3} ssl crt {pair}
    server store 127.0.0.1:{pop3}
"""


class Haproxy(Proxy):
    """TLS to TCP: it knows no mail and looks nobody up. It is what passing bytes on costs."""

    name = "haproxy"

    def version(self):
        return first_line([program("haproxy"), "-v"]).split(" 20")[0]

    def command(self):
        pair = self.write("pair.pem", "".join(processes.read(path) for path in self.certificate))
        os.chmod(pair, 0o600)
        processes.give(self.folder)
        path = self.write("haproxy.cfg", HAPROXY.format(pair=pair, clients=CLIENTS, port_imap=self.port["imap"], port_pop3=self.port["pop3"],
                                                        **self.store.port_of))
        return [program("haproxy"), "-db", "-f", path]


# Everybody is admitted and sent to the store.
DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/error.log
protocols = imap pop3
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_vsz_limit = 0
ssl_cert = <{chain}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
passdb {{
  driver = static
  args = proxy=y host=127.0.0.1 nopassword=y
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home=/nowhere
}}
protocol imap {{
  passdb {{
    driver = static
    args = proxy=y host=127.0.0.1 port={imap} nopassword=y
  }}
}}
protocol pop3 {{
  passdb {{
    driver = static
    args = proxy=y host=127.0.0.1 port={pop3} nopassword=y
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
# One process for all logins of a protocol. clear=0: no such port.
DOVECOT_LOGIN = """\
service {protocol}-login {{
  chroot =
  service_count = 0
  process_limit = 1
  process_min_avail = 1
  inet_listener {protocol} {{
    port = {clear}
  }}
  inet_listener {protocol}s {{
    port = {tls}
    ssl = yes
  }}
}}
"""


class Dovecot(Proxy):
    """Its proxy, in high-performance mode: one login process for each protocol."""

    name = "dovecot"

    def version(self):
        return "dovecot " + first_line([program("dovecot"), "--version"])

    def command(self):
        chain, key = self.certificate
        text = DOVECOT.format(folder=self.folder, user=USER, group=GROUP, chain=chain, key=key, **self.store.port_of)
        text += f"ssl = required\ndefault_client_limit = {CLIENTS}\n"
        text += "".join(DOVECOT_LOGIN.format(protocol=protocol, clear=0, tls=port) for protocol, port in self.port.items())
        return [program("dovecot"), "-F", "-c", self.write("dovecot.conf", text)]


ALL = {kind.name: kind for kind in (Homeward, Nginx, Haproxy, Dovecot)}
