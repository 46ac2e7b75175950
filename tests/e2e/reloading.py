"""Settings that are read again while clients are there, seen by one of them: reloading.py PID FILE LOG METRICS TURN

FILE is the settings of the turn-server that is PID, with the user alice, who may reach all of loopback.
"""

import os
import pathlib
import re
import signal
import socket
import sys
import time
import urllib.request

from turn_client import Client, code
from verdict import check

pid, metrics, turn = (int(sys.argv[at]) for at in (1, 4, 5))
file, log = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
written = file.read_text()


def figures():
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    found = re.findall(r'^turn_(?:reloads_total\{result="(\w+)"\}|last_(reload_success\w+)) (\S+)', page, re.M)
    return {result or name: float(value) for result, name, value in found}


def reload(text):
    """Writes the file, has it read, and tells what the log says of that."""
    before, said = figures(), log.stat().st_size
    file.write_text(text)
    os.kill(pid, signal.SIGHUP)
    done = lambda now: now["success"] + now["failure"] > before["success"] + before["failure"]
    end = time.monotonic() + 10
    while not done(figures()) and time.monotonic() < end:
        time.sleep(0.02)
    assert done(figures()), "the reload is not over"
    time.sleep(0.05)
    return log.read_bytes()[said:].decode()


def peer(host):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.settimeout(0.5)
    return made


def hears(peer, number, word):
    """Whether a word of alice's arrives at a peer."""
    alice.send_channel(number, word)
    try:
        return peer.recvfrom(2048) == (word, alice.relayed)
    except TimeoutError:
        return False


near, far = peer("127.0.0.1"), peer("127.0.0.2")
alice = Client(("127.0.0.1", turn), "alice", "wonderland")
alice.allocate()
alice.bind_channel(0x4000, near.getsockname())
alice.bind_channel(0x4001, far.getsockname())
check("alice reaches both peers", hears(near, 0x4000, b"one") and hears(far, 0x4001, b"one"))

denied = written.replace("# deny", 'peers.deny = ["127.0.0.2/32"]')
said = reload(denied)
check("the log names the key that changed", "changed: turn.peers" in said and "next start" not in said, said)
check("a denied peer hears nothing more, by a channel that was bound", not hears(far, 0x4001, b"two"))
check("and the other peer does", hears(near, 0x4000, b"two"))
answers = [code(lambda: alice.permit(far.getsockname())), code(lambda: alice.bind_channel(0x4001, far.getsockname()))]
check("CreatePermission and ChannelBind for it are 403", answers == [403, 403], answers)

broken = denied.replace('"127.0.0.2/32"', '"127.0.0.2/33"').replace("alice", "mallory")
line = broken[: broken.index("127.0.0.2/33")].count("\n") + 1
before = figures()
said = reload(broken)
after = figures()
check("a malformed deny line is refused with file, line and key",
      f"{file}:{line}:" in said and "turn.peers.deny[0]" in said and "stay as they are" in said, said)
check("the failure is counted, and the last success is as it was",
      after["failure"] == before["failure"] + 1 and after["reload_successful"] == 0
      and after["reload_success_timestamp_seconds"] == before["reload_success_timestamp_seconds"], (before, after))
check("the old rules are kept, and the old users",
      not hears(far, 0x4001, b"three") and hears(near, 0x4000, b"three") and code(lambda: alice.refresh(600)) == 0)
missing = reload(denied + '\n[turn.admin]\ntoken_file = "/nowhere/token"\n')
check("a file that settings name and that is not there is refused too", "turn.admin.token_file" in missing, missing)

said = reload(written.replace("workers = 2", "workers = 3").replace("[metrics]", "[metrics] # moved"))
check("what takes effect at the next start is named, and that alone", "next start: turn.workers\n" in said, said)
check("the denied peer is opened again", "turn.peers" in said and hears(far, 0x4001, b"four"), said)
check("the success is seen", figures()["reload_successful"] == 1)

said = reload(written.replace("users.alice", "users.carol"))
answers = [code(lambda: alice.refresh(600)), code(lambda: alice.permit(near.getsockname()))]
check("a removed user's requests are 401", answers == [401, 401], answers)
check("and his allocation relays until it expires", hears(near, 0x4000, b"five"))
check("neither names nor passwords are in the log", "wonderland" not in said and "alice" not in said, said)
anew = [code(Client(("127.0.0.1", turn), name, "wonderland").allocate) for name in ("alice", "carol")]
check("he gets no new one, and the user who was added does", anew == [401, 0], anew)
reload(written)
check("he is believed again once he is back", code(lambda: alice.refresh(600)) == 0)
