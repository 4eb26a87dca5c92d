"""Throw-away certificates, made by scripts/certificates; the odd ones that only tests need are made here."""
import os
import subprocess

from . import processes

LOOPBACK = "DNS:localhost,IP:127.0.0.1,IP:::1"


class Authority:
    """A CA in a folder. leaf() gives the paths of a certificate and its key, made on first use."""

    def __init__(self, folder, name="Throw-away CA"):
        self.folder = processes.new_folder(folder)
        self.name = name
        self.ca = os.path.join(folder, "ca.crt")
        self.leaf("mail")  # with the first leaf comes the CA

    def leaf(self, name, names=LOOPBACK, days=30):
        chain, key = (os.path.join(self.folder, f"{name}.{end}") for end in ("crt", "key"))
        if not os.path.exists(chain):
            script = os.path.join(processes.ROOT, "scripts", "certificates")
            subprocess.run([script, self.folder, f"{name}={names}"], check=True, stdin=subprocess.DEVNULL,
                           env={**os.environ, "DAYS": str(days), "CA_NAME": self.name})
            processes.give(self.folder)
        return chain, key

    def self_signed(self, name, subject="localhost", names=LOOPBACK):
        """No CA behind it. names=None: the name stands in the subject only."""
        chain, key = (os.path.join(self.folder, f"{name}.{end}") for end in ("crt", "key"))
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", chain, "-days", "30", "-subj", f"/CN={subject}"]
        subprocess.run(argv + (["-addext", f"subjectAltName={names}"] if names else []), check=True,
                       stderr=subprocess.DEVNULL)
        processes.give(self.folder)
        return chain, key
