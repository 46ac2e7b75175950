"""The little STUN and TURN these checks need, written apart from the project's own codec on purpose."""

import base64
import hashlib
import hmac
import ipaddress
import os
import socket
import struct
import time

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT = 10, 11, 12
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, CHANNEL_NUMBER, LIFETIME = 0x06, 0x08, 0x09, 0x0C, 0x0D
XOR_PEER_ADDRESS, PAYLOAD, REALM, NONCE = 0x12, 0x13, 0x14, 0x15
XOR_RELAYED_ADDRESS, REQUESTED_FAMILY, REQUESTED_TRANSPORT, XOR_MAPPED_ADDRESS = 0x16, 0x17, 0x19, 0x20
DONT_FRAGMENT, CONNECTION_ID, ICMP = 0x1A, 0x2A, 0x8004
UDP, TCP = struct.pack("!Bxxx", 17), struct.pack("!Bxxx", 6)


class Refused(Exception):
    """An error response, with its code."""

    def __init__(self, code, reason):
        super().__init__(f"{code} {reason}")
        self.code = code


def code(act):
    """The code that an act is refused with, 0 if it is not."""
    try:
        act()
        return 0
    except Refused as refusal:
        return refusal.code


class NoAnswer(Exception):
    """No response within the time of all retransmissions."""


def message(method, kind, attributes, transaction=None, key=None):
    """Writes a message; with a key it ends in MESSAGE-INTEGRITY."""
    transaction = transaction or os.urandom(12)
    body = b"".join(attribute(number, value) for number, value in attributes)
    kind_bits = (kind & 1) << 4 | (kind & 2) << 7
    header = lambda length: struct.pack("!HHI", method | kind_bits, length, COOKIE) + transaction
    if key is None:
        return header(len(body)) + body
    mac = hmac.new(key, header(len(body) + 24) + body, hashlib.sha1).digest()
    return header(len(body) + 24) + body + attribute(MESSAGE_INTEGRITY, mac)


def attribute(number, value):
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def parse(datagram):
    """Splits a message into method, kind, transaction and a dictionary of its attributes."""
    bits, length, _ = struct.unpack_from("!HHI", datagram)
    attributes, at = {}, 20
    while at < 20 + length:
        number, size = struct.unpack_from("!HH", datagram, at)
        attributes.setdefault(number, datagram[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return bits & 0xEEF, bits >> 4 & 1 | bits >> 7 & 2, datagram[8:20], attributes


def xor_address(address, transaction):
    """Writes (host, port) as XOR-PEER-ADDRESS does."""
    ip = ipaddress.ip_address(address[0])
    mask = (struct.pack("!I", COOKIE) + transaction)[: len(ip.packed)]
    masked = bytes(a ^ b for a, b in zip(ip.packed, mask))
    return struct.pack("!xBH", 1 if ip.version == 4 else 2, address[1] ^ COOKIE >> 16) + masked


def read_xor_address(value, transaction):
    port = struct.unpack_from("!H", value, 2)[0] ^ COOKIE >> 16
    mask = (struct.pack("!I", COOKIE) + transaction)[: len(value) - 4]
    return str(ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask)))), port


def rest_credentials(secret, user, ttl=3600):
    """Mints a time-limited username and password."""
    username = f"{int(time.time()) + ttl}:{user}"
    mac = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(mac).decode()


