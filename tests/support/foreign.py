"""`PeerConnection` and another stack's connection on the two ends of one wire."""

from __future__ import annotations

import base64
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import anyio
from anyio import CancelScope, create_task_group, fail_after, move_on_after

from peerix.rtc import (
    Configuration,
    DataChannel,
    DataChannelReceived,
    IceCandidate,
    LocalCandidate,
    PeerConnection,
    SessionDescription,
    TrackReceived,
)
from tests.support.foreign_media import ForeignTrack, ForeignTransceiver
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerix.rtc import EventStream
    from tests.support.agents import Agent
    from tests.support.foreign_media import Source

Offerer: TypeAlias = Literal["we", "they"]
EventT = TypeVar("EventT")


@dataclass(slots=True, frozen=True)
class ForeignChannel:
    """A data channel of the other stack."""

    agent: Agent
    number: int

    async def _ask(self, op: str, **arguments: Any) -> Any:
        return await self.agent.request(op, channel=self.number, **arguments)

    async def describe(self) -> dict[str, Any]:
        """Its attributes, with the names of W3C."""
        described: dict[str, Any] = await self._ask("describe")
        return described

    async def send(self, message: str | bytes) -> None:
        """Send a message."""
        if isinstance(message, str):
            await self._ask("send", text=message)
        else:
            await self._ask("send", base64=base64.b64encode(message).decode())

    async def receive(self) -> str | bytes:
        """Wait for the next message."""
        reply: dict[str, str] = await self._ask("receive")
        return reply["text"] if "text" in reply else base64.b64decode(reply["base64"])

    async def pour(self, size: int, count: int) -> None:
        """Send many messages; `pattern` is what they are together."""
        await self._ask("pour", size=size, count=count)

    async def drink(self, length: int) -> float:
        """Take so many bytes of the pattern; returns the seconds."""
        reply = await self._ask("drink", length=length)
        assert reply["right"]
        seconds: float = reply["seconds"]
        return seconds

    async def wait_open(self) -> None:
        """Wait until it is open."""
        await self._ask("opened")

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await self._ask("closed")

    async def close(self) -> None:
        """Close it."""
        await self._ask("close")


@dataclass(slots=True, frozen=True)
class Foreign:
    """An RTCPeerConnection of the other stack."""

    agent: Agent
    number: int

    async def _ask(self, op: str, **arguments: Any) -> Any:
        return await self.agent.request(op, connection=self.number, **arguments)

    async def offer(self, *, gathered: bool = True, **options: object) -> SessionDescription:
        """Make an offer and set it; with all candidates in it if they are to be gathered."""
        return SessionDescription.from_json(await self._ask("offer", gathered=gathered, options=options))

    async def answer(self, offer: SessionDescription, *, gathered: bool = True) -> SessionDescription:
        """Set an offer, make an answer and set it."""
        reply = await self._ask("answer", description=offer.to_json(), gathered=gathered)
        return SessionDescription.from_json(reply)

    async def take_offer(self, offer: SessionDescription) -> None:
        """Set an offer, and leave the answer for later."""
        await self._ask("takeOffer", description=offer.to_json())

    async def make_answer(self, *, gathered: bool = True) -> SessionDescription:
        """Make the answer and set it."""
        return SessionDescription.from_json(await self._ask("makeAnswer", gathered=gathered))

    async def accept(self, answer: SessionDescription) -> None:
        """Set the answer."""
        await self._ask("accept", description=answer.to_json())

    async def next_candidate(self) -> IceCandidate | None:
        """Wait for the next local candidate; None after the last one."""
        found = await self._ask("nextCandidate")
        return None if found is None else IceCandidate.from_json(found)

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """Hand a candidate in."""
        await self._ask("addCandidate", candidate=None if candidate is None else candidate.to_json())

    async def state(self) -> dict[str, Any]:
        """Its states, and the largest message that it may send."""
        state: dict[str, Any] = await self._ask("state")
        return state

    async def statistics(self) -> list[dict[str, Any]]:
        """What getStats gives."""
        report: list[dict[str, Any]] = await self._ask("statistics")
        return report

    async def add_transceiver(self, kind: str, direction: str, source: Source | None = None) -> ForeignTransceiver:
        """Add a section for media."""
        reply = await self._ask("addTransceiver", kind=kind, direction=direction, source=source)
        return ForeignTransceiver(self.agent, self.number, reply["transceiver"])

    async def add_track(self, source: Source) -> ForeignTransceiver:
        """Send a track: in a section that we made and that is free, else in one of its own."""
        reply = await self._ask("addTrack", source=source)
        return ForeignTransceiver(self.agent, self.number, reply["transceiver"])

    async def next_track(self) -> ForeignTrack:
        """Wait for the next track that comes from us."""
        reply = await self._ask("nextTrack")
        transceiver = ForeignTransceiver(self.agent, self.number, reply["transceiver"])
        return ForeignTrack(self.agent, reply["track"], reply["kind"], tuple(reply["streams"]), transceiver)

    async def create_channel(self, label: str, **options: object) -> ForeignChannel:
        """Create a channel with the options of W3C."""
        reply = await self._ask("createChannel", label=label, options=options)
        return ForeignChannel(self.agent, reply["channel"])

    async def next_channel(self) -> ForeignChannel:
        """Wait for the next channel that comes from us."""
        reply = await self._ask("nextChannel")
        return ForeignChannel(self.agent, reply["channel"])

    async def end(self) -> None:
        """Close the connection."""
        await self._ask("end")


