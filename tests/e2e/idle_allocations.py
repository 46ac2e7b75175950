"""Holds many idle allocations, each from its own client address, and measures what they cost.

usage: idle_allocations.py PORT SECRET COUNT SERVER_PID

Prints `key value` lines: resident memory before and with the allocations in kB, and the median round trip
in microseconds of another client's relayed datagrams before and with them.
"""

import socket
import statistics
import sys
import time

from proc import resident_kb
from turn_client import Client, rest_credentials

PORT, SECRET, COUNT, PID = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
SERVER = ("127.0.0.1", PORT)


class RoundTrips:
    """A client whose peer echoes."""

    def __init__(self):
        self.echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.echo.bind(("127.0.0.1", 0))
        self.client = Client(SERVER, *rest_credentials(SECRET, "the one who talks"))
        self.client.allocate()
        self.client.bind_channel(0x4000, self.echo.getsockname())

    def median(self):
        times = []
        for number in range(1000):
            start = time.perf_counter()
            self.client.send_channel(0x4000, b"%d" % number)
            payload, relay = self.echo.recvfrom(2048)
            self.echo.sendto(payload, relay)
            assert self.client.receive() == payload
            times.append(time.perf_counter() - start)
        return statistics.median(times) * 1e6


def idle_client(number):
    # Each in its own /24, as clients on the internet are; 20 allocations to a user.
    source = f"127.{1 + number // 250}.{1 + number % 250}.1"
    client = Client(SERVER, *rest_credentials(SECRET, f"user {number // 20}"), source=source)
    client.allocate()
    return client


def main():
    talking = RoundTrips()
    talking.median()  # warms up
    print("resident_before_kb", resident_kb(PID))
    print("round_trip_before_us", round(talking.median()))
    idle = [idle_client(number) for number in range(COUNT)]
    print("idle", len(idle))
    print("resident_with_kb", resident_kb(PID))
    print("round_trip_with_us", round(talking.median()), flush=True)


main()
