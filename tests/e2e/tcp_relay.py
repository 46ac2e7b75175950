"""TCP allocations (RFC 6062), driven by the client of turn_client.py.

usage: tcp_relay.py bulk HOST PORT USERNAME PASSWORD MEGABYTES SERVER_PID [CA]
       tcp_relay.py scan HOST PORT USERNAME PASSWORD
       tcp_relay.py slow HOST PORT USERNAME PASSWORD PEER SERVER_PID

bulk sends bytes both ways, one way after the other, and compares their digests; with CA, within TLS. scan asks for
connections to internal addresses. slow asks for connections to a peer that never answers, and watches the server's
descriptors.
"""

import hashlib
import os
import socket
import ssl
import sys
import threading
import time

from internal_addresses import INTERNAL, disguises, own_addresses
from proc import cpu, descriptors
from turn_client import Refused, TcpRelayClient

CHUNK = 1 << 18


def bulk(host, port, username, password, megabytes, pid, ca=None):
    wrap = lambda connection: connection
    if ca:
        context = ssl.create_default_context(cafile=ca)
        wrap = lambda connection: context.wrap_socket(connection, server_hostname=host)
    client = TcpRelayClient((host, int(port)), username, password, wrap)
    client.allocate_tcp()
    listening = socket.create_server((host, 0))
    near = client.open_data_connection(client.connect(listening.getsockname()[:2]))
    far, source = listening.accept()
    if source[:2] != client.relayed:
        sys.exit(f"the peer sees {source}, not {client.relayed}")
    block = os.urandom(1 << 20)
    for way, sender, receiver in (("to the peer", near, far), ("to the client", far, near)):
        before, start = cpu(pid), time.monotonic()
        expected = carry(sender, receiver, block, int(megabytes))
        took, spent = time.monotonic() - start, cpu(pid) - before
        if not expected:
            sys.exit(f"the bytes {way} differ")
        print(f"{megabytes} MB {way}: {int(megabytes) / took:.0f} MB/s, {spent / int(megabytes) * 1000:.2f} ms of the server's processor time a MB")


def carry(sender, receiver, block, megabytes):
    """Sends numbered blocks while they are read; whether their digest is what was sent."""
    sent, seen = hashlib.sha256(), hashlib.sha256()

    def send():
        for number in range(megabytes):
            data = number.to_bytes(8, "big") + block[8:]
            sent.update(data)
            sender.sendall(data)

    sender.settimeout(60)
    receiver.settimeout(60)
    thread = threading.Thread(target=send)
    thread.start()
    left, buffer = megabytes << 20, bytearray(CHUNK)
    while left and (size := receiver.recv_into(buffer, min(CHUNK, left))):
        seen.update(memoryview(buffer)[:size])
        left -= size
    thread.join()
    return left == 0 and sent.digest() == seen.digest()


def scan(host, port, username, password):
    client = TcpRelayClient((host, int(port)), username, password)
    client.allocate_tcp()
    traps = [socket.create_server((ip, 0), family=socket.AF_INET6 if ":" in ip else socket.AF_INET) for ip in own_addresses()]
    targets = {(text, 80) for plain in INTERNAL for text in disguises(plain)}
    targets |= {trap.getsockname()[:2] for trap in traps} | {(host, int(port))}
    granted = [f"Connect {target}" for target in sorted(targets) if not is_refused(client, target)]
    for line in granted[:10]:
        print("   ", line)
    for trap in traps:
        trap.setblocking(False)
        try:
            trap.accept()
            granted.append(f"a connection reached {trap.getsockname()}")
        except BlockingIOError:
            pass
    print(f"{len(targets)} internal addresses")
    sys.exit(bool(granted))


def is_refused(client, target):
    """Whether Connect is answered 403, 443 for a family that this relay does not have, or 447 for a port in the relays'
    range without a relay."""
    try:
        client.connect(target)
    except Refused as refusal:
        return refusal.code in (403, 443, 447)
    return False


def slow(host, port, username, password, peer, pid):
    """Twenty connections to nowhere take twenty descriptors, and give them back after thirty seconds."""
    before = descriptors(pid)
    codes, waiting = [], 20
    clients = [TcpRelayClient((host, int(port)), username, password) for _ in range(waiting)]
    for client in clients:
        client.allocate_tcp()
    idle = descriptors(pid)

    def connect(client):
        start = time.monotonic()
        try:
            client.connect((peer, 9))
        except Refused as refusal:
            codes.append((refusal.code, time.monotonic() - start))

    threads = [threading.Thread(target=connect, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(3)
    during = descriptors(pid)
    for thread in threads:
        thread.join()
    time.sleep(1)
    after = descriptors(pid)
    print(f"descriptors: {before} before, {idle} with {waiting} allocations, {during} with their connections, {after} after")
    print(f"answers: {sorted({code for code, _ in codes})} after {min(t for _, t in codes):.1f} to {max(t for _, t in codes):.1f} s")
    good = all(code == 447 and 29.5 < took < 33 for code, took in codes) and len(codes) == waiting
    sys.exit(not (good and during == idle + waiting and after == idle))


if __name__ == "__main__":
    {"bulk": bulk, "scan": scan, "slow": slow}[sys.argv[1]](*sys.argv[2:])
