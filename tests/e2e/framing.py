"""ChannelData over a TCP connection at line rate: no frame is damaged, however much there is.

usage: framing.py HOST PORT USERNAME PASSWORD MEGABYTES SERVER_PID

Sends numbered payloads of varied sizes with checksums from a TCP client to a UDP peer, and as many from the peer to the
client. Datagrams may be lost on both ways, as a socket's buffer and the server's queue for a client are bounded; what
arrives must be whole, right and in order, and on the connection every frame must begin where the last one ended. Ends
with another status than 0 if anything was damaged or the connection ended.
"""

import multiprocessing
import os
import random
import socket
import struct
import sys
import time
import zlib

from proc import cpu
from turn_client import TcpClient

CHANNEL = 0x4ABC
# Number and checksum of what follows, within a payload; the number 0 says that there are no more.
HEAD = struct.Struct("!QI")
FRAME = struct.Struct("!HH")
LONGEST = 8192
# How much the client writes at a time.
CHUNK = 1 << 16
SO_RCVBUFFORCE = 33


def main(host, port, username, password, megabytes, pid):
    wanted, pid = int(megabytes) << 20, int(pid)
    client = TcpClient((host, int(port)), username, password)
    client.allocate()
    peer = open_peer(host)
    client.bind_channel(CHANNEL, peer.getsockname()[:2])
    connection = client.socket.stream
    connection.settimeout(30)
    # The peer's buffer counts what datagrams take in memory, which for these is less than three times their size.
    ahead = peer.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 4
    paces = multiprocessing.Semaphore(max(ahead // CHUNK, 1))
    damaged = 0
    for way, send, receive in (
        ("to the peer", lambda: send_frames(connection, wanted, paces), lambda: read_peer(peer, paces)),
        ("to the client", lambda: send_datagrams(peer, client.relayed, wanted, paces), lambda: read_frames(client.socket, paces)),
    ):
        before, start = cpu(pid), time.monotonic()
        tally = carry(send, receive)
        took, spent = time.monotonic() - start, cpu(pid) - before
        lost = tally.sent - tally.intact
        rate = tally.bytes / took / (1 << 20)
        print(f"{way}: {tally.sent} payloads sent, {tally.intact} whole and right, {lost} lost, {tally.damaged} damaged,")
        print(f"    {tally.bytes >> 20} MB in {took:.1f} s, {rate:.0f} MB/s, {spent:.1f} s of the server's processor time")
        damaged += tally.damaged
        if tally.intact < tally.sent // 100:
            sys.exit(f"almost nothing arrived {way}")
    # The connection still carries requests and their answers.
    client.refresh(600)
    sys.exit(bool(damaged))


def open_peer(host):
    """A UDP socket with a long queue, as long as the system allows."""
    peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((host, 0))
    peer.settimeout(10)
    try:
        peer.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    except PermissionError:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    return peer


class Tally:
    """What one way has carried."""

    def __init__(self):
        self.sent = self.intact = self.damaged = self.bytes = self.last = 0

    def take(self, payload):
        """Looks at one payload; whether more are to come."""
        number, checksum = HEAD.unpack_from(payload) if len(payload) >= HEAD.size else (1, 0)
        if zlib.crc32(memoryview(payload)[HEAD.size :], number & 0xFFFFFFFF) != checksum:
            self.damaged += 1
        elif number == 0:
            (self.sent,) = struct.unpack_from("!Q", payload, HEAD.size)
            return False
        elif number <= self.last:
            self.damaged += 1
        else:
            self.intact, self.last, self.bytes = self.intact + 1, number, self.bytes + len(payload)
        return True


def carry(send, receive):
    """Sends in a process of its own, so that both sides are as fast as they can; returns what the receiver counted."""
    sender = multiprocessing.get_context("fork").Process(target=send, daemon=True)
    sender.start()
    tally = receive()
    sender.join(30)
    if sender.exitcode != 0:
        sys.exit("the sender did not finish")
    return tally


def payloads(wanted):
    """Payloads of so many bytes altogether: most of a datagram's common size, some short, some long."""
    rng, filling = random.Random(1), os.urandom(2 * LONGEST)
    sizes = [rng.choice((0, rng.randrange(64), rng.randrange(1200), 1188, 1188, rng.randrange(LONGEST))) for _ in range(997)]
    starts = [rng.randrange(LONGEST) for _ in sizes]
    number = 0
    while wanted > 0:
        for size, start in zip(sizes, starts):
            number += 1
            yield payload(number, filling[start : start + size])
            wanted -= HEAD.size + size
    # Said often, as one of them may be lost; the receiver leaves after the first.
    for _ in range(50):
        yield payload(0, struct.pack("!Q", number))


def payload(number, body):
    return HEAD.pack(number, zlib.crc32(body, number & 0xFFFFFFFF)) + body


def send_frames(connection, wanted, paces):
    """ChannelData padded to four bytes, written in pieces that end anywhere; waits for a peer that lags behind."""
    waiting, length = [], 0
    for content in payloads(wanted):
        waiting.append(FRAME.pack(CHANNEL, len(content)) + content + bytes(-len(content) % 4))
        length += len(waiting[-1])
        if length >= CHUNK:
            whole, length = b"".join(waiting), length % CHUNK
            cut = len(whole) - length
            waiting = [whole[cut:]]
            for at in range(0, cut, CHUNK):
                paces.acquire(timeout=1)
                connection.sendall(whole[at : at + CHUNK])
    connection.sendall(b"".join(waiting))


def read_peer(peer, paces):
    tally, buffer, since = Tally(), bytearray(1 << 16), 0
    view = memoryview(buffer)
    more = True
    while more:
        size = peer.recv_into(buffer)
        more = tally.take(view[:size])
        # What the sender counts in frames is a little more: it is held back rather than ahead.
        since += size + FRAME.size
        while since >= CHUNK:
            since -= CHUNK
            paces.release()
    return tally


def send_datagrams(peer, relayed, wanted, paces):
    """As fast as the client reads, and now and then faster: what is lost is not waited for."""
    length = 0
    for content in payloads(wanted):
        peer.sendto(content, relayed)
        length += FRAME.size + len(content)
        if length >= CHUNK:
            length -= CHUNK
            paces.acquire(timeout=0.01)
        if content.startswith(bytes(8)):
            time.sleep(0.005)


def read_frames(framed, paces):
    """Whole frames, one behind the other: anything else is damage, after which nothing more can be told apart."""
    tally, left, since = Tally(), framed.bytes, 0
    more = True
    while more:
        read = framed.stream.recv(1 << 18)
        since += len(read)
        while since >= CHUNK:
            since -= CHUNK
            paces.release()
        if not read:
            sys.exit("the server closed the connection")
        stream, at = left + read, 0
        while more and len(stream) - at >= FRAME.size:
            channel, size = FRAME.unpack_from(stream, at)
            end = at + FRAME.size + size + -size % 4
            if channel != CHANNEL:
                sys.exit(f"a frame begins with {channel:#06x} behind payload {tally.last}")
            if end > len(stream):
                break
            more = tally.take(stream[at + FRAME.size : at + FRAME.size + size])
            at = end
        left = stream[at:]
    framed.bytes = left
    return tally


if __name__ == "__main__":
    main(*sys.argv[1:])
