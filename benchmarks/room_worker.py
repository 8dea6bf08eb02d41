"""A member of a room for a benchmark: ``python -m benchmarks.room_worker JOB ROLE``, its result on stdout."""

from __future__ import annotations

import re
import statistics
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import anyio

from benchmarks.process import run_job
from peerix import BroadcastDriver, Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerix import Transfer

Result: TypeAlias = "dict[str, float]"

ADDRESS = "127.0.0.1"
LABEL = "benchmark"
SIZE = 64
WINDOW = 4096
END = "end"
_PORT = re.compile(rb"127\.0\.0\.1 \d{5} typ host")


@dataclass(slots=True, frozen=True)
class RoomJob:
    """One measurement between two members.

    :ivar relay_ports: the ports of a relay, that of the sender first; none for a direct path.
    :ivar count: messages, for those that are counted.
    :ivar seconds: how long to send, for those that are timed.
    """

    scenario: str
    backend: str
    room: str
    relay_ports: Sequence[int] = ()
    count: int = 0
    seconds: float = 0.0


class RelayedDriver(BroadcastDriver):
    """Tells the others the relay's port in place of ours. The packets keep their length, and are not encrypted."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._relayed = b"127.0.0.1 %d typ host" % port

    async def publish(self, namespace: str, data: bytes) -> None:
        await super().publish(namespace, _PORT.sub(self._relayed, data))


@asynccontextmanager
async def member(job: RoomJob, number: int) -> AsyncIterator[Peer]:
    """Enter the room, and wait for the other one."""
    driver = RelayedDriver(job.relay_ports[number]) if job.relay_ports else BroadcastDriver()
    plain = not job.relay_ports
    async with (
        driver,
        Peer(driver=driver, addresses=(ADDRESS,), signaling_encryption=plain, signaling_compression=plain) as peer,
    ):
        await peer.open(LABEL)
        await peer.join(job.room)
        await peer.wait_open(LABEL)
        yield peer


async def send_for_a_time(job: RoomJob, peer: Peer) -> Result:
    """Send small messages, many of them under way, and wait until each is acknowledged."""
    await peer.send("begin", LABEL)
    waiting: deque[Transfer] = deque()
    started, cpu = time.perf_counter(), time.process_time()
    count = acknowledged = 0
    while time.perf_counter() - started < job.seconds:
        waiting.append(peer.send(count.to_bytes(SIZE, "big"), LABEL))
        count += 1
        if len(waiting) > WINDOW:
            acknowledged += len(await waiting.popleft())
    for transfer in waiting:
        acknowledged += len(await transfer)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    await peer.send(END, LABEL)
    return {"seconds": seconds, "sent": count, "acknowledged": acknowledged, "send_cpu": cpu}


async def send_one_by_one(job: RoomJob, peer: Peer) -> Result:
    """Await each message before the next."""
    times: list[float] = []
    for _ in range(job.count + job.count // 10):
        started = time.perf_counter()
        await peer.send(bytes(SIZE), LABEL)
        times.append(time.perf_counter() - started)
    await peer.send(END, LABEL)
    cuts = statistics.quantiles(times[job.count // 10 :], n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


async def receive(job: RoomJob, peer: Peer) -> Result:
    """Take messages until told to stop; those of `send_for_a_time` are numbered."""
    received = misplaced = 0
    cpu = time.process_time()
    async with peer.events("channel:message") as messages:
        async for event in messages:
            data = await event.data
            if data == END:
                break
            if isinstance(data, bytes):
                misplaced += int.from_bytes(data, "big") != received
                received += 1
    await anyio.sleep(0.2)  # for the acknowledgement to leave before the connection does
    return {"received": received, "misplaced": misplaced, "receive_cpu": time.process_time() - cpu}


SENDERS = {"small": send_for_a_time, "ping": send_one_by_one}


async def play(job: RoomJob, role: str) -> Result:
    """Play one of the two."""
    with anyio.fail_after(job.seconds + 120):
        async with member(job, 0 if role == "send" else 1) as peer:
            return await (SENDERS[job.scenario] if role == "send" else receive)(job, peer)


if __name__ == "__main__":
    run_job(RoomJob, play)
