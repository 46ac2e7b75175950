"""Takes a credential back and looks what it is still good for."""

import argparse
import json
import pathlib
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from turn_client import Client, code
from verdict import check


def post(path, body=None, key=None):
    """Asks, and returns status and text of the answer."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, method="POST", headers=headers, data=json.dumps(body or {}).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def credential(user):
    status, text = post("/v1/turn/keys/any/credentials/generate-ice-servers", {"customIdentifier": user}, key)
    assert status == 201, (status, text)
    relays = [server for server in json.loads(text)["iceServers"] if "username" in server]
    assert len(relays) == 1, text
    return relays[0]["username"], relays[0]["credential"]


def revoke(username, by=None):
    path = f"/v1/turn/keys/any/credentials/{urllib.parse.quote(username, safe='')}/revoke"
    return post(path, key=by or key)


def at_work(port, given):
    """A client with an allocation and a channel to the peer."""
    client = Client(("127.0.0.1", port), *given)
    client.allocate()
    client.bind_channel(0x4000, peer.getsockname())
    return client


def relays(client, word):
    """Whether a word of the client's arrives at the peer, of its own relay or not at all."""
    client.send_channel(0x4000, word)
    until = time.monotonic() + 1
    while (left := until - time.monotonic()) > 0:
        peer.settimeout(left)
        try:
            if peer.recvfrom(2048) == (word, client.relayed):
                return True
        except TimeoutError:
            pass
    return False


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--one-is-gone", action="store_true", help="the first relay is there, b is not")
parser.add_argument("--leave", type=pathlib.Path, help="a file for the credential that was taken back")
parser.add_argument("--left", type=pathlib.Path, help="such a file: look only what that credential is good for")
parser.add_argument("url")
parser.add_argument("key")
parser.add_argument("ports", type=int, nargs="+")
arguments = parser.parse_args()
url, key, ports = arguments.url, arguments.key, arguments.ports
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("127.0.0.1", 0))

carol, dave = credential("carol"), credential("dave")
if arguments.left:
    left = json.loads(arguments.left.read_text())
    codes = [code(Client(("127.0.0.1", port), *given).allocate) for port in ports for given in (left, carol)]
    check("after a restart the revoked credential is refused, and a fresh one is not", codes == [401, 0] * len(ports), codes)
    sys.exit()
if arguments.one_is_gone:
    client = at_work(ports[0], carol)
    status, text = revoke(carol[0])
    named = [node["node"] for node in json.loads(text)["nodes"]]
    check("a relay that is gone is named in a 502", (status, named) == (502, ["b"]), text)
    check("the other relay was told all the same", not relays(client, b"late"))
    sys.exit()

places = ", ".join(str(port) for port in ports)
theirs = {port: (at_work(port, carol), at_work(port, dave)) for port in ports}
check(f"both users' allocations relay ({places})", all(relays(one, b"hello") for both in theirs.values() for one in both))
refused = [revoke(carol[0], "a-wrong-key-of-some-length")[0], revoke("carol")[0]]
check("a wrong key gets 403 and a name without expiry 400", refused == [403, 400], refused)
check("and neither has ended anything", all(relays(one, b"still") for one, _ in theirs.values()))

status, text = revoke(carol[0])
check("a revocation is answered 204 without a body", (status, text) == (204, ""), (status, text))
check("the allocations of the revoked username relay nothing any more", not any(relays(one, b"late") for one, _ in theirs.values()))
refusals = [code(act) for one, _ in theirs.values() for act in (lambda: one.refresh(600), lambda: one.permit(peer.getsockname()))]
check("its requests are answered 401", set(refusals) == {401}, refusals)
anew = [code(Client(("127.0.0.1", port), *carol).allocate) for port in ports]
check("so is a new Allocate", set(anew) == {401}, anew)
check("the other user's allocations go on", all(relays(other, b"unharmed") for _, other in theirs.values()))
others = [code(Client(("127.0.0.1", port), *dave).allocate) for port in ports]
check("and he gets new ones", set(others) == {0}, others)
if arguments.leave:
    arguments.leave.write_text(json.dumps(carol))
time.sleep(1.1)
again = credential("carol")
fresh = [code(Client(("127.0.0.1", port), *again).allocate) for port in ports]
check("a fresh credential of the revoked user is good", set(fresh) == {0}, fresh)
check("revoking again is answered alike", revoke(carol[0])[0] == 204)
