"""Sockets in the network namespaces of namespaces.sh; the first argument of the program is the prefix of their names."""

import contextlib
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(name):
    """Sockets opened here belong to a namespace, and stay there."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{sys.argv[1]}-{name}") as there:
        enter(there)
        try:
            yield
        finally:
            enter(home)


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def udp(name, address, port):
    with inside(name):
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, port))
    opened.settimeout(5)
    return opened


def check(sentence, found, expected):
    if found == expected:
        print(f"passed: {sentence}")
    else:
        print(f"failed: {sentence}\n    {found} is not {expected}")