@dataclass(slots=True, frozen=True)
class Wire:
    """Our end, their end, and our events."""

    ours: PeerConnection
    theirs: Foreign
    events: EventStream

    async def next_channel(self) -> DataChannel:
        """Wait for the next channel that comes from them."""
        return (await next_event(self.events, DataChannelReceived)).channel

    async def next_track(self) -> TrackReceived:
        """Wait for the next track that comes from them."""
        return await next_event(self.events, TrackReceived)

    async def negotiate(self, offerer: Offerer, *, gathered: bool = True) -> None:
        """One offer and one answer, with the candidates in them, unless they are known already."""
        if offerer == "we":
            await self.ours.set_local_description()
            assert self.ours.local_description is not None
            answer = await self.theirs.answer(self.ours.local_description, gathered=gathered)
            await self.ours.set_remote_description(answer)
        else:
            await self.ours.set_remote_description(await self.theirs.offer(gathered=gathered))
            await self.ours.set_local_description()
            assert self.ours.local_description is not None
            await self.theirs.accept(self.ours.local_description)

    async def create(self, label: str, creator: Offerer, **options: Any) -> tuple[DataChannel, ForeignChannel]:
        """Create a channel on one side of a connection that is up, and wait for its other end."""
        if creator == "we":
            ours = self.ours.create_data_channel(label, **snake_case(options))
            theirs = await self.theirs.next_channel()
        else:
            theirs = await self.theirs.create_channel(label, **options)
            ours = await self.next_channel()
        await theirs.wait_open()
        await ours.wait_open()
        return ours, theirs


async def next_event(events: EventStream, kind: type[EventT]) -> EventT:
    """Wait for the next event of a kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the connection ended before a {kind.__name__} came")


_NAMES = {"maxRetransmits": "max_retransmits", "maxPacketLifeTime": "max_packet_life_time"}


def snake_case(options: dict[str, Any]) -> dict[str, Any]:
    """The options of W3C with the names that Python uses."""
    return {_NAMES.get(name, name): value for name, value in options.items()}


@asynccontextmanager
async def wire(agent: Agent, configuration: Configuration) -> AsyncGenerator[Wire]:
    """Two connections that know nothing of each other yet; all has to be done in time."""
    with fail_after(PATIENCE * 2):
        reply = await agent.request("connect")
        theirs = Foreign(agent, reply["connection"])
        try:
            async with PeerConnection(configuration) as ours, ours.events() as events:
                yield Wire(ours, theirs, events)
        finally:
            with CancelScope(shield=True), move_on_after(PATIENCE):
                await theirs.end()


@asynccontextmanager
async def connected(
    agent: Agent, configuration: Configuration, offerer: Offerer
) -> AsyncGenerator[tuple[Wire, DataChannel, ForeignChannel]]:
    """A connection with a channel that the side which offers has made."""
    async with wire(agent, configuration) as both:
        if offerer == "we":
            ours = both.ours.create_data_channel("first")
            await both.negotiate(offerer)
            theirs = await both.theirs.next_channel()
        else:
            theirs = await both.theirs.create_channel("first")
            await both.negotiate(offerer)
            ours = await both.next_channel()
        await ours.wait_open()
        await theirs.wait_open()
        yield both, ours, theirs


async def trickle(both: Wire) -> None:
    """Carry candidates both ways as they come."""
    async with create_task_group() as tasks, AsyncExitStack() as stack:
        events = await stack.enter_async_context(both.ours.events())
        tasks.start_soon(_bring, both)
        async for event in events:
            if isinstance(event, LocalCandidate):
                await both.theirs.add_candidate(event.candidate)


async def _bring(both: Wire) -> None:
    while (candidate := await both.theirs.next_candidate()) is not None:
        await both.ours.add_ice_candidate(candidate)


def pattern(length: int) -> bytes:
    """Byte n is n % 251."""
    return (bytes(range(251)) * (length // 251 + 1))[:length]


async def pour(channel: DataChannel, size: int, count: int) -> None:
    """Send the pattern in messages of this size."""
    whole = pattern(size + 251)
    for number in range(count):
        start = number * size % 251
        await channel.send(whole[start : start + size])


async def drink(channel: DataChannel, length: int) -> float:
    """Take so many bytes of the pattern; returns the seconds."""
    parts: list[bytes] = []
    started = anyio.current_time()
    while (missing := length - sum(map(len, parts))) > 0:
        message = await channel.receive()
        assert isinstance(message, bytes)
        parts.append(message)
        assert len(message) <= missing
    seconds = anyio.current_time() - started
    assert b"".join(parts) == pattern(length)
    return seconds
