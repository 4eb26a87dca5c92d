"""Two strongSwan daemons, one in each namespace, with files of their own: IKEv2, a shared key, a trap policy, the reqid
pinned."""
import os
import re
import shutil
import subprocess

from harness import processes

import network
from network import FRONT, STORE

CONF = """\
charon-systemd {{
  load = random nonce aes sha1 sha2 hmac kdf gmp xcbc drbg pem x509 pubkey constraints kernel-netlink socket-default vici
  install_routes = no
  retransmit_timeout = 1
  plugins {{
    vici {{
      socket = unix://{folder}/charon-{name}.vici
    }}
  }}
  filelog {{
    all {{
      path = {folder}/charon-{name}.log
      default = 1
      flush_line = yes
    }}
  }}
}}
"""

SWANCTL = """\
connections {{
  mail {{
    version = {version}
    local_addrs = {local}
    remote_addrs = {peer}
    proposals = aes128-{hash}-modp1024
    local {{
      auth = psk
      id = {local}
    }}
    remote {{
      auth = psk
      id = {peer}
    }}
    children {{
      mail {{
        mode = transport
        reqid = {reqid}
        esp_proposals = {esp}
        start_action = trap
      }}
    }}
  }}
}}
secrets {{
  ike-mail {{
    id-1 = {local}
    id-2 = {peer}
    secret = "shared by the two daemons"
  }}
}}
"""


class Daemon:
    def __init__(self, name, folder, local, peer, **more):
        self.name = name
        self.files = os.path.join(folder, "charon-" + name)
        self.socket = f"unix://{folder}/charon-{name}.vici"
        os.makedirs(self.files, exist_ok=True)
        self.environment = {**os.environ, "STRONGSWAN_CONF": os.path.join(self.files, "strongswan.conf"),
                            "SWANCTL_DIR": self.files}
        values = {"name": name, "folder": folder, "local": local, "peer": peer, **more}
        for file, text in (("strongswan.conf", CONF), ("swanctl.conf", SWANCTL)):
            with open(os.path.join(self.files, file), "w", encoding="utf-8") as out:
                out.write(text.format(**values))
        self.process = None

    def start(self):
        program = shutil.which("charon-systemd")
        self.process = processes.Process(["nsenter", f"--net=/run/netns/{self.name}", program], self.files + "/output",
                                         env=self.environment, privileged=True)

    def swanctl(self, *words):
        done = subprocess.run(["swanctl", *words, "--uri", self.socket], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def load(self):
        processes.wait_until(f"charon {self.name} takes its configuration", 10,
                             lambda: self.swanctl("--load-all", "--noprompt")[0] == 0)


class Pair:
    def __init__(self, folder, front, store, reqid, version=2, hash="sha256", esp="aes128-sha256"):
        more = {"reqid": reqid, "version": version, "hash": hash, "esp": esp}
        self.front = Daemon(FRONT, folder, front, store, **more)
        self.store = Daemon(STORE, folder, store, front, **more)
        self.reqid = reqid

    def start(self):
        for daemon in (self.front, self.store):
            daemon.start()
        for daemon in (self.front, self.store):
            daemon.load()

    def rekey(self):
        status, said = self.front.swanctl("--rekey", "--child", "mail")
        if status != 0:
            raise processes.Failure("swanctl --rekey: " + said)

    def associations(self):
        """SPIs of the reqid, as the kernel in front has them."""
        states = network.ip(FRONT, ["xfrm", "state"])
        return set(re.findall(rf"spi (0x[0-9a-f]+) reqid {self.reqid} ", states.replace("(", " ")))

    def kill(self):
        for daemon in (self.front, self.store):
            if daemon.process is not None:
                daemon.process.kill()
                daemon.process = None
