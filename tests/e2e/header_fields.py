"""Relays between network namespaces and reads the IP headers on both sides.

usage: header_fields.py PREFIX_OF_THE_NAMESPACES
"""

import contextlib
import os
import socket
import struct
import time
import urllib.request

from spaces import check, inside, udp
from turn_client import Client, Refused, TcpClient

V4, V6 = 4, 6
SERVER = {V4: "8.8.1.1", V6: "2606:4700:1::1"}
# A server for each value of turn.relay.header_fields; the first is the default.
DSCP_ECN, NONE, ALL = 3478, 3479, 3480
PEER = {V4: "8.8.3.2", V6: "2606:4700:3::2"}
NOBODY = {V4: "8.8.3.99", V6: "2606:4700:3::99"}
PEER_PORT, CLOSED_PORT = 5000, 5001


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
            packet, (_, _, direction, *_) = self.socket.recvfrom(65535)
            if direction == socket.PACKET_OUTGOING or not packet.endswith(marker):
                continue
            if packet[0] >> 4 == V4:
                return {"ttl": packet[8], "tos": packet[1], "df": bool(packet[6] & 0x40)}
            word = struct.unpack_from("!I", packet)[0]
            return {"ttl": packet[7], "tos": word >> 20 & 0xFF, "flow": word & 0xFFFFF}


def client(at, port=DSCP_ECN, kind=Client, **wanted):
    with inside("client"):
        made = kind((SERVER[at], port), "alice", "wonderland")
    made.allocate(**wanted)
    return made


def metric(name, label="", port=DSCP_ECN):
    with inside("server"):
        page = urllib.request.urlopen(f"http://127.0.0.1:1{port}/metrics").read().decode()
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


def over_tcp_dont_fragment_is_obeyed_for_ipv6_too():
    for at in (V4, V6):
        here, there = client(at, kind=TcpClient, family=2, dont_fragment=True), (PEER[V6], PEER_PORT)
        here.permit(there)
        for size, limit in ((1400, 1300), (1400, 1300), (1600, 1500)):
            here.send(there, bytes(size), True)
            check(
                f"a TCP client at IPv{at} is told the limit of {limit} for {size} bytes with DONT-FRAGMENT",
                here.receive_icmp(),
                (there, (2, 0), limit),
            )
        here.send(there, bytes(1400))
        check("and without DONT-FRAGMENT they arrive", len(peers[V6].recv(2000)), 1400)


def fields_go_along(port, tos_kept, hops_kept):
    setting = {DSCP_ECN: "dscp_ecn", NONE: "none", ALL: "all"}[port]
    at_peer, at_client = Wire("peer", "p0"), Wire("client", "c0")
    for at in (V4, V6):
        for to in (V4, V6):
            here, there = client(at, port, family=1 if to == V4 else 2), (PEER[to], PEER_PORT)
            here.permit(there)
            where = f"with header_fields = {setting}, from IPv{at} to IPv{to}"
            # DSCP EF and ECT(1), the hops that are left at the server, what it then sends, one router further on.
            mark(here.socket, at, 0xB9, 40)
            expected = (0xB9 if tos_kept else 0, (39 if hops_kept else 64) - 1)
            here.send(there, b"by indication")
            found = at_peer.header_of(b"by indication")
            check(f"{where}, a Send indication's fields arrive", (found["tos"], found["ttl"]), expected)
            here.bind_channel(0x4000, there)
            here.send_channel(0x4000, b"by channel")
            found = at_peer.header_of(b"by channel")
            check("and those of ChannelData", (found["tos"], found["ttl"]), expected)
            # AF41 and "congestion experienced" come back over the router first.
            mark(peers[to], to, 0x8B, 50)
            peers[to].sendto(b"comes back", here.relayed)
            found = at_client.header_of(b"comes back")
            expected = (0x8B if tos_kept else 0, 48 if hops_kept else 64)
            check("and those of what comes back", (found["tos"], found["ttl"]), expected)


def answers_are_not_marked():
    here, wire = client(V4), Wire("client", "c0")
    mark(here.socket, V4, 0xB9, 40)
    here.refresh(600)
    check("an answer to a marked request is best effort", wire.header_of(b"")["tos"], 0)


def the_flow_label_is_of_the_new_flow():
    here, there = client(V6, family=2), (PEER[V6], PEER_PORT)
    here.permit(there)
    before, after = Wire("server", "s0"), Wire("peer", "p0")
    labels = []
    for text in (b"flow of mine", b"flow of same"):
        here.send(there, text)
        labels.append((before.header_of(text)["flow"], after.header_of(text)["flow"]))
    (one, ours), (_, again) = labels
    check("the flow label is that of the flow to the peer, and stays", (ours != 0, ours != one, ours == again), (True,) * 3)


def hops_are_used_up():
    for at, to, error in ((V4, V4, (11, 0)), (V6, V6, (3, 0))):
        here, there = client(at, ALL, family=1 if to == V4 else 2), (PEER[to], PEER_PORT)
        here.permit(there)
        mark(here.socket, at, 0, 2)
        here.send(there, b"not that far")
        check(f"who sends with too few hops over IPv{to} learns it from the router", here.receive_icmp(), (there, error, 0))
    before = metric("turn_dropped", "hop_limit", ALL)
    mark(here.socket, V6, 0, 1)
    here.send(there, b"not further")
    check("and with one hop it ends at the server, counted", wait_for(lambda: metric("turn_dropped", "hop_limit", ALL) - before, 1), 1)


def relay_to_relay_are_two_hops():
    one, other = client(V4, ALL), client(V4, ALL)
    one.permit(other.relayed)
    other.permit(one.relayed)
    wire = Wire("client", "c0")
    mark(one.socket, V4, 0xB9, 40)
    one.send(other.relayed, b"to a neighbour")
    found = wire.header_of(b"to a neighbour\0\0")
    check("relay to relay, fields are kept and two hops counted", (found["tos"], found["ttl"]), (0xB9, 38))


def mark(marked, family, tos, hops):
    if family == V4:
        marked.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        marked.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
    else:
        marked.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        marked.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)


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
over_tcp_dont_fragment_is_obeyed_for_ipv6_too()
for port, tos_kept, hops_kept in ((DSCP_ECN, True, False), (NONE, False, False), (ALL, True, True)):
    fields_go_along(port, tos_kept, hops_kept)
answers_are_not_marked()
the_flow_label_is_of_the_new_flow()
hops_are_used_up()
relay_to_relay_are_two_hops()
check("the metrics count what was told", metric("turn_icmp_relayed_total") > 10, True)
