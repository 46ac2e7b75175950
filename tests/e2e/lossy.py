"""Carries datagrams between clients and a server, and loses some.

usage: lossy.py LISTEN_PORT SERVER_PORT PERCENT SEED

Ends when it is killed.
"""

import random
import select
import socket
import sys

LISTEN, SERVER, PERCENT = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(int(sys.argv[4]))

front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.bind(("127.0.0.1", LISTEN))
backs, clients = {}, {}
print("ready", flush=True)
while True:
    for ready in select.select([front, *clients], [], [])[0]:
        try:
            datagram, source = ready.recvfrom(65536)
        except ConnectionRefusedError:
            continue
        lost = chance.randrange(100) < PERCENT
        if ready is front:
            if source not in backs:
                back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(("127.0.0.1", SERVER))
                backs[source], clients[back] = back, source
            if not lost:
                backs[source].send(datagram)
        elif not lost:
            front.sendto(datagram, clients[ready])
