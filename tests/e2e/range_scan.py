"""Tries to reach internal addresses through the relay as a client with good credentials.

usage: range_scan.py HOST PORT USERNAME PASSWORD MIN_PORT

Traps listen on loopback and on this machine's own addresses, one of them inside the relay range. Every way of
asking is tried: CreatePermission, ChannelBind and Send indications, each address in each of its disguises.
"""

import ipaddress
import random
import socket
import sys

from turn_client import Client, Refused

HOST, PORT, USERNAME, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
MIN_PORT = int(sys.argv[5])

INTERNAL = [
    "0.0.0.0", "127.0.0.1", "127.1.2.3", "10.0.0.1", "10.255.255.254", "100.64.0.1", "169.254.0.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.254", "192.0.0.8",
    "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "100::1", "fd00:ec2::254",
]


def disguises(text):
    """The address itself and, for IPv4, the IPv6 addresses that stand for it."""
    ip = ipaddress.ip_address(text)
    yield text
    if ip.version == 4:
        number = int(ip)
        yield str(ipaddress.ip_address(0xFFFF << 32 | number))  # ::ffff:a.b.c.d
        yield str(ipaddress.ip_address(number))  # ::a.b.c.d
        yield str(ipaddress.ip_address(0x2002 << 112 | number << 80))  # 6to4
        yield str(ipaddress.ip_address(0x0064FF9B << 96 | number))  # NAT64
        yield str(ipaddress.ip_address(0xFE80 << 112 | 0x5EFE << 32 | number))  # ISATAP
        yield str(ipaddress.ip_address(0x20010000 << 96 | 0xFFFF << 32 | number ^ 0xFFFFFFFF))  # Teredo


def own_addresses():
    """Loopback and, where it is a private one, the address of the default route."""
    addresses = ["127.0.0.1", "::1"]
    for family, outside in ((socket.AF_INET, "8.8.8.8"), (socket.AF_INET6, "2001:4860:4860::8888")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((outside, 53))  # sends nothing
            except OSError:
                continue
            own = probe.getsockname()[0]
            if ipaddress.ip_address(own).is_private:
                addresses.append(own)
    return addresses


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