class Client:
    """One TURN client on its own UDP socket."""

    def __init__(self, server, username, password, source=None):
        self.server, self.username, self.password = server, username, password
        self.socket = self._connect(source)
        self.realm = self.nonce = self.key = self.relayed = None

    def _connect(self, source):
        made = socket.socket(socket.AF_INET6 if ":" in self.server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        if source:
            made.bind((source, 0))
        made.connect(self.server)
        return made

    def request(self, method, attributes):
        """Asks until answered; learns realm and nonce from 401 and 438 and asks again."""
        for _ in range(3):
            try:
                return self._ask(method, attributes)
            except Refused as refusal:
                if refusal.code not in (401, 438) or refusal.code == 401 and self.key and self.tried:
                    raise
        raise NoAnswer("the server keeps renewing its nonce")

    def _ask(self, method, attributes):
        transaction = os.urandom(12)
        written = [(n, v(transaction) if callable(v) else v) for n, v in attributes]
        self.tried = self.key is not None
        if self.key:
            written += [(USERNAME, self.username.encode()), (REALM, self.realm), (NONCE, self.nonce)]
        reply = self._exchange(message(method, REQUEST, written, transaction, self.key), transaction)
        got_method, kind, _, got = parse(reply)
        assert got_method == method, f"asked {method}, answered {got_method}"
        if kind == SUCCESS:
            return transaction, got
        code = got[ERROR_CODE]
        if NONCE in got:
            self.realm, self.nonce = got[REALM], got[NONCE]
            text = f"{self.username}:{self.realm.decode()}:{self.password}"
            self.key = hashlib.md5(text.encode()).digest()
        raise Refused(code[2] * 100 + code[3], code[4:].decode())

    def _exchange(self, datagram, transaction):
        for wait in (0.3, 0.6, 1.2, 2.4):
            self.socket.send(datagram)
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0:
                self.socket.settimeout(left)
                try:
                    reply = self.socket.recv(65535)
                except (TimeoutError, ConnectionRefusedError):
                    continue
                if reply[8:20] == transaction:
                    return reply
        raise NoAnswer(f"no answer from {self.server}")

    def allocate(self, family=None, dont_fragment=False):
        """Makes an allocation and returns its relayed address."""
        wanted = [(REQUESTED_TRANSPORT, UDP)]
        if dont_fragment:
            wanted.append((DONT_FRAGMENT, b""))
        if family:
            wanted.append((REQUESTED_FAMILY, struct.pack("!Bxxx", family)))
        transaction, got = self.request(ALLOCATE, wanted)
        self.relayed = read_xor_address(got[XOR_RELAYED_ADDRESS], transaction)
        return self.relayed

    def permit(self, *peers):
        self.request(CREATE_PERMISSION, [(XOR_PEER_ADDRESS, peer_attribute(peer)) for peer in peers])

    def bind_channel(self, number, peer):
        value = struct.pack("!Hxx", number)
        self.request(CHANNEL_BIND, [(CHANNEL_NUMBER, value), (XOR_PEER_ADDRESS, peer_attribute(peer))])

    def refresh(self, lifetime):
        self.request(REFRESH, [(LIFETIME, struct.pack("!I", lifetime))])

    def send(self, peer, payload, dont_fragment=False):
        """Sends by a Send indication, with or without permission."""
        transaction = os.urandom(12)
        attributes = [(XOR_PEER_ADDRESS, xor_address(peer, transaction)), (PAYLOAD, payload)]
        if dont_fragment:
            attributes.append((DONT_FRAGMENT, b""))
        self.socket.send(message(SEND, INDICATION, attributes, transaction))

    def send_channel(self, number, payload):
        self.socket.send(struct.pack("!HH", number, len(payload)) + payload)

    def receive(self, timeout=2.0):
        """Waits for the payload of a Data indication or a ChannelData message."""
        for datagram in self._datagrams(timeout):
            if datagram[0] & 0xC0 == 0x40:
                return datagram[4 : 4 + struct.unpack_from("!H", datagram, 2)[0]]
            method, kind, _, attributes = parse(datagram)
            if (method, kind) == (DATA, INDICATION) and PAYLOAD in attributes:
                return attributes[PAYLOAD]
        return None

    def receive_icmp(self, timeout=2.0):
        """Waits for a Data indication with ICMP: the peer, type and code, error data."""
        for datagram in self._datagrams(timeout):
            method, kind, transaction, attributes = parse(datagram)
            if (method, kind) == (DATA, INDICATION) and ICMP in attributes:
                assert PAYLOAD not in attributes
                bits, data = struct.unpack("!xxHI", attributes[ICMP])
                peer = read_xor_address(attributes[XOR_PEER_ADDRESS], transaction)
                return peer, (bits >> 9, bits & 0x1FF), data
        return None

    def _datagrams(self, timeout):
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                yield self.socket.recv(65535)
            except (TimeoutError, ConnectionRefusedError):
                continue


class TcpClient(Client):
    """The same over TCP: messages one behind the other, ChannelData padded."""

    def _connect(self, source):
        return Framed(socket.create_connection(self.server, 5, source and (source, 0)))


class Framed:
    """A stream that sends and receives whole messages, as a UDP socket does datagrams."""

    def __init__(self, stream):
        self.stream, self.bytes = stream, b""
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, message):
        self.stream.sendall(message + bytes(-len(message) % 4))

    def settimeout(self, seconds):
        self.stream.settimeout(seconds)

    def recv(self, _):
        while not (whole := self._whole()):
            self.bytes += self.stream.recv(65536) or self._ended()
        message, self.bytes = self.bytes[:whole], self.bytes[whole:]
        return message

    def _whole(self):
        """How long the first message is with its padding, if it is here."""
        if len(self.bytes) < 4:
            return 0
        size = struct.unpack_from("!H", self.bytes, 2)[0]
        is_channel = self.bytes[0] & 0xC0 == 0x40
        whole = 4 + size + -size % 4 if is_channel else 20 + size
        return whole if len(self.bytes) >= whole else 0

    def _ended(self):
        raise EOFError("the server closed the connection")


