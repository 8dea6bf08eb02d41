"""Carries out the negotiation of one connection."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

import anyio
from anyio import ClosedResourceError

from peerix.core.errors import PeerixError
from peerix.core.rooms.descriptions import SignalDescription
from peerix.core.rooms.negotiation import (
    AcceptAnswer,
    AcceptOffer,
    MakeOffer,
    RemoteNegotiation,
    SendControl,
    Task,
)
from peerix.rtc import IceCandidate, SessionDescription, SignalingState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from peerix.core.rooms.descriptions import CandidateInit
    from peerix.core.rooms.json import JsonValue
    from peerix.core.rooms.signaling import SignalType
    from peerix.rtc import PeerConnection

    Publish: TypeAlias = Callable[[SignalType, Sequence[object]], None]

TOOL = "a=tool:peerix"
"""The attribute (RFC 8866, 6.3) by which members that run this library know each other; browsers ignore it."""


class NegotiationSink:
    """Where the messages of a negotiation go, and who hears of its progress."""

    __slots__ = ("described", "labels", "publish", "report", "send_control")

    def __init__(
        self,
        publish: Publish,
        send_control: Callable[[bytes], None],
        described: Callable[[str], None],
        report: Callable[[PeerixError], None],
        labels: Callable[[], Mapping[str, str]],
    ) -> None:
        self.publish = publish
        """Sends over the driver."""
        self.send_control = send_control
        """Sends over the control channel."""
        self.described = described
        """Told the SDP of every remote description that was set."""
        self.report = report
        """Told what failed."""
        self.labels = labels
        """Gives the labels of our streams, by the id of the stream."""


class Negotiator:
    """The shell of `RemoteNegotiation`: takes its tasks one at a time and does them on the connection.

    :param rules: its protocol.
    """

    __slots__ = ("_described", "_offer_wanted", "_rules", "_sink", "_wake_up", "rearm", "remote_is_peerix")

    def __init__(self, rules: RemoteNegotiation, sink: NegotiationSink, rearm: Callable[[], None]) -> None:
        self._rules = rules
        self._sink = sink
        self._described = False
        self._offer_wanted = False
        self._wake_up = anyio.Event()
        self.rearm = rearm
        """Called when `next_timeout` may have changed."""
        self.remote_is_peerix = False
        """Whether the other side is this library, and no browser."""

    # -- what happens

    def handle_negotiation_needed(self) -> None:
        """The connection wants to offer.

        What the other side wants comes first: answering it may settle ours as well, and if it does not the
        connection says so again.
        """
        self._offer_wanted = True
        self._wake_up.set()

    def handle_local_candidate(self, candidate: IceCandidate | None) -> None:
        """A candidate was gathered; None is the end of them."""
        init: CandidateInit | None = None if candidate is None else dict(candidate.to_json())
        self._rules.send_candidate(init, monotonic())
        self._flush()

    def handle_description(self, description: SignalDescription, labels: JsonValue = None) -> None:
        """An offer or answer came."""
        self._rules.handle_description(description, labels=labels)
        self._wake_up.set()

    def handle_candidate(self, candidate: CandidateInit) -> None:
        """A remote candidate came."""
        self._rules.handle_candidate(candidate)
        self._wake_up.set()

    def use_control(self) -> None:
        """The control channel works: it carries everything from now on."""
        self._rules.handle_control_open()

    def use_driver(self) -> None:
        """The control channel does not work, or not at the moment: everything goes over the driver."""
        self._rules.handle_control_closed()

    def find_path(self, connection: PeerConnection) -> None:
        """Offer to look for a new path, or repeat the offer that was not answered: it may be lost."""
        if connection.signaling_state is SignalingState.HAVE_LOCAL_OFFER:
            self.repeat_offer(connection)
        else:
            connection.restart_ice()

    def repeat_offer(self, connection: PeerConnection) -> None:
        """Send an offer once more that was not answered. Who has it already answers the same again."""
        if connection.signaling_state is SignalingState.HAVE_LOCAL_OFFER:
            self._send_local_description(connection)
            self._flush()

    @property
    def uses_control(self) -> bool:
        """Whether messages go over the control channel."""
        return self._rules.control_open

    @property
    def remote_labels(self) -> Mapping[str, str]:
        """The labels of the other side's streams, by the id of the stream."""
        return self._rules.remote_labels

    def next_timeout(self) -> float | None:
        """When a batch of candidates is due."""
        return self._rules.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Let it go."""
        self._rules.handle_timeout(now)
        self._flush()

    # -- tasks

    async def run(self, connection: PeerConnection) -> None:
        """Do what is to be done, until cancelled."""
        while True:
            task = self._next_task(connection)
            if task is None:
                await self._wake_up.wait()
                self._wake_up = anyio.Event()
                continue
            self._described = False
            try:
                await self._perform(connection, task)
            except ClosedResourceError:
                return  # the connection is closed; whoever did that sees to the rest
            except PeerixError as error:
                self._sink.report(error)
            self._rules.task_done(remote_description_set=self._described)
            self._flush()

    def _next_task(self, connection: PeerConnection) -> Task | None:
        state = connection.signaling_state.value
        task = self._rules.next_task(state)
        if task is None and self._offer_wanted:
            self._offer_wanted = False
            self._rules.handle_negotiation_needed()
            task = self._rules.next_task(state)
        return task

    async def _perform(self, connection: PeerConnection, task: Task) -> None:
        if isinstance(task, MakeOffer):
            await connection.set_local_description()
            self._send_local_description(connection)
        elif isinstance(task, AcceptOffer):
            if task.rollback:
                await connection.set_local_description(SessionDescription("rollback"))
            await self._set_remote(connection, task.description)
            await connection.set_local_description()
            self._offer_wanted = False
            self._send_local_description(connection)
        elif isinstance(task, AcceptAnswer):
            await self._set_remote(connection, task.description)
        else:
            await connection.add_ice_candidate(IceCandidate.from_json(task.candidate))

    async def _set_remote(self, connection: PeerConnection, description: SignalDescription) -> None:
        await connection.set_remote_description(SessionDescription.from_json(description.to_json()))
        self._described = True
        self.remote_is_peerix = has_tool(description.sdp)
        self._sink.described(description.sdp)

    def _send_local_description(self, connection: PeerConnection) -> None:
        description = connection.local_description
        if description is not None:
            signal = SignalDescription(description.type, with_tool(description.sdp))
            self._rules.send_description(signal, self._sink.labels())

    def _flush(self) -> None:
        for output in self._rules.poll_outputs():
            if isinstance(output, SendControl):
                self._sink.send_control(output.frame)
            else:
                self._sink.publish(output.type, output.payload)
        self.rearm()


def with_tool(sdp: str) -> str:
    """Name this library in the session part of a description."""
    head, media, rest = sdp.partition("\r\nm=")
    return f"{head}\r\n{TOOL}{media}{rest}" if media else sdp


def has_tool(sdp: str) -> bool:
    """Whether a description names this library in its session part."""
    return TOOL in sdp.partition("\r\nm=")[0].split("\r\n")
