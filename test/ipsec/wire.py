"""The wire between the two namespaces: every frame on it, as the kernels put it there."""
import ctypes
import os
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 6, 33
ESP, TCP, UDP, HOP_BY_HOP, ICMP6, IGMP = 50, 6, 17, 0, 58, 2
IKE = (500, 4500)
RST, ACK = 4, 16
TIME_WAIT = 6  # include/net/tcp_states.h
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


class inside:
    """with inside("store"): sockets and child processes of this thread belong to that namespace; None: where it is."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        if self.name is None:
            return
        self.back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        self.enter(there)
        os.close(there)

    def __exit__(self, *_):
        if self.name is None:
            return
        self.enter(self.back)
        os.close(self.back)

    @staticmethod
    def enter(descriptor):
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Packet:
    """One frame: source and destination address, protocol, ports where it has any, and all its bytes."""

    def __init__(self, frame, at):
        self.frame, self.at = frame, at
        self.source = self.target = None
        self.protocol = self.ports = None
        self.payload, self.flags = b"", 0  # of TCP
        self.is_nobodys = False  # no socket sent it, so no policy of one held for it
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == 0x0800:
            head = 14 + (frame[14] & 15) * 4
            self.source, self.target = (socket.inet_ntop(socket.AF_INET, frame[n:n + 4]) for n in (26, 30))
            self.protocol = frame[23]
        elif kind == 0x86DD:
            head = 54
            self.source, self.target = (socket.inet_ntop(socket.AF_INET6, frame[n:n + 16]) for n in (22, 38))
            self.protocol = frame[20]
        if self.protocol in (TCP, UDP) and len(frame) >= head + 4:
            self.ports = struct.unpack_from("!HH", frame, head)
        if self.protocol == TCP and len(frame) >= head + 20:
            self.flags = frame[head + 13]
            self.payload = frame[head + (frame[head + 12] >> 4) * 4:]

    def __str__(self):
        return f"{self.source} > {self.target} {self.protocol} {self.ports} flags {self.flags:#x}, {len(self.payload)} bytes"

    def is_empty(self, flags):
        return self.protocol == TCP and self.flags == flags and not self.payload

    def is_clear(self):
        """Not ESP, and not what a network needs to run: address resolution, multicast, IKE."""
        if self.protocol in (None, ESP, HOP_BY_HOP, ICMP6, IGMP):
            return False
        return not (self.protocol == UDP and any(port in IKE for port in self.ports))


def in_time_wait():
    """(own port, peer's) of the connections of this thread's namespace that are over but for what may come late."""
    found = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        found |= {tuple(int(end.split(":")[1], 16) for end in row[1:3]) for row in rows if int(row[3], 16) == TIME_WAIT}
    return found


class Recording:
    """All frames on the wire until stop(): what each end sends. (What an end receives its kernel may show again after it
    has opened it, and that was never on the wire.)"""

    def __init__(self, namespaces, interface):
        self.packets, self.lost, self.stopping = [], 0, False
        self.quiet_at = 0
        self.sockets = {}  # and the namespace of each
        for namespace in namespaces:
            with inside(namespace):
                self.sockets[self.open(interface)] = namespace
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def open(interface):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        except PermissionError:  # in a user namespace; what does not fit is counted as lost
            pass
        sock.bind((interface, ETH_P_ALL))
        return sock

    def run(self):
        while True:
            ready = select.select(list(self.sockets), [], [], 0.02)[0]
            if not ready:
                self.quiet_at = time.monotonic()
                if self.stopping:
                    return
            for sock in ready:
                frame, (_, _, kind, *_) = sock.recvfrom(65536)
                if kind == socket.PACKET_OUTGOING:
                    self.packets.append(self.judged(Packet(frame, time.time()), self.sockets[sock]))

    @staticmethod
    def judged(packet, namespace):
        """What a kernel answers by itself: a reset where there is no connection, and to a FIN that came again, when the
        connection is over, the same acknowledgement once more."""
        if packet.is_empty(ACK):
            with inside(namespace):
                packet.is_nobodys = packet.ports in in_time_wait()
        else:
            packet.is_nobodys = packet.is_empty(RST)
        return packet

    def seen(self):
        """All packets up to now: nothing waits to be taken from the sockets."""
        now = time.monotonic()
        while self.thread.is_alive() and self.quiet_at < now:
            time.sleep(0.01)
        return list(self.packets)

    def stop(self):
        self.stopping = True
        self.thread.join()
        for sock in self.sockets:
            _, lost = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            self.lost += lost
            sock.close()
        return self

    def clear_from(self, source):
        return [each for each in self.seen() if each.source == source and each.is_clear()]

    def esp_from(self, source):
        return [each for each in self.seen() if each.source == source and each.protocol == ESP]

    def holds(self, secret):
        """Also split over packets: what one side sent, behind each other."""
        streams = {}
        for each in self.seen():
            if secret in each.frame:
                return True
            streams.setdefault((each.source, each.target, each.ports), bytearray()).extend(each.payload)
        return any(secret in stream for stream in streams.values())

    def save(self, path):
        """As tcpdump -r reads it."""
        with open(path, "wb") as file:
            file.write(struct.pack("IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for each in self.packets:
                file.write(struct.pack("IIII", int(each.at), int(each.at % 1 * 1e6), len(each.frame), len(each.frame)))
                file.write(each.frame)
