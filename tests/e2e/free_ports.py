"""Prints as many ports as asked for, each free for UDP and TCP at every local address."""

import random
import socket
import sys


def is_free(port):
    # Port by port on the wildcards: a server that listens on one address must not collide either.
    probes = [(socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET, socket.SOCK_STREAM)]
    if socket.has_ipv6:
        probes += [(socket.AF_INET6, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM)]
    for family, kind in probes:
        with socket.socket(family, kind) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


wanted, found = int(sys.argv[1]), []
while len(found) < wanted:
    port = random.randrange(10_000, 28_000)
    if port not in found and is_free(port):
        found.append(port)
print(*found)
