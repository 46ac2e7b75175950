"""Sends Allocates from a new address of 127.0.0.0/8 each until the server has counted a million of them.

usage: spoofed_allocates.py PORT METRICS_PORT COUNT

Linux lets a socket choose its source address for each datagram (IP_PKTINFO); all of 127.0.0.0/8 is local.
Half of the requests are first ones, half carry a forged name, nonce and signature.
"""

import os
import socket
import struct
import sys
import time
import urllib.request

from turn_client import (
    ALLOCATE, MESSAGE_INTEGRITY, NONCE, REALM, REQUEST, REQUESTED_TRANSPORT, UDP, USERNAME, message,
)

PORT, METRICS, COUNT = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
IP_PKTINFO = 8
FORGED = [
    (REQUESTED_TRANSPORT, UDP),
    (USERNAME, b"1999999999:mallory"),
    (REALM, b"watari"),
    (NONCE, b"0123456789abcdef0123456789abcdef"),
    (MESSAGE_INTEGRITY, b"0123456789abcdef0123"),
]


def handled():
    """How many datagrams the server has seen: as requests, or dropped before they became one."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics").read().decode()
    counted = ("turn_requests_total", "turn_dropped_datagrams_total")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(counted))


def main():
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("0.0.0.0", 0))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # answers are of no interest
    head, tail = {}, {}
    for forged, attributes in ((False, FORGED[:1]), (True, FORGED)):
        whole = message(ALLOCATE, REQUEST, attributes)
        head[forged], tail[forged] = whole[:8], whole[20:]
    start, sent = handled(), 0
    until = time.monotonic() + 480
    while handled() - start < COUNT:
        if time.monotonic() > until:
            sys.exit(f"only {handled() - start:.0f} of {sent} sent arrived in eight minutes")
        for _ in range(20_000):
            forged = bool(sent & 1)
            # A stride through 127.0.0.0/8, so that each is in another /24 than the one before.
            source = 0x7F000001 + sent * 257 % 0xFFFFF0
            chosen = struct.pack("!4xI4x", source)
            datagram = head[forged] + os.urandom(12) + tail[forged]
            sender.sendmsg([datagram], [(socket.IPPROTO_IP, IP_PKTINFO, chosen)], 0, ("127.0.0.1", PORT))
            sent += 1
    print(f"{handled() - start:.0f} handled of {sent} sent")


main()
