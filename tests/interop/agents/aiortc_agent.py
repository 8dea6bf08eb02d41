"""An aiortc peer that does what it is asked to: requests and replies are lines of JSON on stdin and stdout.

The operations are those of `webrtc.js`. aiortc needs asyncio, so it has a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import aioice.ice
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from tests.interop.agents import aiortc_media

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HIGH_WATER = 1 << 20
PATTERN = bytes(range(251))


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.002)


class Channel:
    def __init__(self, native: RTCDataChannel) -> None:
        self.native = native
        self.messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        native.on("message", self.messages.put_nowait)
        native.on("close", lambda: self.messages.put_nowait(None))

    async def receive(self) -> str | bytes:
        message = await self.messages.get()
        if message is None:
            raise EOFError("the channel is closed")
        return message


class Connection:
    def __init__(self) -> None:
        self.native = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channels: asyncio.Queue[int] = asyncio.Queue()
        self.native.on("datachannel", lambda channel: self.channels.put_nowait(keep(channel)))
        self.tracks: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.native.on("track", self._keep_track)

    def _keep_track(self, track: MediaStreamTrack) -> None:
        tracks.append(track)
        transceiver = next(each for each in self.native.getTransceivers() if each.receiver.track is track)
        described: dict[str, object] = {"track": len(tracks) - 1, "kind": track.kind, "streams": []}
        self.tracks.put_nowait(described | keep_transceiver(transceiver))


connections: list[Connection] = []
channels: list[Channel] = []
transceivers: list[RTCRtpTransceiver] = []
tracks: list[MediaStreamTrack] = []


def keep(native: RTCDataChannel) -> int:
    channels.append(Channel(native))
    return len(channels) - 1


def keep_transceiver(native: RTCRtpTransceiver) -> dict[str, int]:
    transceivers.append(native)
    return {"transceiver": len(transceivers) - 1}


async def connect() -> dict[str, int]:
    connections.append(Connection())
    return {"connection": len(connections) - 1}


async def offer(connection: int, **_: object) -> dict[str, str]:
    native = connections[connection].native
    await native.setLocalDescription(await native.createOffer())
    return {"type": "offer", "sdp": native.localDescription.sdp}


async def answer(connection: int, description: dict[str, str], **_: object) -> dict[str, str]:
    native = connections[connection].native
    await native.setRemoteDescription(RTCSessionDescription(**description))
    await native.setLocalDescription(await native.createAnswer())
    return {"type": "answer", "sdp": native.localDescription.sdp}


async def take_offer(connection: int, description: dict[str, str]) -> None:
    await connections[connection].native.setRemoteDescription(RTCSessionDescription(**description))


async def make_answer(connection: int, **_: object) -> dict[str, str]:
    native = connections[connection].native
    await native.setLocalDescription(await native.createAnswer())
    return {"type": "answer", "sdp": native.localDescription.sdp}


async def accept(connection: int, description: dict[str, str]) -> None:
    await connections[connection].native.setRemoteDescription(RTCSessionDescription(**description))


async def add_candidate(connection: int, candidate: dict[str, Any] | None) -> None:
    parsed = None
    if candidate is not None and candidate["candidate"]:
        parsed = candidate_from_sdp(candidate["candidate"].partition(":")[2])
        parsed.sdpMid, parsed.sdpMLineIndex = candidate["sdpMid"], candidate["sdpMLineIndex"]
    await connections[connection].native.addIceCandidate(parsed)


async def state(connection: int) -> dict[str, object]:
    native = connections[connection].native
    return {
        "signalingState": native.signalingState,
        "connectionState": native.connectionState,
        "iceConnectionState": native.iceConnectionState,
        "maxMessageSize": None,
    }


async def end(connection: int) -> None:
    await connections[connection].native.close()


async def add_transceiver(
    connection: int, kind: str, direction: str, source: dict[str, Any] | None = None
) -> dict[str, int]:
    sent = kind if source is None else aiortc_media.source(source)
    return keep_transceiver(connections[connection].native.addTransceiver(sent, direction=direction))


async def add_track(connection: int, source: dict[str, Any]) -> dict[str, int]:
    native = connections[connection].native
    sender = native.addTrack(aiortc_media.source(source))
    return keep_transceiver(next(each for each in native.getTransceivers() if each.sender is sender))


async def replace_track(connection: int, transceiver: int, source: dict[str, Any] | None) -> None:
    track = None if source is None else aiortc_media.source(source)
    transceivers[transceiver].sender.replaceTrack(track)


async def next_track(connection: int) -> dict[str, object]:
    return await connections[connection].tracks.get()


async def track_state(track: int) -> dict[str, object]:
    return {"readyState": tracks[track].readyState}


async def stop_transceiver(transceiver: int, **_: object) -> None:
    await transceivers[transceiver].stop()


async def picture(track: int) -> dict[str, object]:
    return await aiortc_media.picture(tracks[track])


async def sound(track: int) -> dict[str, object]:
    return await aiortc_media.sound(tracks[track])


async def create_channel(connection: int, label: str, options: dict[str, Any]) -> dict[str, int]:
    return {"channel": keep(connections[connection].native.createDataChannel(label, **options))}


async def next_channel(connection: int) -> dict[str, int]:
    return {"channel": await connections[connection].channels.get()}


async def describe(channel: int) -> dict[str, object]:
    names = "label protocol id ordered negotiated maxRetransmits maxPacketLifeTime readyState"
    return {name: getattr(channels[channel].native, name) for name in names.split()}


async def opened(channel: int) -> None:
    await until(lambda: channels[channel].native.readyState == "open")


async def closed(channel: int) -> None:
    await until(lambda: channels[channel].native.readyState == "closed")


async def send(channel: int, text: str | None = None, base64: str | None = None) -> None:
    channels[channel].native.send(from_base64(base64 or "") if text is None else text)


def from_base64(text: str) -> bytes:
    return base64.b64decode(text)


async def receive(channel: int) -> dict[str, str]:
    data = await channels[channel].receive()
    return {"text": data} if isinstance(data, str) else {"base64": base64.b64encode(data).decode()}


async def pour(channel: int, size: int, count: int) -> None:
    native = channels[channel].native
    pattern = PATTERN * (size // len(PATTERN) + 2)
    for number in range(count):
        await until(lambda: native.bufferedAmount <= HIGH_WATER)
        start = number * size % len(PATTERN)
        native.send(pattern[start : start + size])


async def drink(channel: int, length: int) -> dict[str, object]:
    parts: list[bytes] = []
    started = time.monotonic()
    missing = length
    while missing > 0:
        part = await channels[channel].receive()
        assert isinstance(part, bytes)
        parts.append(part)
        missing -= len(part)
    whole = b"".join(parts)
    right = whole == (PATTERN * (length // len(PATTERN) + 1))[:length]
    return {"right": right, "seconds": time.monotonic() - started}


async def close(channel: int) -> None:
    channels[channel].native.close()


OPERATIONS: dict[str, Callable[..., Awaitable[object]]] = {
    "connect": connect,
    "offer": offer,
    "answer": answer,
    "takeOffer": take_offer,
    "makeAnswer": make_answer,
    "accept": accept,
    "addCandidate": add_candidate,
    "state": state,
    "end": end,
    "addTransceiver": add_transceiver,
    "addTrack": add_track,
    "replaceTrack": replace_track,
    "nextTrack": next_track,
    "stopTransceiver": stop_transceiver,
    "trackState": track_state,
    "picture": picture,
    "sound": sound,
    "createChannel": create_channel,
    "nextChannel": next_channel,
    "describe": describe,
    "opened": opened,
    "closed": closed,
    "send": send,
    "receive": receive,
    "pour": pour,
    "drink": drink,
    "close": close,
}


async def handle(number: int, request: dict[str, Any]) -> None:
    reply: dict[str, object] = {"id": number}
    try:
        reply["result"] = await OPERATIONS[request.pop("op")](**request)
    except Exception as error:  # noqa: BLE001 - it is the asker's to judge
        reply["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(reply), flush=True)


async def serve() -> None:
    # Without this it offers every address but the loopback one, and the packets of tests stay on loopback.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"] if use_ipv4 else []
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        request = json.loads(line)
        task = asyncio.create_task(handle(request.pop("id"), request))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    for connection in connections:
        await connection.native.close()


if __name__ == "__main__":
    asyncio.run(serve())
