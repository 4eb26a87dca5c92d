"""Two network namespaces joined by a wire: "front", where Homeward lives, and "store", where all mail stores do, each
under an address of its own so that no case disturbs another. Security associations are set by hand at both ends."""
import subprocess

FRONT4, FRONT6 = "10.9.0.1", "fd09::1"
FRONT, STORE = "front", "store"
WIRE = "wire"  # the interface, at both ends

# What an association seals with, as ip-xfrm(8) says it.
KEY = "0x" + "".join(f"{n:02x}" for n in range(1, 65))


def key(octets):
    return KEY[:2 + 2 * octets]


ALGORITHMS = {
    "gcm": ["aead", "rfc4106(gcm(aes))", key(20), "128"],
    "cbc": ["enc", "cbc(aes)", key(16), "auth-trunc", "hmac(sha256)", key(32), "128"],
    "3des": ["enc", "cbc(des3_ede)", key(24), "auth-trunc", "hmac(sha1)", key(20), "96"],
    "des": ["enc", "cbc(des)", key(8), "auth-trunc", "hmac(sha1)", key(20), "96"],
    "null": ["enc", "ecb(cipher_null)", "", "auth-trunc", "hmac(sha256)", key(32), "128"],
    "gmac": ["aead", "rfc4543(gcm(aes))", key(20), "128"],
    "ah": ["auth-trunc", "hmac(sha256)", key(32), "128"],
    "unproved": ["enc", "cbc(aes)", key(16)],
}


def run(*argv, namespace=None, check=True, given=None):
    if namespace:
        argv = ("ip", "netns", "exec", namespace) + argv
    done = subprocess.run(argv, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout.strip()} {given or ''}")
    return done.stdout


def ip(namespace, *lines, check=True):
    """Commands of ip(8), all in one go."""
    quoted = [" ".join(f'"{word}"' if word == "" or "(" in word else word for word in line) for line in lines]
    return run("ip", "-n", namespace, "-batch", "-", given="\n".join(quoted) + "\n", check=check)


def make(addresses):
    for namespace in (FRONT, STORE):
        run("ip", "netns", "add", namespace)
    run("ip", "link", "add", WIRE, "netns", FRONT, "type", "veth", "peer", "name", WIRE, "netns", STORE)
    own = {FRONT: [FRONT4, FRONT6], STORE: addresses}
    for namespace, list_ in own.items():
        ip(namespace, ["link", "set", "lo", "up"], ["link", "set", WIRE, "up"],
           *(["addr", "add", address + ("/64" if ":" in address else "/16"), "dev", WIRE]
             + (["nodad"] if ":" in address else []) for address in list_))
    # The stores are nobody's, and listen where stores do.
    run("sysctl", "-q", "net.ipv4.ip_unprivileged_port_start=0", namespace=STORE)


class Pair:
    """The associations between Homeward and one address of a store."""

    def __init__(self, peer, reqid, mode="transport", protocol="esp"):
        self.peer, self.reqid, self.mode, self.protocol = peer, reqid, mode, protocol
        self.local = FRONT6 if ":" in peer else FRONT4
        self.generation = 0
        self.limits = []

    def spi(self, out):
        return hex(0x10000 * (self.generation + 1) + self.reqid * 16 + (1 if out else 2))

    def state(self, out, verb, algorithm=None):
        ends = (self.local, self.peer) if out else (self.peer, self.local)
        line = ["xfrm", "state", verb, "src", ends[0], "dst", ends[1], "proto", self.protocol, "spi", self.spi(out)]
        if verb != "add":
            return line
        return line + ["reqid", str(self.reqid), "mode", self.mode] + algorithm

    def add(self, algorithm="gcm", ends=(STORE, FRONT)):
        """Both directions, at both ends: the store's first, as if it had answered the proposal."""
        words = ALGORITHMS[algorithm] + self.limits
        for namespace in ends:
            ip(namespace, *(self.state(out, "add", words) for out in (False, True)))
        return self

    def drop(self, ends=(FRONT, STORE), check=True):
        for namespace in ends:
            ip(namespace, *(self.state(out, "delete") for out in (True, False)), check=check)
        self.generation += 1  # an SPI is not used twice
        return self

    def policy(self, verb, out=True):
        """Of the store's side."""
        ends = ["src", self.peer, "dst", self.local] if out else ["src", self.local, "dst", self.peer]
        line = ["xfrm", "policy", verb, *ends, "dir", "out" if out else "in"]
        if verb == "add":
            line += ["tmpl"] + (ends if self.mode == "tunnel" else []) + [
                "proto", self.protocol, "reqid", str(self.reqid), "mode", self.mode]
        return line

    def answer_sealed(self):
        """The store's side has a policy of its own: it answers inside the association."""
        ip(STORE, self.policy("add"))
        if self.mode == "tunnel":  # what comes out of a tunnel is not taken without
            ip(STORE, self.policy("add", False))
        return self

    def answer_clear(self):
        ip(STORE, self.policy("delete"))
        return self


def statistics(namespace):
    """/proc/net/xfrm_stat"""
    text = run("cat", "/proc/net/xfrm_stat", namespace=namespace)
    return {name: int(number) for name, number in map(str.split, text.splitlines())}
