"""On the kernel as it is, inside a user and a network namespace of its own (test_namespaces.py makes them): what must fail
closed needs no ESP. Prints what it saw, as JSON."""
import errno
import imaplib
import json
import os
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
RUN, BINARY = sys.argv[1:]
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
os.environ["HOMEWARD"] = BINARY

import network  # noqa: E402
import wire  # noqa: E402
from harness import homeward, processes  # noqa: E402

LOCAL, PEER, DOOR = "10.9.0.1", "10.9.0.2", 10143
LOCAL6, PEER6 = "fd09::1", "fd09::2"
IP_XFRM_POLICY, CAP_NET_ADMIN = 17, 12
XFRM_POLICY_OUT = 1


def make_network():
    """A wire whose other end answers address questions and nothing else."""
    for line in ("link set lo up", "link add name near type veth peer name far", "link set near up", "link set far up",
                 f"addr add {LOCAL}/24 dev near", f"-6 addr add {LOCAL6}/64 dev near nodad"):
        network.run("ip", *line.split())
    for address in (PEER, PEER6):
        network.run("ip", "neigh", "replace", address, "lladdr", "02:00:00:00:00:02", "dev", "near")


def site(name, host, reqid):
    return {"name": name, "backends": [{"host": host}], "security": "ipsec", "ipsec": {"reqid": reqid}}


def start():
    settings = {"imap": {"listen": [{"address": "127.0.0.1", "port": DOOR, "tls": "none"}], "clear_login": True},
                "auth": {"failure_step_ms": 100},
                "sites": [site("four", PEER, 7), site("six", PEER6, 8)]}
    directory = "four@demo.test four\nsix@demo.test six\n"
    return homeward.Homeward(os.path.join(RUN, "homeward"), settings, directory, privileged=True).start()


def login(user):
    client = imaplib.IMAP4("127.0.0.1", DOOR, 15)
    try:
        client.login(user, "geheim")
        return "accepted"
    except imaplib.IMAP4.error as error:
        return str(error)
    finally:
        client.shutdown()


def sign_in(name, seen):
    started = time.monotonic()
    seen["answers"][name] = login(f"{name}@demo.test")
    seen["seconds"][name] = time.monotonic() - started


def without_capabilities(action):
    """The errno that a child gets which has the descriptor and no capability, as a front has."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        libc = wire._libc
        header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
        result = -1
        if libc.capset(header, none) == 0:
            try:
                action()
                result = 0
            except OSError as error:
                result = error.errno
        os.write(writing, struct.pack("i", result))
        os._exit(0)
    os.close(writing)
    result = struct.unpack("i", os.read(reading, 4))[0]
    os.waitpid(pid, 0)
    return errno.errorcode.get(result, str(result))


def policy():
    """As backends sets one, but for no protocol at all: `struct xfrm_userpolicy_info` without a template."""
    info = bytearray(168)
    struct.pack_into("H", info, 40, socket.AF_INET)
    info[56:120] = b"\xff" * 32 + bytes(32)
    info[160] = XFRM_POLICY_OUT
    return bytes(info)


def capabilities(front):
    found = {}
    for role, pids in front.roles().items():
        for pid in pids:
            text = processes.read(f"/proc/{pid}/status")
            found[role] = {line.split(":")[0]: int(line.split()[1], 16) for line in text.splitlines() if line.startswith("Cap")}
    return found


def main():
    make_network()
    front = start()
    seen = {"capabilities": capabilities(front), "answers": {}, "seconds": {}}
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_XFRM_POLICY, policy())
        seen["set"] = without_capabilities(lambda: sock.setsockopt(socket.IPPROTO_IP, IP_XFRM_POLICY, policy()))
        seen["clear"] = without_capabilities(lambda: sock.setsockopt(socket.IPPROTO_IP, IP_XFRM_POLICY, None, 0))
    recording = wire.Recording((None,), "near")
    waiting = [threading.Thread(target=sign_in, args=(name, seen)) for name in ("four", "six")]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    recording.stop()
    seen["lost"] = recording.lost
    seen["packets"] = [(each.source, each.target, each.protocol) for each in recording.packets
                       if each.target in (PEER, PEER6) or each.is_clear()]
    seen["lines"] = [front.wait_for("login_failed", f"site={name}") for name in ("four", "six")]
    front.process.signal(10)
    seen["status"] = front.wait_for("site", "site=four")
    front.stop()
    print(json.dumps(seen))


main()
