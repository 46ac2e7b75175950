"""More TCP clients than the server has descriptors for: those beyond wait, and are served when others leave.

usage: few_descriptors.py HOST PORT COUNT

Each of COUNT connections asks for its address. Prints how many are answered at first; ends with another status than 0 if
that is nobody or everybody, if UDP is not answered meanwhile, or if somebody is still not answered when others have left.
"""

import select
import socket
import sys
import time

from turn_client import BINDING, REQUEST, message


def main(host, port, count):
    server = (host, int(port))
    request = message(BINDING, REQUEST, [])
    waiting = [socket.create_connection(server, 10) for _ in range(int(count))]
    for connection in waiting:
        connection.sendall(request)
    answered = take_answered(waiting, 3)
    print(f"{len(answered)} of {count} connections are answered at first")
    if not answered or not waiting:
        sys.exit("that is nobody or everybody")
    over_udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    over_udp.settimeout(5)
    over_udp.sendto(request, server)
    over_udp.recv(1500)
    until = time.monotonic() + 30
    while waiting and time.monotonic() < until:
        for connection in answered:
            connection.close()
        answered = take_answered(waiting, 0.5)
    print(f"{len(waiting)} are not answered after others have left")
    sys.exit(bool(waiting))


def take_answered(waiting, seconds):
    """Takes those out that are answered before nothing has come for so long."""
    answered = []
    poll = select.poll()
    by_number = {connection.fileno(): connection for connection in waiting}
    for number in by_number:
        poll.register(number, select.POLLIN)
    while ready := poll.poll(seconds * 1000):
        for number, _ in ready:
            connection = by_number[number]
            if not connection.recv(1500):
                sys.exit("a connection was closed without an answer")
            poll.unregister(number)
            waiting.remove(connection)
            answered.append(connection)
    return answered


if __name__ == "__main__":
    main(*sys.argv[1:])
