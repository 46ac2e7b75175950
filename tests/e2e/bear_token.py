"""Allocates with an access token: bear_token.py HOST:PORT KID TOKEN MAC_KEY sha1|sha256

Prints the server's name, which 401 tells, then what succeeded, or the code of the refusal. Written apart from the
project's own codec on purpose; the token is somebody else's and stays closed.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import sys

import turn_client as turn

ACCESS_TOKEN, SHA256_INTEGRITY, PASSWORD_ALGORITHM = 0x1B, 0x1C, 0x1D
PASSWORD_ALGORITHMS, THIRD_PARTY_AUTHORIZATION = 0x8002, 0x802E


def signed(method, attributes, transaction, key, hash_name):
    """Writes a request that ends in MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256."""
    if hash_name == "sha1":
        return turn.message(method, turn.REQUEST, attributes, transaction, key)
    body = b"".join(turn.attribute(number, value) for number, value in attributes)
    header = struct.pack("!HHI", method, len(body) + 36, turn.COOKIE) + transaction
    code = hmac.new(key, header + body, hashlib.sha256).digest()
    return header + body + turn.attribute(SHA256_INTEGRITY, code)


def holds(reply, key, hash_name):
    """Tells whether an answer is signed with the key, by the one attribute that it must carry."""
    number, size = (turn.MESSAGE_INTEGRITY, 20) if hash_name == "sha1" else (SHA256_INTEGRITY, 32)
    expected = turn.attribute(number, hmac.new(key, reply[: -size - 4], hash_name).digest())
    return reply.endswith(expected)


def main():
    address, kid, token, mac_key, hash_name = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    token = base64.b64decode(token + "=" * (-len(token) % 4))
    key = base64.b64decode(mac_key)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((host, int(port)))

        def ask(datagram):
            client.send(datagram)
            reply = client.recv(2048)
            _, kind, _, got = turn.parse(reply)
            code = got.get(turn.ERROR_CODE, b"\0\0\0\0")
            return reply, kind, code[2] * 100 + code[3], got

        wanted = (turn.REQUESTED_TRANSPORT, turn.UDP)
        _, _, _, challenge = ask(turn.message(turn.ALLOCATE, turn.REQUEST, [wanted, (turn.LIFETIME, bytes([0, 0, 2, 88]))]))
        heard = [challenge[THIRD_PARTY_AUTHORIZATION].decode()]
        credentials = [
            (turn.USERNAME, kid.encode()),
            (turn.REALM, challenge[turn.REALM]),
            (turn.NONCE, challenge[turn.NONCE]),
        ]
        if hash_name == "sha256":
            algorithms = challenge[PASSWORD_ALGORITHMS]
            credentials += [(PASSWORD_ALGORITHMS, algorithms), (PASSWORD_ALGORITHM, algorithms[:4])]
        bearing = [(ACCESS_TOKEN, token)]
        peer = lambda transaction: (turn.XOR_PEER_ADDRESS, turn.xor_address(("127.0.0.1", 9), transaction))
        for method, attributes, succeeded in (
            (turn.ALLOCATE, lambda _: [wanted] + bearing, "allocated"),
            (turn.CREATE_PERMISSION, lambda transaction: [peer(transaction)], "permitted"),
            (turn.REFRESH, lambda _: [(turn.LIFETIME, bytes(4))] + bearing, "freed"),
        ):
            transaction = os.urandom(12)
            request = signed(method, attributes(transaction) + credentials, transaction, key, hash_name)
            reply, kind, code, _ = ask(request)
            if kind != turn.SUCCESS:
                heard.append(str(code))
                break
            if not holds(reply, key, hash_name):
                raise SystemExit(f"the answer to {method} is not signed with the token's key")
            heard.append(succeeded)
        print(*heard)


main()
