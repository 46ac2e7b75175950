"""A program whose terminal goes away: terminal.py COMMAND...

Ends then, as a program that knows nothing of SIGHUP would; with nohup it goes on.
"""

import os
import pty
import signal
import sys
import time

from verdict import check

command = sys.argv[1:]


def ended(pid, seconds):
    """The exit code, or None of one that goes on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def started(*words):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    said = b""
    while b"http://" not in said:
        said += os.read(terminal, 4096)
    return pid, terminal


pid, terminal = started(*command)
os.kill(pid, signal.SIGHUP)
check("SIGHUP does not end a program that has its terminal", ended(pid, 0.5) is None)
os.close(terminal)
code = ended(pid, 10)
check("a program ends in order with its terminal", code == 0, code)

# nohup would send its output elsewhere, so it is given the place.
pid, terminal = started("sh", "-c", 'trap "" HUP; exec "$@" 2>&1 </dev/null', "sh", *command)
os.close(terminal)
check("with nohup it goes on", ended(pid, 0.5) is None)
os.kill(pid, signal.SIGTERM)
ended(pid, 10)
