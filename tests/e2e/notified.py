"""What a program tells its service manager: notified.py SOCKET COMMAND...

Is the service manager, as far as sd_notify(3) goes: waits for READY=1, for a reload after SIGHUP, for signs of life, and after SIGTERM for the
end.
"""

import os
import signal
import socket
import subprocess
import sys
import time

from verdict import check

path, *command = sys.argv[1:]
name = os.path.basename(command[0])
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
listener.settimeout(0.2)
environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1500000"}
program = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
said = []


def listen(until, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        try:
            said.extend(listener.recv(4096).decode().splitlines())
        except socket.timeout:
            pass
    return until()


ready = listen(lambda: "READY=1" in said, 10)
check(f"{name} says when it is ready", ready)
said.clear()
program.send_signal(signal.SIGHUP)
reloaded = listen(lambda: "RELOADING=1" in said and "READY=1" in said[said.index("RELOADING=1") :], 5)
when = [int(word.split("=")[1]) for word in said if word.startswith("MONOTONIC_USEC=")]
lately = len(when) == 1 and 0 <= time.monotonic_ns() // 1000 - when[0] < 10_000_000
check(f"{name} says that it reads its settings again, and when it has", reloaded and lately)
said.clear()
alive = listen(lambda: said.count("WATCHDOG=1") >= 4, 5)
check(f"{name} says again and again that it lives", alive)
program.send_signal(signal.SIGTERM)
ended = program.wait(10) == 0
stopping = listen(lambda: "STOPPING=1" in said, 1)
check(f"{name} says that it stops, when it is told to", stopping)
check(f"{name} ends then", ended and 'READY=1' not in said)
