"""Whom Homeward asks about accounts: a file of hashes, a script for nginx's auth_http, a token introspection end point
(RFC 7662), OpenLDAP's slapd. The servers are small, real enough, and remember what they were asked."""
import base64
import contextlib
import ctypes
import hashlib
import http.server
import json
import os
import shutil
import socket
import ssl
import threading
import time
import urllib.parse

from . import ports, processes


CRYPT = ctypes.CDLL("libcrypt.so.1")  # Python's own module of that name is on its way out
CRYPT.crypt.restype = ctypes.c_char_p


def hashed(password, method="$y$j8T$"):
    """As crypt(3) has it; cheap methods, since tests try many."""
    salt = base64.b32encode(os.urandom(10)).decode().lower()[:16]
    if method == "$2b$":
        salt = "04$" + (salt + "......")[:22]
    return CRYPT.crypt(password.encode(), (method + salt + ("" if method == "$2b$" else "$")).encode()).decode()


def passwd_file(path, accounts):
    """accounts: name -> password, or (hash, options)."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        for name, password in accounts.items():
            entry, options = (hashed(password), "") if isinstance(password, str) else password
            file.write(f"{name}:{entry}::::::{options}\n")
    os.chmod(path + ".new", 0o600)
    processes.give(path + ".new")
    os.rename(path + ".new", path)
    return path


def secret_file(path, secret):
    with open(path, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
    os.chmod(path, 0o600)
    processes.give(path)
    return path


class Server:
    """An HTTP server whose every request is answered by answer(self, handler) -> (status, headers, body); in TLS with a
    certificate (chain, key)."""

    def __init__(self, answer, certificate=None, port=None):
        self.asked, self.connections, self.delay, self.open = [], 0, 0, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                server.connections += 1
                server.open.append(self.connection)

            def do_GET(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length).decode()
                server.asked.append((dict(self.headers.items()), body))
                time.sleep(server.delay)
                status, headers, text = answer(self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked may have lost patience
                    self.wfile.write(text.encode())

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.port = port or ports.take()
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.httpd.daemon_threads = True
        self.httpd.handle_error = lambda *_: None  # clients that go away in the middle are part of some tests
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}/auth"

    def close(self):
        """Its kept connections too, or it would go on answering over them."""
        self.httpd.shutdown()
        self.httpd.server_close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def auth_http(accounts, home=None, certificate=None, key=None, port=None):
    """A script as nginx's documentation describes it. accounts: name -> password; home: name -> dict of more headers."""
    def answer(headers, _):
        if key is not None and headers.get("X-Auth-Key") != key:
            return 403, {}, ""
        name, password = (urllib.parse.unquote(headers[each].encode("latin-1").decode()) for each in ("Auth-User", "Auth-Pass"))
        if headers["Auth-Method"] != "plain" or headers["Auth-Protocol"] not in ("imap", "pop3") or not headers["Client-IP"]:
            return 400, {}, ""
        if name == "trouble@demo.test":
            return 200, {"Auth-Status": "Temporary server problem, try again later", "Auth-Error-Code": "451 4.3.0", "Auth-Wait": "3"}, ""
        if accounts.get(name) != password:
            return 200, {"Auth-Status": "Invalid login or password", "Auth-Wait": "3"}, ""
        return 200, {"Auth-Status": "OK", **(home or {}).get(name, {})}, ""
    return Server(answer, certificate, port)


def introspection(tokens, client=("homeward", "s3cret"), certificate=None, port=None):
    """RFC 7662. tokens: token -> claims."""
    def answer(headers, body):
        wanted = "Basic " + base64.b64encode(":".join(urllib.parse.quote(each, safe="") for each in client).encode()).decode()
        if headers.get("Authorization") != wanted:
            return 401, {"WWW-Authenticate": "Basic"}, ""
        token = urllib.parse.parse_qs(body).get("token", [""])[0]
        claims = tokens.get(token)
        return 200, {"Content-Type": "application/json"}, json.dumps({"active": False} if claims is None else {"active": True, **claims})
    return Server(answer, certificate, port)


SCHEMA = """\
dn: cn=mail,cn=schema,cn=config
objectClass: olcSchemaConfig
cn: mail
olcAttributeTypes: ( 1.3.6.1.4.1.99999.1.1 NAME 'mailHost' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
olcAttributeTypes: ( 1.3.6.1.4.1.99999.1.2 NAME 'mailOption' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
olcAttributeTypes: ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
olcAttributeTypes: ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
olcAttributeTypes: ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
olcAttributeTypes: ( 1.2.840.113556.1.4.146 NAME 'objectSid' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
olcAttributeTypes: ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
olcAttributeTypes: ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
olcAttributeTypes: ( 1.2.840.113556.1.4.7000.102.48 NAME 'msExchHomeServerName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
olcAttributeTypes: ( 1.2.840.113556.1.2.244 NAME 'homeMDB' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
olcObjectClasses: ( 1.3.6.1.4.1.99999.2.1 NAME 'mailAccount' SUP top AUXILIARY MAY ( mailHost $ mailOption ) )
olcObjectClasses: ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY ( userPrincipalName $ sAMAccountName $ userAccountControl $ objectSid $ proxyAddresses $ objectCategory $ msExchHomeServerName $ homeMDB ) )
"""

