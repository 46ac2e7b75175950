"""Holds idle TLS clients, then sends garbage and half-open connections, and tells what each left behind.

usage: idle_connections.py TLS_PORT COUNT GARBAGE SERVER_PID
"""

import os
import socket
import ssl
import sys
import time

port, count, garbage, pid = (int(word) for word in sys.argv[1:5])

# How a connection that is no TURN client begins: nothing, noise, half a message, half a handshake, half a request.
BEGINNINGS = [
    b"",
    b"\xff\xfe\xfd",
    b"\x00\x03\x00\x08\x21\x12\xa4\x42",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HT",
]


def resident_kb():
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def descriptors():
    return len(os.listdir(f"/proc/{pid}/fd"))


def connect(number):
    """Each from its own address of loopback, so that the bound for one address is not met."""
    connection = socket.socket()
    connection.settimeout(20)
    connection.bind((f"127.1.{number // 250 % 250}.{number % 250 + 1}", 0))
    connection.connect(("127.0.0.1", port))
    return connection


def wait_for_descriptors(most):
    end = time.monotonic() + 30
    while descriptors() > most and time.monotonic() < end:
        time.sleep(0.1)


context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

warm_up = [context.wrap_socket(connect(number)) for number in range(50)]
for connection in warm_up:
    connection.close()
time.sleep(1)
descriptors_before, before = descriptors(), resident_kb()
print("descriptors_before", descriptors_before)
print("resident_before_kb", before)

idle = [context.wrap_socket(connect(number)) for number in range(count)]
time.sleep(1)
print("idle", descriptors() - descriptors_before)
print("resident_with_kb", resident_kb())
for connection in idle:
    connection.close()
wait_for_descriptors(descriptors_before)
print("descriptors_after_idle", descriptors())
after_idle = resident_kb()
print("resident_after_idle_kb", after_idle)

for number in range(garbage):
    connection = connect(number)
    beginning = BEGINNINGS[number % len(BEGINNINGS)]
    if beginning:
        connection.send(beginning)
    connection.close()
wait_for_descriptors(descriptors_before)
print("descriptors_after_garbage", descriptors())
print("resident_after_garbage_kb", resident_kb())
