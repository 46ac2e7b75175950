"""Holds idle TLS clients, then sends garbage and half-open connections, and tells what each left behind.

usage: idle_connections.py TLS_PORT COUNT GARBAGE SERVER_PID
"""

import socket
import ssl
import sys
import time

from proc import descriptors, resident_kb

port, count, garbage, pid = (int(word) for word in sys.argv[1:5])

# How a connection that is no TURN client begins: nothing, noise, half a message, half a handshake, half a request.
BEGINNINGS = [
    b"",
    b"\xff\xfe\xfd",
    b"\x00\x03\x00\x08\x21\x12\xa4\x42",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HT",
]


def connect(number):
    """Each from its own address of loopback, so that the bound for one address is not met."""
    connection = socket.socket()
    connection.settimeout(20)
    connection.bind((f"127.1.{number // 250 % 250}.{number % 250 + 1}", 0))
    connection.connect(("127.0.0.1", port))
    return connection


def wait_until(condition):
    """What was not reached in half a minute is seen in the figures."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def wait_for_descriptors(most):
    wait_until(lambda: descriptors(pid) <= most)


context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

descriptors_before = descriptors(pid)
warm_up = [context.wrap_socket(connect(number)) for number in range(50)]
for connection in warm_up:
    connection.close()
wait_for_descriptors(descriptors_before)
before = resident_kb(pid)
print("descriptors_before", descriptors_before)
print("resident_before_kb", before)

idle = [context.wrap_socket(connect(number)) for number in range(count)]
wait_until(lambda: descriptors(pid) >= descriptors_before + count)
print("idle", descriptors(pid) - descriptors_before)
print("resident_with_kb", resident_kb(pid))
for connection in idle:
    connection.close()
wait_for_descriptors(descriptors_before)
print("descriptors_after_idle", descriptors(pid))
after_idle = resident_kb(pid)
print("resident_after_idle_kb", after_idle)

for number in range(garbage):
    connection = connect(number)
    beginning = BEGINNINGS[number % len(BEGINNINGS)]
    if beginning:
        connection.send(beginning)
    connection.close()
wait_for_descriptors(descriptors_before)
print("descriptors_after_garbage", descriptors(pid))
print("resident_after_garbage_kb", resident_kb(pid))