CONFIG = """\
dn: cn=config
objectClass: olcGlobal
cn: config
olcTLSCertificateFile: {chain}
olcTLSCertificateKeyFile: {key}
olcIdleTimeout: 0
olcPidFile: {folder}/pid

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif

include: file:///etc/ldap/schema/cosine.ldif

include: file:///etc/ldap/schema/inetorgperson.ldif

{schema}
dn: olcDatabase=mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: mdb
olcSuffix: dc=demo,dc=test
olcDbDirectory: {folder}/data
olcAccess: to attrs=userPassword by anonymous auth by * none
olcAccess: to * by dn.exact="cn=homeward,dc=demo,dc=test" read by * none
"""


class Slapd:
    """OpenLDAP, rootless. entries: LDIF below dc=demo,dc=test. Ports: ldap and ldaps."""

    def __init__(self, folder, certificate, entries, service_password="service"):
        self.folder = processes.new_folder(folder)
        self.chain, self.key = certificate
        self.port, self.tls_port = ports.take(2)
        self.process = None
        for name in ("data", "config"):
            processes.new_folder(os.path.join(folder, name))
        base = ("dn: dc=demo,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: demo\ndc: demo\n\n"
                "dn: cn=homeward,dc=demo,dc=test\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: homeward\n"
                f"userPassword: {ldap_hash(service_password)}\n\n")
        self.add("config", CONFIG.format(chain=self.chain, key=self.key, folder=folder, schema=SCHEMA), "-n0")
        self.add("data", base + entries, "-bdc=demo,dc=test")

    def add(self, name, text, where):
        path = os.path.join(self.folder, name + ".ldif")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        program = shutil.which("slapadd", path="/usr/sbin:/sbin")
        if program is None:
            raise processes.Failure("slapd is not installed; scripts/install-deps installs it")
        status, output = processes.run([program, where, "-F", os.path.join(self.folder, "config"), "-l", path])
        if status != 0:
            raise processes.Failure(f"slapadd: {output}")

    def add_person(self, entry):
        """LDIF, while it does not run."""
        was_running = self.process is not None
        self.stop()
        self.add("more", entry, "-bdc=demo,dc=test")
        if was_running:
            self.start()

    @property
    def urls(self):
        return f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"  # to libldap, "localhost" has the name of the machine

    def start(self):
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        self.process = processes.Process([shutil.which("slapd", path="/usr/sbin:/sbin"), "-d", "stats", "-F",
                                          os.path.join(self.folder, "config"), "-h", urls],
                                         os.path.join(self.folder, "output"))
        processes.wait_until("slapd listens", 20, self.listens)
        return self

    def said(self):
        """What it was asked: lines such as 'conn=1000 op=1 BIND dn="…"'."""
        return processes.read(os.path.join(self.folder, "output"))

    def listens(self):
        if not self.process.is_alive():
            raise processes.Failure("slapd ended at once: " + self.said())
        return all(ports.is_open(port) for port in (self.port, self.tls_port))

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None


def ldap_hash(password):
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def person(name, password, **more):
    """LDIF of one inetOrgPerson; more: attribute -> value or list."""
    lines = [f"dn: uid={name},dc=demo,dc=test", "objectClass: inetOrgPerson", "objectClass: mailAccount", f"uid: {name}", f"cn: {name}",
             f"sn: {name}", f"mail: {name}@demo.test", f"userPassword: {ldap_hash(password)}"]
    for attribute, values in more.items():
        lines += [f"{attribute}: {value}" for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"


def ad_user(name, password, rid=1100, control=512, **more):
    """The same as Active Directory has it. more: as above."""
    sid = bytes([1, 5, 0, 0, 0, 0, 0, 5]) + b"".join(part.to_bytes(4, "little") for part in (21, 1, 2, 3, rid))
    lines = [f"dn: cn={name},dc=demo,dc=test", "objectClass: user", "objectCategory: person", f"cn: {name}", f"sn: {name}",
             f"sAMAccountName: {name}", f"userAccountControl: {control}", f"objectSid:: {base64.b64encode(sid).decode()}",
             f"userPassword: {ldap_hash(password)}"]
    more.setdefault("userPrincipalName", f"{name}@demo.test")
    for attribute, values in more.items():
        lines += [f"{attribute}: {value}" for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"
