"""Stacks that are no Python: a program has the ends of the connections (``node/agent.js``) and does what it is asked.

Messages and time are the program's own affair; Python passes the signalling on, and asks how many have arrived.
"""

from __future__ import annotations

import abc
import json
import statistics
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.peers.base import FIRST_PAIRS, IDLE_PAIRS, MOVING_PAIRS, memory_of_pairs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psutil
    from anyio.abc import TaskStatus

    from benchmarks.peers.base import Meter
    from benchmarks.peers.exchange import Exchange
    from benchmarks.scenarios import Job, Result
    from benchmarks.wire import Wire

LOOK = 0.02  # seconds from one look at what has arrived to the next


class Agent(abc.ABC):
    """A running program.

    :param process: its process; those that it started belong to it.
    """

    def __init__(self, exchange: Exchange, process: psutil.Process) -> None:
        self._exchange = exchange
        self._process = process

    @abc.abstractmethod
    def request(self, op: str, given: dict[str, object]) -> dict[str, Any]:
        """Put an operation into the program's words."""

    @abc.abstractmethod
    def result(self, reply: Any) -> Any:
        """Take the result out of its reply.

        :raises ForeignError: the operation failed.
        """

    async def ask(self, op: str, **given: object) -> Any:
        """Ask for an operation and wait for its result.

        :raises ForeignError: it failed.
        """
        return self.result(await self._exchange.ask(self.request(op, given)))

    def tell(self, op: str, **given: object) -> None:
        """Ask for an operation that has no result."""
        self._exchange.send(self.request(op, given))

    def cpu_seconds(self) -> float:
        """Processor time that the program and those that it started have taken so far."""
        times = [process.cpu_times() for process in (self._process, *self._process.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def resident_size(self) -> int:
        """Bytes of memory that the program has."""
        return self._process.memory_info().rss

    @asynccontextmanager
    async def open_end(self) -> AsyncIterator[ForeignEndpoint]:
        """Open a connection."""
        end = await self.ask("open")
        try:
            yield ForeignEndpoint(self, end)
        finally:
            with anyio.CancelScope(shield=True):
                await self.ask("close", end=end)


class ForeignEndpoint:
    """A connection with one channel, in the program."""

    def __init__(self, agent: Agent, connection: int, channel: int | None = None) -> None:
        self._agent = agent
        self._connection = connection
        self._channel = connection if channel is None else channel

    async def offer(self, wire: Wire) -> float:
        """Connect as the side that offers."""
        return float(await self._connect(wire, "offer"))

    async def answer(self, wire: Wire) -> None:
        """Connect as the side that answers."""
        self._channel = await self._connect(wire, "next")

    async def _connect(self, wire: Wire, op: str) -> Any:
        over = anyio.Event()
        result: Any = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._send_signals, wire)
            group.start_soon(self._take_signals, wire, over)
            result = await self._agent.ask(op, end=self._connection)
            wire.send("connected")
            await over.wait()
            group.cancel_scope.cancel()
        return result

    async def _send_signals(self, wire: Wire) -> None:
        while True:
            signal = await self._agent.ask("signal", end=self._connection)
            wire.send(signal["kind"], json=json.dumps(signal["content"]))

    async def _take_signals(self, wire: Wire, over: anyio.Event) -> None:
        while (word := await wire.receive())["kind"] != "connected":
            content = json.loads(str(word["json"]))
            if content is not None:  # the end of the candidates
                await self._agent.ask("take", end=self._connection, kind=word["kind"], content=content)
        over.set()

    async def flood(self, message: bytes, count: int | None) -> None:
        """Send messages of this size as fast as they go."""
        try:
            await self._agent.ask("flood", end=self._channel, size=len(message), count=count)
        finally:
            self._agent.tell("stop", end=self._channel)

    async def sink(self, meter: Meter) -> None:
        """Count messages until cancelled."""
        while True:
            counted = await self._agent.ask("count", end=self._channel)
            meter.messages, meter.size = counted["messages"], counted["bytes"]
            await anyio.sleep(LOOK)

    async def ping(self, message: bytes, count: int) -> list[float]:
        """Measure round trips."""
        times: list[float] = await self._agent.ask("ping", end=self._channel, size=len(message), count=count)
        return times

    async def echo(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Send every message back."""
        await self._agent.ask("echo", end=self._channel)
        task_status.started()
        await anyio.sleep_forever()

    async def second_channel(self, wire: Wire, *, offering: bool) -> ForeignEndpoint:
        """Open another channel."""
        if offering:
            await wire.expect("listening")
        else:
            wire.send("listening")
        channel = await self._agent.ask("second" if offering else "next", end=self._connection)
        return ForeignEndpoint(self._agent, self._connection, channel)

    def cpu_seconds(self) -> float:
        """Processor time of the program."""
        return self._agent.cpu_seconds()


async def connect_often(job: Job, agent: Agent) -> Result:
    """Set up ``count`` connections in the program, which passes their signals on itself; the first does not count."""
    times: list[float] = await agent.ask("connectOften", count=job.count + 1)
    return {"median": statistics.median(times[1:]), "worst": max(times[1:])}


async def connected_pairs(job: Job, agent: Agent) -> Result:
    """Memory of pairs that the program connects, as `benchmarks.scenarios.connected_pairs` has it for Python."""

    async def connect(pairs: int) -> int:
        await agent.ask("connectPairs", count=pairs)
        return await resident_size()

    async def move(pair: int) -> int:
        await agent.ask("move", pair=pair, size=job.message_size, count=job.count)
        return await resident_size()

    async def resident_size() -> int:
        await agent.ask("collect")
        return agent.resident_size()

    before = await connect(FIRST_PAIRS)
    idle = await connect(IDLE_PAIRS)
    moved = [idle] + [await move(pair) for pair in (0, *range(FIRST_PAIRS, FIRST_PAIRS + MOVING_PAIRS))]
    return memory_of_pairs((idle - before) / IDLE_PAIRS, moved)
