"""Addresses that a relay must not lead to, and what stands for them."""

import ipaddress
import socket

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
