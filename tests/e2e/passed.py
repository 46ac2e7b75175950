"""A service manager that listens in a program's stead: passed.py ADDRESS PORT PATH PROGRAM ARGUMENT...

Opens the socket, starts the program with it twice, and asks for PATH: while the first serves, and between the two. Writes a line
`passed: SENTENCE` or `failed: SENTENCE` for each thing looked at.
"""

import os
import signal
import socket
import subprocess
import sys

from verdict import check

PATIENCE = 20
FIRST_PASSED = 3


def start(command):
    # The process that is meant has to be named, and only that process knows its number.
    shell = ["sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', "sh", *command]
    return subprocess.Popen(shell, pass_fds=(FIRST_PASSED,), stdout=sys.stderr)


def ask(address, path):
    client = socket.create_connection(address, timeout=PATIENCE)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nConnection: close\r\n\r\n".encode())
    return client


def status(client):
    with client:
        return client.makefile("rb").readline().decode(errors="replace").strip()


def end(program):
    program.send_signal(signal.SIGTERM)
    return program.wait(PATIENCE)


def main():
    address, path, command = (sys.argv[1], int(sys.argv[2])), sys.argv[3], sys.argv[4:]
    name = os.path.basename(command[0])
    listener = socket.create_server(address, backlog=128)
    if listener.fileno() != FIRST_PASSED:
        os.dup2(listener.fileno(), FIRST_PASSED)

    first = start(command)
    heard = status(ask(address, path))
    check(f"{name} serves on a socket that was opened for it", heard.endswith("200 OK"), heard)
    code = end(first)
    check("and ends in order", code == 0, f"exit code {code}")
    early = ask(address, path)
    second = start(command)
    heard = status(early)
    check("who connects while it starts again waits, and is served", heard.endswith("200 OK"), heard)
    end(second)


main()
