"""What is measured, for any stack: each scenario is played by two ends, in one process or in two."""

from __future__ import annotations

import gc
import os
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import anyio
import psutil

from benchmarks.machine import granted_buffers
from benchmarks.peers import open_endpoint
from benchmarks.peers.base import FIRST_PAIRS, IDLE_PAIRS, MOVING_PAIRS, Meter, memory_of_pairs
from benchmarks.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.peers.base import Endpoint

Result: TypeAlias = "dict[str, float]"


@dataclass(slots=True, frozen=True)
class Job:
    """One measurement.

    :ivar relay_ports: the relay's ports that stand for the offering and the answering end; none without a relay.
    :ivar congestion_control: peerix's, None for its default.
    :ivar answer_stack: that of the answering end, if it is another one.
    """

    scenario: str
    stack: str
    backend: str
    packet_size: int | None
    processes: int
    seconds: float
    message_size: int = 65536
    count: int = 0
    relay_ports: Sequence[int] = ()
    congestion_control: str | None = None
    answer_stack: str | None = None

    def stack_of(self, role: str) -> str:
        """Name the stack of "offer", "answer" or "both"."""
        return self.answer_stack or self.stack if role == "answer" else self.stack


Opener: TypeAlias = "Callable[[], AbstractAsyncContextManager[Endpoint]]"
"""Opens an end of a connection."""


def opener_of(job: Job, role: str = "both") -> Opener:
    """What opens an end in this process."""
    return partial(open_endpoint, job.stack_of(role), job.packet_size, job.congestion_control)


async def offerer(job: Job, wire: Wire, open_end: Opener) -> Result:
    """Play the end that offers, and sends."""
    async with open_end() as endpoint:
        result = {"set_up": await endpoint.offer(wire)}
        result |= await SENDERS[job.scenario](job, endpoint, wire)
        wire.send("bye")
        await wire.expect("bye")
        return result


async def answerer(job: Job, wire: Wire, open_end: Opener) -> Result:
    """Play the end that answers, and receives."""
    async with open_end() as endpoint:
        await endpoint.answer(wire)
        result = await RECEIVERS[job.scenario](job, endpoint, wire)
        wire.send("bye")
        await wire.expect("bye")
        return result


async def send_for_a_time(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Flood the channel until the receiver has seen enough."""
    result: Result = {}
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.flood, os.urandom(job.message_size), None)
        await wire.expect("started")
        cpu = endpoint.cpu_seconds()
        await wire.expect("stop")
        result["send_cpu"] = endpoint.cpu_seconds() - cpu
        group.cancel_scope.cancel()
    return result


async def receive_for_a_time(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Count what arrives in a window that starts with the first message: slow start is inside."""
    meter = Meter()
    result: Result = {}
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.sink, meter)
        await meter.reach(1)
        wire.send("started")
        started, cpu, size, messages = time.perf_counter(), endpoint.cpu_seconds(), meter.size, meter.messages
        await anyio.sleep(job.seconds)
        result["seconds"] = time.perf_counter() - started
        result["receive_cpu"] = endpoint.cpu_seconds() - cpu
        result["bytes"] = meter.size - size
        result["messages"] = meter.messages - messages
        wire.send("stop")
        group.cancel_scope.cancel()
    if buffers := granted_buffers():
        result["receive_buffer"] = max(receive for receive, _ in buffers)
        result["send_buffer"] = max(send for _, send in buffers)
    return result


async def send_a_volume(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Send a fixed number of messages and wait until the other end has them all."""
    started, cpu = time.perf_counter(), endpoint.cpu_seconds()
    await endpoint.flood(os.urandom(job.message_size), job.count)
    await wire.expect("all")
    return {"seconds": time.perf_counter() - started, "send_cpu": endpoint.cpu_seconds() - cpu}


async def receive_a_volume(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Count until all are there."""
    meter = Meter()
    result: Result = {}
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.sink, meter)
        await meter.reach(1)
        cpu = endpoint.cpu_seconds()
        await meter.reach(job.count)
        result["receive_cpu"] = endpoint.cpu_seconds() - cpu
        group.cancel_scope.cancel()
    wire.send("all")
    return result | {"bytes": meter.size, "messages": meter.messages}


