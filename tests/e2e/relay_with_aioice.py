"""Two aioice connections, then two aiortc peers, that may use nothing but this server's relays.

usage: relay_with_aioice.py HOST PORT USERNAME PASSWORD [udp|tcp|tls]

With tls, SSL_CERT_FILE names the certificates of the authorities to believe.
"""

import asyncio
import sys

import aioice
from aioice.ice import TransportPolicy
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

HOST, PORT, USERNAME, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
TRANSPORT = sys.argv[5] if len(sys.argv) > 5 else "udp"
URI = {
    "udp": f"turn:{HOST}:{PORT}?transport=udp",
    "tcp": f"turn:{HOST}:{PORT}?transport=tcp",
    "tls": f"turns:{HOST}:{PORT}?transport=tcp",
}[TRANSPORT]
DATAGRAMS = 50


def ice_connection(controlling):
    return aioice.Connection(
        ice_controlling=controlling,
        turn_server=(HOST, PORT),
        turn_username=USERNAME,
        turn_password=PASSWORD,
        turn_ssl=TRANSPORT == "tls",
        turn_transport="udp" if TRANSPORT == "udp" else "tcp",
        transport_policy=TransportPolicy.RELAY,
    )


async def two_ice_connections():
    left, right = ice_connection(True), ice_connection(False)
    for one in (left, right):
        await one.gather_candidates()
        kinds = {candidate.type for candidate in one.local_candidates}
        assert kinds == {"relay"}, f"only relay candidates are allowed, not {kinds}"
    for one, other in ((left, right), (right, left)):
        for candidate in other.local_candidates:
            await one.add_remote_candidate(candidate)
        await one.add_remote_candidate(None)
        one.remote_username, one.remote_password = other.local_username, other.local_password
    await asyncio.gather(left.connect(), right.connect())
    for one, other, word in ((left, right, b"there"), (right, left, b"back")):
        for number in range(DATAGRAMS):
            sent = b"%s %d " % (word, number) + bytes(number * 20)
            await one.send(sent)
            received = await other.recv()
            assert received == sent, f"sent {sent[:20]}, received {received[:20]}"
    await asyncio.gather(left.close(), right.close())


async def two_webrtc_peers():
    server = RTCIceServer(URI, USERNAME, PASSWORD)
    only_relays = RTCConfiguration([server], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
    left, right = RTCPeerConnection(only_relays), RTCPeerConnection(only_relays)
    answers, arrived = asyncio.Queue(), asyncio.Queue()

    @right.on("datachannel")
    def on_datachannel(channel):
        @channel.on("message")
        def on_message(message):
            arrived.put_nowait(message)
            channel.send(f"echo of {message}")

    channel = left.createDataChannel("chat")
    channel.on("message", answers.put_nowait)
    opened = asyncio.Event()
    channel.on("open", opened.set)

    await left.setLocalDescription(await left.createOffer())
    await right.setRemoteDescription(only_relays_in(left.localDescription))
    await right.setLocalDescription(await right.createAnswer())
    await left.setRemoteDescription(only_relays_in(right.localDescription))
    await opened.wait()
    for number in range(DATAGRAMS):
        channel.send(f"message {number}")
        assert await arrived.get() == f"message {number}"
        assert await answers.get() == f"echo of message {number}"
    await asyncio.gather(left.close(), right.close())


def only_relays_in(description):
    """Passes a description on, if the only way it offers is the server."""
    candidates = [line for line in description.sdp.splitlines() if line.startswith("a=candidate:")]
    assert candidates and all(" typ relay" in line for line in candidates), candidates
    return description


async def main():
    for sentence, check in (
        ("two aioice connections exchange data relay to relay", two_ice_connections),
        ("two aiortc peers exchange messages on a data channel, relay to relay", two_webrtc_peers),
    ):
        await asyncio.wait_for(check(), 30)
        print("passed:", sentence, "over", TRANSPORT, flush=True)


asyncio.run(main())
