"""Relays runs of datagrams between network namespaces and reads what arrives off the cable.

usage: runs.py PREFIX_OF_THE_NAMESPACES
"""

import ctypes
import fcntl
import os
import socket
import struct
import time
import urllib.request

from spaces import check, inside, udp
from turn_client import Client

V4, V6 = 4, 6
SERVER = {V4: "8.8.1.1", V6: "2606:4700:1::1"}
PEER = {V4: "8.8.3.2", V6: "2606:4700:3::2"}
PORT, METRICS, PEER_PORT = 3478, 9641, 5000
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
COUNT = 10


class Wire:
    """The UDP packets that come in by a device."""

    def __init__(self, name, device):
        with inside(name):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind((device, 3))
        self.socket.settimeout(2)

    def packets(self, port):
        """Those to this port, until there are no more."""
        found = []
        while True:
            try:
                packet, (_, _, direction, *_) = self.socket.recvfrom(65535)
            except TimeoutError:
                return found
            v4 = packet[0] >> 4 == V4
            at = 20 if v4 else 40
            is_udp = packet[9 if v4 else 6] == socket.IPPROTO_UDP
            if direction != socket.PACKET_OUTGOING and is_udp and struct.unpack_from("!H", packet, at + 2)[0] == port:
                found.append(packet)


def identification(packet):
    return struct.unpack_from("!H", packet, 4)[0]


def has_right_checksum(packet):
    v4 = packet[0] >> 4 == V4
    addresses, datagram = (packet[12:20], packet[20:]) if v4 else (packet[8:40], packet[40:])
    length = struct.unpack_from("!H", datagram, 4)[0]
    covered = addresses + struct.pack("!HH", socket.IPPROTO_UDP, length) + datagram[:length] + bytes(length % 2)
    total = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF and struct.unpack_from("!H", datagram, 6)[0] != 0


def checksum_here(name, device):
    """Has a device checksum and cut what it sends, as a card without offloads does."""
    with inside(name):
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    value = bytearray(struct.pack("II", ETHTOOL_STXCSUM, 0))
    address = (ctypes.c_char * len(value)).from_buffer(value)
    fcntl.ioctl(asking, SIOCETHTOOL, struct.pack("16sP8x", device.encode(), ctypes.addressof(address)))


def send_run(sender, datagrams, *to):
    """Sends datagrams of a length in one piece."""
    segment = [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", len(datagrams[0])))]
    sender.sendmsg([b"".join(datagrams)], segment, 0, *to)


def receive_all(count, receive):
    """As many as come of that many."""
    received = []
    while len(received) < count:
        try:
            received.append(receive())
        except TimeoutError:
            break
    return received


def payloads(length):
    return [os.urandom(length) for _ in range(COUNT)]


def channel(payload):
    return struct.pack("!HH", 0x4000, len(payload)) + payload


class Counted:
    """What happened to runs since the last time somebody asked."""

    def __init__(self):
        self.before = self.now()

    def now(self):
        time.sleep(0.3)
        with inside("server"):
            page = urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics").read().decode()
        lines = [line.split('"') for line in page.splitlines() if line.startswith("turn_datagram_runs_total{")]
        return {name: int(value[2:]) for _, name, value in lines}

    def since(self):
        before, self.before = self.before, self.now()
        return {name: value - before[name] for name, value in self.before.items() if value != before[name]}


def client(at):
    with inside("client"):
        made = Client((SERVER[at], PORT), "alice", "wonderland")
    made.allocate(family=1 if at == V4 else 2)
    made.bind_channel(0x4000, (PEER[at], PEER_PORT))
    made.socket.settimeout(2)
    return made


def a_run_stays_in_one_piece(family, counted):
    here, peer, sent = client(family), peers[family], payloads(1200)
    peer.setsockopt(SOL_UDP, UDP_GRO, 1)
    counted.since()
    send_run(here.socket, [channel(payload) for payload in sent])
    got, messages, _, _ = peer.recvmsg(65535, 100)
    told = [struct.unpack("=i", value)[0] for level, kind, value in messages if (level, kind) == (SOL_UDP, UDP_GRO)]
    peer.setsockopt(SOL_UDP, UDP_GRO, 0)
    check(f"over IPv{family} a run reaches the peer in one piece", (got == b"".join(sent), told), (True, [1200]))
    check("and was one for the server, coming and going", counted.since(), {"received": 1, "sent": 1})


def every_datagram_is_whole(family, counted):
    here, peer, wire = client(family), peers[family], Wire("peer", "p0")
    relayed, sent = here.relayed, payloads(1200)
    counted.since()
    send_run(here.socket, [channel(payload) for payload in sent[:-1]] + [channel(sent[-1][:5])])
    expected = sent[:-1] + [sent[-1][:5]]
    check(f"over IPv{family} the datagrams of a run arrive in order", receive_all(COUNT, lambda: peer.recv(2000)) == expected, True)
    packets = wire.packets(PEER_PORT)
    check("each with a right checksum on the cable", [has_right_checksum(packet) for packet in packets], [True] * COUNT)
    send_run(peer, sent, relayed)
    back = receive_all(COUNT, lambda: here.socket.recv(2000))
    check("and those of one that comes back", back == [channel(payload) for payload in sent], True)
    check("these were runs, too", counted.since(), {"received": 2, "sent": 2})


def what_a_router_cuts_is_no_run(counted):
    here, peer, sent = client(V4), peers[V4], payloads(1400)
    wire = Wire("peer", "p0")
    counted.since()
    for _ in range(2):
        send_run(here.socket, [channel(payload) for payload in sent])
    got = receive_all(2 * COUNT, lambda: peer.recv(2000))
    check("datagrams that a router fragments arrive", got == sent * 2, True)
    numbers = {identification(packet) for packet in wire.packets(PEER_PORT)}
    check("as each has an IP identification of its own", len(numbers), 2 * COUNT)
    check("because they were not sent as runs", counted.since(), {"received": 2})


def what_exceeds_the_path_leaves_one_by_one(counted):
    here, peer, sent = client(V6), peers[V6], payloads(1400)
    counted.since()
    send_run(here.socket, [channel(payload) for payload in sent])
    time.sleep(0.3)
    counted.since()
    send_run(here.socket, [channel(payload) for payload in sent])
    got = receive_all(COUNT, lambda: peer.recv(2000))
    check("over IPv6, what is known to exceed the path leaves in fragments of our own", got == sent, True)
    check("one by one, as the kernel refuses the run", counted.since(), {"received": 1, "refused": 1})
    send_run(here.socket, [channel(payload[:1200]) for payload in sent])
    receive_all(COUNT, lambda: peer.recv(2000))
    check("but a run of shorter ones it takes", counted.since(), {"received": 1, "sent": 1})


peers = {family: udp("peer", PEER[family], PEER_PORT) for family in (V4, V6)}
for peer in peers.values():
    peer.settimeout(2)
counted = Counted()
for family in (V4, V6):
    a_run_stays_in_one_piece(family, counted)
checksum_here("router", "r1")
checksum_here("server", "s0")
for family in (V4, V6):
    every_datagram_is_whole(family, counted)
what_a_router_cuts_is_no_run(counted)
what_exceeds_the_path_leaves_one_by_one(counted)