async def send_pings(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Measure round trips, after some that do not count."""
    await wire.expect("ready")
    await endpoint.ping(bytes(job.message_size), job.count // 10)
    times = await endpoint.ping(bytes(job.message_size), job.count)
    wire.send("stop")
    cuts = statistics.quantiles(times, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


async def receive_pings(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Echo until told to stop."""
    async with anyio.create_task_group() as group:
        await group.start(endpoint.echo)
        wire.send("ready")
        await wire.expect("stop")
        group.cancel_scope.cancel()
    return {}


async def send_pings_beside(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Flood one channel and measure round trips on another; one that takes longer than the window counts as that long.

    The native stacks may send nothing of a second channel as long as the first has messages queued.
    """
    second = await endpoint.second_channel(wire, offering=True)
    await wire.expect("ready")
    times: list[float] = []
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.flood, os.urandom(job.message_size), None)
        end = time.monotonic() + job.seconds
        while time.monotonic() < end:
            with anyio.move_on_after(job.seconds) as patience:
                times += await second.ping(bytes(64), 1)
            if patience.cancelled_caught:
                times.append(job.seconds)
        wire.send("stop")
        await wire.expect("stopped")
        group.cancel_scope.cancel()
    cuts = statistics.quantiles(times if len(times) > 1 else times * 2, n=20, method="inclusive")
    return {"p50": cuts[9], "p95": cuts[18], "pings": len(times)}


async def echo_beside(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """Count what comes on one channel and echo the other."""
    meter = Meter()
    second = await endpoint.second_channel(wire, offering=False)
    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.sink, meter)
        await group.start(second.echo)
        wire.send("ready")
        await wire.expect("stop")
        group.cancel_scope.cancel()
    wire.send("stopped")
    return {"bytes": meter.size, "seconds": time.perf_counter() - started}


async def only_connect(job: Job, endpoint: Endpoint, wire: Wire) -> Result:
    """For the set-up time there is nothing more to do."""
    return {}


Player: TypeAlias = "Callable[[Job, Endpoint, Wire], Awaitable[Result]]"

SENDERS: dict[str, Player] = {
    "flood": send_for_a_time,
    "volume": send_a_volume,
    "ping": send_pings,
    "beside": send_pings_beside,
    "connect": only_connect,
}
RECEIVERS: dict[str, Player] = {
    "flood": receive_for_a_time,
    "volume": receive_a_volume,
    "ping": receive_pings,
    "beside": echo_beside,
    "connect": only_connect,
}


async def both(job: Job, open_end: Opener) -> Result:
    """Play both ends in one process."""
    result: Result = {}
    first, second = Wire.pair()

    async def play(end: Callable[[Job, Wire, Opener], Awaitable[Result]], wire: Wire) -> None:
        result.update(await end(job, wire, open_end))

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(play, offerer, first)
            group.start_soon(play, answerer, second)
    finally:
        first.close()
        second.close()
    return result


async def connect_often(job: Job) -> Result:
    """Set up ``count`` connections, one after the other; the first does not count."""
    times = [(await both(job, opener_of(job)))["set_up"] for _ in range(job.count + 1)]
    return {"median": statistics.median(times[1:]), "worst": max(times[1:])}


async def connected_pairs(job: Job) -> Result:
    """Memory: what a connected pair holds idle, and after it has moved ``message_size * count`` bytes.

    The first pairs take what the process needs only once, to connect; all stay connected.
    """
    async with AsyncExitStack() as stack:
        first = [await connect_pair(job, stack) for _ in range(FIRST_PAIRS)]
        before = resident_size()
        pairs = [await connect_pair(job, stack) for _ in range(IDLE_PAIRS)]
        idle = resident_size()
        moved = [idle]
        for pair in (first[0], *pairs[:MOVING_PAIRS]):
            await move(job, pair, job.count)
            moved.append(resident_size())
    return memory_of_pairs((idle - before) / IDLE_PAIRS, moved)


async def connect_pair(job: Job, stack: AsyncExitStack) -> tuple[Endpoint, Endpoint]:
    """Connect two ends that stay until the stack unwinds."""
    first, second = Wire.pair()
    stack.callback(first.close)
    stack.callback(second.close)
    one = await stack.enter_async_context(opener_of(job)())
    two = await stack.enter_async_context(opener_of(job)())
    async with anyio.create_task_group() as group:
        group.start_soon(one.offer, first)
        group.start_soon(two.answer, second)
    return one, two


async def move(job: Job, pair: tuple[Endpoint, Endpoint], count: int) -> None:
    """Send messages from one end to the other."""
    meter = Meter()
    async with anyio.create_task_group() as group:
        group.start_soon(pair[1].sink, meter)
        await pair[0].flood(bytes(job.message_size), count)
        await meter.reach(count)
        group.cancel_scope.cancel()


def resident_size() -> int:
    """Bytes of memory that the process has, garbage aside."""
    gc.collect()
    return psutil.Process().memory_info().rss
