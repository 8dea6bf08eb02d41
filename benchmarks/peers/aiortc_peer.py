"""aiortc at one end of the connection."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiortc
import anyio

from benchmarks.peers.base import BUFFERED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskStatus

    from benchmarks.peers.base import Meter
    from benchmarks.wire import Wire


class AiortcEndpoint:
    """A connection with one channel."""

    def __init__(self, connection: aiortc.RTCPeerConnection) -> None:
        self._connection = connection
        self._channel: Any = None  # aiortc.RTCDataChannel, whose emitter of events is not typed

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[AiortcEndpoint]:
        """Open the connection, without the STUN server that aiortc asks by default."""
        connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        try:
            yield cls(connection)
        finally:
            with anyio.CancelScope(shield=True):
                await connection.close()

    async def offer(self, wire: Wire) -> float:
        """Connect as the side that offers."""
        connection = self._connection
        self._channel = connection.createDataChannel("benchmark")
        opened = anyio.Event()
        self._channel.on("open", opened.set)
        started = time.monotonic()
        # aiortc gathers its candidates before this returns, and puts them into the description.
        await connection.setLocalDescription(await connection.createOffer())
        self._send_description(wire)
        answer = await wire.expect("description")
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(str(answer["sdp"]), "answer"))
        await opened.wait()
        took = time.monotonic() - started
        wire.send("connected")
        await wire.expect("connected")
        return took

    async def answer(self, wire: Wire) -> None:
        """Connect as the side that answers."""
        connection = self._connection
        received = anyio.Event()

        def keep_channel(channel: object) -> None:
            self._channel = channel
            received.set()

        connection.on("datachannel", keep_channel)
        offer = await wire.expect("description")
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(str(offer["sdp"]), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        self._send_description(wire)
        await received.wait()
        connection.remove_listener("datachannel", keep_channel)  # a second channel is not this one
        wire.send("connected")
        await wire.expect("connected")

    def _send_description(self, wire: Wire) -> None:
        wire.send("description", sdp=self._connection.localDescription.sdp)

    async def flood(self, message: bytes, count: int | None) -> None:
        """Send messages as fast as they go; aiortc's send never waits, so the sender looks at the queue.

        With a long queue of small messages aiortc is slower: 256 at most gives it its best rate.
        """
        channel = self._channel
        limit = min(BUFFERED, 256 * len(message))
        channel.bufferedAmountLowThreshold = limit // 2
        low = anyio.Event()

        def wake() -> None:
            low.set()

        channel.on("bufferedamountlow", wake)
        sent = 0
        while count is None or sent < count:
            while channel.bufferedAmount > limit:
                low = anyio.Event()
                await low.wait()
            channel.send(message)
            sent += 1

    async def sink(self, meter: Meter) -> None:
        """Count messages until cancelled."""

        def on_message(message: bytes) -> None:
            meter.messages += 1
            meter.size += len(message)

        self._channel.on("message", on_message)
        try:
            await anyio.sleep_forever()
        finally:
            self._channel.remove_listener("message", on_message)

    async def ping(self, message: bytes, count: int) -> list[float]:
        """Measure round trips."""
        channel = self._channel
        echoed = anyio.Event()

        def on_message(_: object) -> None:
            echoed.set()

        channel.on("message", on_message)
        times: list[float] = []
        for _ in range(count):
            echoed = anyio.Event()
            started = time.perf_counter()
            channel.send(message)
            await echoed.wait()
            times.append(time.perf_counter() - started)
        channel.remove_listener("message", on_message)
        return times

    async def echo(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Send every message back."""
        self._channel.on("message", self._channel.send)
        task_status.started()
        await anyio.sleep_forever()

    async def second_channel(self, wire: Wire, *, offering: bool) -> AiortcEndpoint:
        """Open another channel."""
        second = AiortcEndpoint(self._connection)
        opened = anyio.Event()
        if offering:
            await wire.expect("listening")
            second._channel = self._connection.createDataChannel("second")
            second._channel.on("open", opened.set)
            await opened.wait()
            return second

        def keep_channel(channel: object) -> None:
            second._channel = channel
            opened.set()

        self._connection.on("datachannel", keep_channel)
        wire.send("listening")
        await opened.wait()
        return second

    def cpu_seconds(self) -> float:
        """Processor time of this process."""
        return time.process_time()
