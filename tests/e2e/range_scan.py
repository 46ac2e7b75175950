"""Tries to reach internal addresses through the relay as a client with good credentials.

usage: range_scan.py HOST PORT USERNAME PASSWORD MIN_PORT

Traps listen on loopback and on this machine's own addresses, one of them inside the relay range. Every way of
asking is tried: CreatePermission, ChannelBind and Send indications, each address in each of its disguises.
"""

import random
import socket
import sys

from internal_addresses import INTERNAL, disguises, own_addresses
from turn_client import Client, Refused

HOST, PORT, USERNAME, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
MIN_PORT = int(sys.argv[5])



def trap(address, port=None):
    """Listens, on some port below the relay range unless told."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_DGRAM)
    while True:
        try:
            listening.bind((address, port or random.randrange(10_000, 28_000)))
            break
        except OSError:
            if port:
                raise
    listening.setblocking(False)
    return listening


def allocated():
    client = Client((HOST, PORT), USERNAME, PASSWORD)
    client.allocate(family=2 if ":" in HOST else 1)
    return client


def refused(ask):
    """Whether a request is answered 403, or 443 for a family that this relay does not have."""
    try:
        ask()
    except Refused as refusal:
        return refusal.code in (403, 443)
    return False


def main():
    traps = [trap(address) for address in own_addresses()]
    traps.append(trap(HOST, MIN_PORT))

    client = allocated()
    granted = []
    targets = {(text, 80) for plain in INTERNAL for text in disguises(plain)}
    targets |= {one.getsockname()[:2] for one in traps if one.getsockname()[1] != MIN_PORT}
    for number, target in enumerate(sorted(targets)):
        if not refused(lambda: client.permit(target)):
            granted.append(f"CreatePermission {target}")
        if not refused(lambda: client.bind_channel(0x4000 + number % 4096, target)):
            granted.append(f"ChannelBind {target}")
        client.send(target, b"scan")
    verdict("CreatePermission and ChannelBind refuse %d internal addresses" % len(targets), not granted, granted)

    # A relay of the server itself may be asked for; that must not open the rest of its host.
    client.permit((HOST, MIN_PORT))
    for one in traps:
        client.send(one.getsockname()[:2], b"scan")
        client.send((HOST, one.getsockname()[1]), b"scan")
    client.bind_channel(0x4FFF, (HOST, MIN_PORT))
    client.send_channel(0x4FFF, b"scan")
    client.refresh(600)  # all of the above has been handled once this is answered

    caught = [str(one.getsockname()) for one in traps if received(one)]
    verdict("no datagram reaches a socket on this host's own addresses", not caught, caught)

    other = allocated()
    client.permit(other.relayed)
    other.permit(client.relayed)
    client.send(other.relayed, b"between relays")
    verdict("two relays of the server still reach each other", other.receive() == b"between relays", [])


def received(listening):
    try:
        return listening.recv(65535)
    except BlockingIOError:
        return None


def verdict(sentence, passed, evidence):
    print(f"{'passed' if passed else 'FAILED'}: {sentence}")
    for line in evidence[:10]:
        print("   ", line)


main()
