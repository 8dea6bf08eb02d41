"""`peerix bench`: what a data channel carries on this machine."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from peerix.cli.exits import CommandError, Exit
from peerix.cli.text import rate_text
from peerix.core.errors import PeerixError
from peerix.rtc import Configuration, DataChannelReceived, PeerConnection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from peerix.cli.output import Output
    from peerix.cli.settings import Settings
    from peerix.rtc import DataChannel, EventStream

LOOPBACK = ("127.0.0.1",)
"""Measured on unless other addresses are asked for."""

SET_UP_LIMIT = 10.0
"""Seconds that connecting may take."""

_LARGE = 64 * 1024
_SMALL = 64
_ROUNDS = 500
_END = b""
_MICRO = 1_000_000


async def bench(settings: Settings, seconds: float, output: Output) -> Exit:
    """Measure each figure for so many seconds; both ends run in this one process."""
    try:
        async with _connected(settings.addresses() or LOOPBACK) as (one, other, set_up):
            milliseconds = set_up * 1000
            output.result("set_up", f"connecting      {milliseconds:10.1f} ms", milliseconds=round(milliseconds, 1))
            await _round_trip(one, other, output)
            rate = await _throughput(one, other, _LARGE, seconds)
            text = f"throughput      {rate_text(rate * _LARGE, 1):>13}   (messages of {_LARGE // 1024} KiB)"
            output.result("throughput", text, bytes_per_second=round(rate * _LARGE), message_size=_LARGE)
            rate = await _throughput(one, other, _SMALL, seconds)
            text = f"small messages  {rate:10,.0f} /s   (of {_SMALL} bytes)"
            output.result("small_messages", text, messages_per_second=round(rate), message_size=_SMALL)
    except PeerixError as error:
        raise CommandError(f"the measurement failed: {error}") from error
    except TimeoutError:
        raise CommandError(f"no connection within {SET_UP_LIMIT:g} s") from None
    where = ", ".join(settings.address) or "loopback"
    output.remark("note", f"Both ends in one process on one core, over {where}, on {settings.backend}.")
    return Exit.DONE


@asynccontextmanager
async def _connected(addresses: Sequence[str]) -> AsyncGenerator[tuple[DataChannel, DataChannel, float]]:
    configuration = Configuration(addresses=addresses)
    started = perf_counter()
    async with (
        PeerConnection(configuration) as offerer,
        PeerConnection(configuration) as answerer,
        answerer.events() as events,
    ):
        with anyio.fail_after(SET_UP_LIMIT):
            ours = offerer.create_data_channel("bench")
            await offerer.set_local_description()
            assert offerer.local_description is not None
            await answerer.set_remote_description(offerer.local_description)
            await answerer.set_local_description()
            assert answerer.local_description is not None
            await offerer.set_remote_description(answerer.local_description)
            await ours.wait_open()
            theirs = await _next_channel(events)
        yield ours, theirs, perf_counter() - started


async def _next_channel(events: EventStream) -> DataChannel:
    async for event in events:
        if isinstance(event, DataChannelReceived):
            return event.channel
    raise CommandError("the connection ended before a channel came")


async def _round_trip(one: DataChannel, other: DataChannel, output: Output) -> None:
    async def answer() -> None:
        for _ in range(_ROUNDS):
            await other.send(await other.receive())

    started = perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        for _ in range(_ROUNDS):
            await one.send(bytes(_SMALL))
            await one.receive()
    micros = (perf_counter() - started) / _ROUNDS * _MICRO
    output.result("round_trip", f"round trip      {micros:10.0f} us", microseconds=round(micros, 1), rounds=_ROUNDS)


async def _throughput(one: DataChannel, other: DataChannel, size: int, seconds: float) -> float:
    """Messages a second, from the first one that is sent to the last one that arrives."""
    message = bytes(size)

    async def send(until: float) -> None:
        while perf_counter() < until:
            await one.send(message)
        await one.send(_END)

    received = 0
    started = perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, started + seconds)
        while await other.receive():
            received += 1
    return received / (perf_counter() - started)
