"""Relays between network namespaces and reads the IP headers on both sides.

usage: header_fields.py PREFIX_OF_THE_NAMESPACES
"""

import contextlib
import ctypes
import os
import socket
import struct
import sys
import time
import urllib.request

from turn_client import Client, NoAnswer, Refused

SPACE = sys.argv[1]
V4, V6 = 4, 6
SERVER = {V4: ("8.8.1.1", 3478), V6: ("2606:4700:1::1", 3478)}
PEER = {V4: "8.8.3.2", V6: "2606:4700:3::2"}
NOBODY = {V4: "8.8.3.99", V6: "2606:4700:3::99"}
PEER_PORT, CLOSED_PORT = 5000, 5001
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(name):
    """Sockets opened here belong to a namespace, and stay there."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{SPACE}-{name}") as there:
        enter(there)
        try:
            yield
        finally:
            enter(home)


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def check(sentence, found, expected):
    if found == expected:
        print(f"passed: {sentence}")
    else:
        print(f"failed: {sentence}\n    {found} is not {expected}")


class Wire:
    """The datagrams that come in by a device, with their IP headers."""

    def __init__(self, name, device):
        with inside(name):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind((device, 3))
        self.socket.settimeout(5)

    def header_of(self, marker):
        """Waits for the packet that ends in these bytes: TTL, DSCP with ECN, whether DF is set."""
        while True:
            packet = self.socket.recv(65535)
            if not packet.endswith(marker):
                continue
            if packet[0] >> 4 == V4:
                return {"ttl": packet[8], "tos": packet[1], "df": bool(packet[6] & 0x40)}
            return {"ttl": packet[7], "tos": (packet[0] << 4 | packet[1] >> 4) & 0xFF, "df": None}


def udp(name, address, port):
    with inside(name):
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, port))
    opened.settimeout(5)
    return opened


def client(at, **wanted):
    with inside("client"):
        made = Client(SERVER[at], "alice", "wonderland")
    made.allocate(**wanted)
    return made


def metric(name, label=""):
    with inside("server"):
        page = urllib.request.urlopen("http://127.0.0.1:9641/metrics").read().decode()
    lines = [line for line in page.splitlines() if line.startswith(name) and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def both_families_relay_to_both():
    for at in (V4, V6):
        for to in (V4, V6):
            here = client(at, family=1 if to == V4 else 2)
            peer = peers[to]
            there = (PEER[to], PEER_PORT)
            here.permit(there)
            here.send(there, b"out")
            got, source = peer.recvfrom(100)
            peer.sendto(b"back", source)
            check(
                f"a client at IPv{at} and a peer at IPv{to} reach each other",
                (got, source[:2], here.receive()),
                (b"out", here.relayed, b"back"),
            )
            other = PEER[V4 + V6 - to]
            for ask in (lambda: here.permit((other, 1)), lambda: here.bind_channel(0x4000, (other, 1))):
                try:
                    ask()
                    code = 0
                except Refused as refusal:
                    code = refusal.code
                check(f"and a peer of the other family is refused with 443", code, 443)


def errors_reach_the_client():
    for family, unreachable, no_host, no_hops in ((V4, (3, 3), (3, 1), (11, 0)), (V6, (1, 4), (1, 3), (3, 0))):
        for at in (V4, V6):
            here = client(at, family=1 if family == V4 else 2)
            closed = (PEER[family], CLOSED_PORT)
            here.permit(closed)
            here.send(closed, b"anyone?")
            check(
                f"a client at IPv{at} learns that a port is closed, from the peer, over IPv{family}",
                here.receive_icmp(),
                (closed, unreachable, 0),
            )
            here.bind_channel(0x4000, closed)
            here.send_channel(0x4000, b"anyone?")
            check("and by channel too", here.receive_icmp(), (closed, unreachable, 0))
        nobody = (NOBODY[family], PEER_PORT)
        here.permit(nobody)
        here.send(nobody, b"anyone?")
        check(
            f"it learns that there is no such host, from the router, over IPv{family}",
            here.receive_icmp(timeout=10),
            (nobody, no_host, 0),
        )
        with hops_of_the_server(1):
            there = (PEER[family], PEER_PORT)
            here.permit(there)
            here.send(there, b"too far")
            check(
                f"it learns that the hops are used up, from the router, over IPv{family}",
                here.receive_icmp(),
                (there, no_hops, 0),
            )


@contextlib.contextmanager
def hops_of_the_server(number):
    names = ["ipv4/ip_default_ttl", "ipv6/conf/s1/hop_limit"]

    def write(value):
        with inside("server"):
            for name in names:
                # The files show the values of whoever opens them.
                with open(f"/proc/sys/net/{name}", "w") as file:
                    file.write(str(value))

    write(number)
    try:
        yield
    finally:
        write(64)


def fragments_are_forbidden_on_request():
    here, there = client(V4, dont_fragment=True), (PEER[V4], PEER_PORT)
    here.permit(there)
    wire = Wire("peer", "p0")
    for sentence, send, expected in (
        ("a Send indication with DONT-FRAGMENT leaves with DF", lambda: here.send(there, b"with DF", True), True),
        ("one without it leaves without DF", lambda: here.send(there, b"without DF"), False),
    ):
        send()
        check(sentence, wire.header_of(peers[V4].recv(2000))["df"], expected)
    here.bind_channel(0x4000, there)
    here.send_channel(0x4000, b"by channel")
    check("ChannelData leaves without DF", wire.header_of(peers[V4].recv(2000))["df"], False)

    here.send(there, bytes(1400), True)
    check("a router's limit is told: fragmentation needed, 1300", here.receive_icmp(), (there, (3, 4), 1300))
    here.send(there, bytes(1400), True)
    here.send(there, b"the next one", False)
    check(
        "and told again to whoever asks again, also if others leave without DF in between",
        here.receive_icmp(),
        (there, (3, 4), 1300),
    )
    check("which costs nothing else", peers[V4].recv(2000), b"the next one")
    here.send(there, bytes(1600), True)
    check("so is the limit of our own link, 1500", here.receive_icmp(), (there, (3, 4), 1500))
    check("and that one counts as lost", wait_for(lambda: metric("turn_dropped", "send_too_long"), 1), 1)
    here.send(there, bytes(1600))
    check("without DONT-FRAGMENT it arrives in fragments", len(peers[V4].recv(2000)), 1600)


def fragments_over_ipv6_are_the_senders_affair():
    here, there = client(V6, family=2, dont_fragment=True), (PEER[V6], PEER_PORT)
    here.permit(there)
    here.send(there, bytes(1400), True)
    check("over IPv6 a router's limit is told: packet too big, 1300", here.receive_icmp(), (there, (2, 0), 1300))
    here.send(there, bytes(1400), True)
    check("and DONT-FRAGMENT is ignored, as RFC 8656 §13.2 says", len(peers[V6].recv(2000)), 1400)


def wait_for(ask, value):
    until = time.monotonic() + 5
    while ask() != value and time.monotonic() < until:
        time.sleep(0.05)
    return ask()


peers = {family: udp("peer", PEER[family], PEER_PORT) for family in (V4, V6)}
both_families_relay_to_both()
errors_reach_the_client()
fragments_are_forbidden_on_request()
fragments_over_ipv6_are_the_senders_affair()
told = metric("turn_icmp_relayed_total")
check("the metrics count what was told", told > 10, True)
