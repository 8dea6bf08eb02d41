"""peerix at one end of the connection."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from peerix.rtc import (
    Configuration,
    DataChannel,
    DataChannelReceived,
    IceCandidate,
    LocalCandidate,
    PeerConnection,
    SessionDescription,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskStatus

    from benchmarks.peers.base import Meter
    from benchmarks.wire import Wire


class PeerixEndpoint:
    """A connection with one channel."""

    def __init__(self, connection: PeerConnection) -> None:
        self._connection = connection
        self._channel: DataChannel | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, packet_size: int | None, congestion_control: str | None = None
    ) -> AsyncIterator[PeerixEndpoint]:
        """Open the connection; ``packet_size`` caps the UDP payload, None lets path-MTU discovery find it."""
        configuration = Configuration(max_packet_size=packet_size, congestion_control=congestion_control)
        async with PeerConnection(configuration) as connection:
            yield cls(connection)

    @property
    def channel(self) -> DataChannel:
        """The channel, once connected."""
        assert self._channel is not None
        return self._channel

    async def offer(self, wire: Wire) -> float:
        """Connect as the side that offers."""
        connection = self._connection
        self._channel = connection.create_data_channel("benchmark")
        took = 0.0
        async with anyio.create_task_group() as group:
            started = time.monotonic()
            group.start_soon(self._send_candidates, wire)
            description = await connection.create_offer()
            await connection.set_local_description(description)
            wire.send("description", json=json.dumps(description.to_json()))
            # The other end's last word, which may come first, ends the task that reads signalling.
            async with anyio.create_task_group() as reading:
                reading.start_soon(self._receive_signalling, wire)
                await self._channel.wait_open()
                took = time.monotonic() - started
                wire.send("connected")
            group.cancel_scope.cancel()
        return took

    async def answer(self, wire: Wire) -> None:
        """Connect as the side that answers."""
        async with anyio.create_task_group() as group, self._connection.events() as events:
            group.start_soon(self._receive_signalling, wire)
            async for event in events:
                if isinstance(event, LocalCandidate):
                    send_candidate(wire, event.candidate)
                elif isinstance(event, DataChannelReceived):
                    self._channel = event.channel
                    break
            wire.send("connected")
        # The other end's last word ends the task that reads signalling, and with it the group.

    async def _send_candidates(self, wire: Wire) -> None:
        async with self._connection.events() as events:
            async for event in events:
                if isinstance(event, LocalCandidate):
                    send_candidate(wire, event.candidate)

    async def _receive_signalling(self, wire: Wire) -> None:
        connection = self._connection
        while (word := await wire.receive())["kind"] != "connected":
            content = json.loads(str(word["json"]))
            if word["kind"] == "candidate":
                await connection.add_ice_candidate(content and IceCandidate.from_json(content))
                continue
            description = SessionDescription.from_json(content)
            await connection.set_remote_description(description)
            if description.type == "offer":
                answer = await connection.create_answer()
                await connection.set_local_description(answer)
                wire.send("description", json=json.dumps(answer.to_json()))

    async def flood(self, message: bytes, count: int | None) -> None:
        """Send messages as fast as they go."""
        send = self.channel.send
        if count is None:
            while True:
                await send(message)
        for _ in range(count):
            await send(message)

    async def sink(self, meter: Meter) -> None:
        """Count messages until cancelled."""
        async for message in self.channel:
            meter.messages += 1
            meter.size += len(message)

    async def ping(self, message: bytes, count: int) -> list[float]:
        """Measure round trips."""
        channel = self.channel
        times: list[float] = []
        for _ in range(count):
            started = time.perf_counter()
            await channel.send(message)
            await channel.receive()
            times.append(time.perf_counter() - started)
        return times

    async def echo(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Send every message back."""
        task_status.started()
        channel = self.channel
        async for message in channel:
            await channel.send(message)

    async def second_channel(self, wire: Wire, *, offering: bool) -> PeerixEndpoint:
        """Open another channel."""
        second = PeerixEndpoint(self._connection)
        if offering:
            await wire.expect("listening")
            second._channel = self._connection.create_data_channel("second")
            await second._channel.wait_open()
            return second
        async with self._connection.events() as events:
            wire.send("listening")
            async for event in events:
                if isinstance(event, DataChannelReceived):
                    second._channel = event.channel
                    break
        return second

    def cpu_seconds(self) -> float:
        """Processor time of this process."""
        return time.process_time()


def send_candidate(wire: Wire, candidate: IceCandidate | None) -> None:
    """Pass a candidate on, or the end of them."""
    wire.send("candidate", json=json.dumps(candidate and candidate.to_json()))
