"""Whatever two sides want, and whenever: they come to an agreement, the polite one giving way in glare."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.jsep import CreatedBy, RtpParameters, SignalingState
from peerix.core.sdp import Direction
from tests.core.jsep.media import MediaEndpoint
from tests.core.jsep.support import make_transport, model

if TYPE_CHECKING:
    from peerix.core.jsep import MediaKind
    from peerix.core.sdp import SessionDescription

KINDS = st.sampled_from(["audio", "video"])
ACTIONS = st.one_of(
    st.tuples(st.just("share"), KINDS, st.sampled_from(Direction), st.sampled_from(CreatedBy)),
    st.tuples(st.just("stop"), st.integers(0, 5)),
    st.tuples(st.just("turn"), st.integers(0, 5), st.sampled_from(Direction)),
    st.tuples(st.just("data")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("offer")),
    st.tuples(st.just("deliver")),
)
STEPS = st.lists(st.tuples(st.booleans(), ACTIONS), max_size=40)


@dataclass
class Peer:
    side: MediaEndpoint
    polite: bool
    inbox: deque[SessionDescription] = field(default_factory=deque)
    restarts: int = 0

    def act(self, action: tuple[object, ...], other: Peer) -> None:
        negotiator = self.side.negotiator
        match action:
            case ("share", name, Direction() as direction, CreatedBy() as created_by):
                kind: MediaKind = "audio" if name == "audio" else "video"
                if created_by is not CreatedBy.REMOTE:
                    negotiator.add_transceiver(kind, direction=direction, streams=("s",), created_by=created_by)
            case ("stop", int(index)):
                for transceiver in negotiator.transceivers[index : index + 1]:
                    transceiver.stop()
            case ("turn", int(index), Direction() as direction):
                for transceiver in negotiator.transceivers[index : index + 1]:
                    transceiver.direction = direction
            case ("data" | "restart" as wish,):
                (negotiator.add_data_section if wish == "data" else negotiator.restart_ice)()
            case ("offer",):
                self.offer_if_needed(other)
            case _:
                self.read_one(other)

    def offer_if_needed(self, other: Peer) -> None:
        negotiator = self.side.negotiator
        if not negotiator.negotiation_needed():
            return
        if negotiator.ice_restart_wanted:
            self.restarts += 1
            self.side.transport = make_transport("pqrstuvwxyz"[self.restarts % 11])
        other.inbox.append(self.side.offer())

    def read_one(self, other: Peer) -> None:
        if not self.inbox:
            return
        description = self.inbox.popleft()
        state = self.side.negotiator.signaling_state
        if description.type == "offer":
            if state is not SignalingState.STABLE and not self.polite:
                return
            other.inbox.append(self.side.answer(description))
        elif state is SignalingState.HAVE_LOCAL_OFFER:
            self.side.take(description)


def finish(a: Peer, b: Peer) -> None:
    for _ in range(100):
        for peer, other in ((a, b), (b, a)):
            peer.read_one(other)
            peer.offer_if_needed(other)
        if not (a.inbox or b.inbox) and not any(peer.side.negotiator.negotiation_needed() for peer in (a, b)):
            return
    raise AssertionError("they never agree")


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_two_sides_agree_whatever_they_want_and_whenever(steps: list[tuple[bool, tuple[object, ...]]]) -> None:
    a, b = Peer(MediaEndpoint("a"), polite=True), Peer(MediaEndpoint("b"), polite=False)
    for first, action in steps:
        peer, other = (a, b) if first else (b, a)
        peer.act(action, other)
    finish(a, b)
    check(a.side, b.side)


def check(a: MediaEndpoint, b: MediaEndpoint) -> None:
    """Both are stable and mean the same."""
    assert a.negotiator.signaling_state is SignalingState.STABLE
    assert b.negotiator.signaling_state is SignalingState.STABLE
    if a.negotiator.local_description is None:
        return
    ours, theirs = model(a.negotiator.local_description), model(b.negotiator.local_description)
    assert [section.kind for section in ours.media] == [section.kind for section in theirs.media]
    mids = [section.mid for section in ours.media]
    assert mids == [section.mid for section in theirs.media]
    assert len(set(mids)) == len(mids)
    by_mid = {transceiver.mid: transceiver for transceiver in b.negotiator.transceivers}
    for transceiver in a.negotiator.transceivers:
        if transceiver.mid is None or transceiver.current_direction is None:
            continue
        counterpart = by_mid[transceiver.mid]
        assert counterpart.current_direction is transceiver.current_direction.reversed
        check_numbers(transceiver.association.send, counterpart.association.receive)
        check_numbers(counterpart.association.send, transceiver.association.receive)


def check_numbers(send: RtpParameters | None, receive: RtpParameters | None) -> None:
    assert (send is None) == (receive is None)
    if send is not None and receive is not None:
        known = {bound.codec: bound.payload_type for bound in receive.codecs}
        assert all(known[bound.codec] == bound.payload_type for bound in send.codecs)
        assert set(send.extensions) <= set(receive.extensions)