class TcpRelayClient(TcpClient):
    """The same with a TCP allocation (RFC 6062); wrap puts each of its connections within TLS."""

    def __init__(self, server, username, password, wrap=lambda connection: connection):
        self.wrap, self.indications = wrap, []
        super().__init__(server, username, password)

    def _connect(self, source):
        return Framed(self.wrap(socket.create_connection(self.server, 10)))

    def _exchange(self, request, transaction):
        self.socket.settimeout(60)
        self.socket.send(request)
        while (reply := self.socket.recv(None))[8:20] != transaction:
            self.indications.append(reply)
        return reply

    def allocate_tcp(self, family=None):
        """Makes a TCP allocation and returns its relayed address."""
        wanted = [(REQUESTED_TRANSPORT, TCP)]
        if family:
            wanted.append((REQUESTED_FAMILY, struct.pack("!Bxxx", family)))
        transaction, got = self.request(ALLOCATE, wanted)
        self.relayed = read_xor_address(got[XOR_RELAYED_ADDRESS], transaction)
        return self.relayed

    def connect(self, peer):
        """Has the server connect to a peer; returns the CONNECTION-ID."""
        return self.request(CONNECT, [(XOR_PEER_ADDRESS, peer_attribute(peer))])[1][CONNECTION_ID]

    def attempt(self, timeout=10):
        """Waits for a ConnectionAttempt: the peer and the CONNECTION-ID."""
        self.socket.settimeout(timeout)
        received = self.indications.pop(0) if self.indications else self.socket.recv(None)
        method, kind, transaction, got = parse(received)
        assert (method, kind) == (CONNECTION_ATTEMPT, INDICATION), (method, kind)
        return read_xor_address(got[XOR_PEER_ADDRESS], transaction), got[CONNECTION_ID]

    def open_data_connection(self, connection_id):
        """Sends ConnectionBind on a new connection, signed with this one's nonce; returns its socket."""
        data = TcpRelayClient(self.server, self.username, self.password, self.wrap)
        data.realm, data.nonce, data.key = self.realm, self.nonce, self.key
        data.request(CONNECTION_BIND, [(CONNECTION_ID, connection_id)])
        assert not data.socket.bytes, "these tests read a peer's bytes from the socket"
        return data.socket.stream



def peer_attribute(peer):
    return lambda transaction: xor_address(peer, transaction)
