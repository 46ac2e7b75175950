"""Sends ClientHellos from everywhere, as somebody would who forges addresses.

usage: spoofed_hellos.py PORT METRICS_PORT COUNT

First from sockets that hear the answers, which must be shorter than what they answer; then each from a new address of
127.0.0.0/8 and a new port until the server has counted COUNT more, and last some garbage that only begins like DTLS.
"""

import os
import socket
import struct
import sys
import time
import urllib.request

PORT, METRICS, COUNT = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
IP_PKTINFO = 8
SENDERS = 64


def hello():
    """A ClientHello without extensions: the shortest that any client could send."""
    body = b"\xfe\xfd" + os.urandom(32) + b"\0" + b"\0" + b"\0\2\xc0\x2b" + b"\1\0"
    length = len(body).to_bytes(3, "big")
    message = b"\1" + length + b"\0\0" + b"\0\0\0" + length + body
    return b"\x16\xfe\xfd" + bytes(8) + struct.pack("!H", len(message)) + message


def counted(name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics").read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def wait_for(name, value):
    until = time.monotonic() + 10
    while counted(name) < value:
        if time.monotonic() > until:
            sys.exit(f"{name} is {counted(name):.0f}, not {value:.0f}")
        time.sleep(0.05)


def answers_are_shorter():
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.settimeout(5)
    for _ in range(200):
        asked = hello()
        listener.sendto(asked, ("127.0.0.1", PORT))
        answer = listener.recv(65536)
        # A HelloVerifyRequest, and nothing behind it.
        if not (answer[0] == 22 and answer[13] == 3 and len(answer) < len(asked)):
            sys.exit(f"{len(asked)} bytes were answered with {len(answer)}: {answer.hex()}")
    return len(asked), len(answer)


def flood():
    senders = []
    for _ in range(SENDERS):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind(("0.0.0.0", 0))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # answers are of no interest
        senders.append(sender)
    start, sent = counted("turn_dtls_cookies_total"), 0
    until = time.monotonic() + 240
    while (arrived := counted("turn_dtls_cookies_total") - start) < COUNT:
        if time.monotonic() > until:
            sys.exit(f"only {arrived:.0f} of {sent} sent were answered in four minutes")
        for _ in range(10_000):
            chosen = struct.pack("!4xI4x", 0x7F000001 + sent * 257 % 0xFFFFF0)
            control = [(socket.IPPROTO_IP, IP_PKTINFO, chosen)]
            senders[sent % SENDERS].sendmsg([hello()], control, 0, ("127.0.0.1", PORT))
            sent += 1
    return arrived, sent


def settle():
    """Waits until the server has worked off what lies in its sockets' buffers."""
    before = -1
    while (now := counted("turn_dtls_cookies_total")) != before:
        before = now
        time.sleep(0.5)


def garbage():
    settle()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    name = 'turn_dropped_datagrams_total{reason="dtls_'
    before = counted(name)
    for first in range(20, 64):
        for length in (0, 12, 13, 100, 1400):
            sender.sendto(bytes([first]) + os.urandom(length), ("127.0.0.1", PORT))
    wait_for(name, before + 44 * 5)


asked, answer = answers_are_shorter()
arrived, sent = flood()
garbage()
print(f"{arrived:.0f} ClientHellos of {asked} bytes answered with {answer} of {sent} sent")
