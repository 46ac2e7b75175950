"""Guesses at a server from addresses of loopback: guesses.py PORT [PAGE KEY]

What each address does stands in `guard.sh`, which knows who is to be found in the log.
"""

import socket
import sys
from http.client import HTTPConnection

from turn_client import (
    ALLOCATE, NONCE, REALM, REQUEST, REQUESTED_TRANSPORT, UDP, USERNAME, Client, Refused, TcpClient, message,
)

server = ("127.0.0.1", int(sys.argv[1]))
# What the log would say of somebody else, if names of strangers stood in it as they are.
FORGED = "x\n2026-11-30T12:00:00.000000Z  WARN watari::guard: authentication failed address=192.0.2.1 failures=9 "


def refused(client):
    """Tries once, challenge included; the client is refused."""
    try:
        client.allocate()
    except Refused as refusal:
        assert refusal.code == 401, refusal
        return client
    raise AssertionError("it was let in")


def forged(name, nonce, source):
    """What a forger can write: a signature, and a nonce that was not sent to where he seems to be."""
    attributes = [(REQUESTED_TRANSPORT, UDP), (USERNAME, name.encode()), (REALM, b"watari"), (NONCE, nonce)]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((source, 0))
    sender.settimeout(5)
    sender.sendto(message(ALLOCATE, REQUEST, attributes, key=bytes(16)), server)
    sender.recv(2048)


# Over UDP after the challenge, over TCP; and a name that says more than a name should.
nonce = refused(Client(server, "alice", "wrong", "127.0.0.11")).nonce
refused(TcpClient(server, "nobody", "wrong", "127.0.0.12"))
refused(TcpClient(server, FORGED, "wrong", "127.0.0.13"))
# A flood of wrong passwords.
flood = refused(Client(server, "alice", "wrong", "127.0.0.14"))
for _ in range(2000):
    refused(flood)
# The nonce of another, and one that is nobody's.
for stolen in (nonce, b"0123456789abcdef0123456789abcdef"):
    forged("alice", stolen, "127.0.0.21")
    forged(FORGED, stolen, "127.0.0.22")
# Who does nothing wrong.
Client(server, "alice", "wonderland", "127.0.0.23").allocate()

if len(sys.argv) > 3:
    page, key = int(sys.argv[2]), sys.argv[3]
    for source, path, given, status in [
        ("127.0.0.15", "/ice", "a wrong key of 16", 403),
        ("127.0.0.16", "/v1/turn/keys/any/credentials/1999999999:alice/revoke", "a wrong key of 16", 403),
        ("127.0.0.24", "/ice", None, 403),
        ("127.0.0.25", "/ice", key, 200),
    ]:
        connection = HTTPConnection("127.0.0.1", page, source_address=(source, 0))
        connection.request("POST", path, headers={"Authorization": f"Bearer {given}"} if given else {})
        answered = connection.getresponse().status
        assert answered == status, f"{path} from {source} was answered {answered}"
