"""The table of signalling states, and that the negotiator follows it from every state with every description."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, get_args

import pytest

from peerix.core.errors import PeerixError
from peerix.core.jsep import TRANSITIONS, Side, SignalingState, next_state
from peerix.core.sdp import SdpType, SessionDescription
from tests.core.jsep.support import Endpoint

if TYPE_CHECKING:
    from peerix.core.jsep import Applied

TYPES: tuple[SdpType, ...] = get_args(SdpType)
S = SignalingState


def reach(state: SignalingState) -> tuple[Endpoint, Endpoint]:
    """Give a side in this state, and the other side."""
    a, b = Endpoint("a", data=True), Endpoint("b", data=True)
    if state is S.HAVE_LOCAL_OFFER:
        b.take(a.offer())
    elif state is S.HAVE_REMOTE_OFFER:
        a.take(b.offer())
    elif state is S.HAVE_LOCAL_PRANSWER:
        a.take(b.offer())
        a.negotiator.set_local(pranswer(a), a.transport)
    elif state is S.HAVE_REMOTE_PRANSWER:
        b.take(a.offer())
        a.take(pranswer(b))
    elif state is S.CLOSED:
        a.negotiator.close()
    return a, b


def pranswer(side: Endpoint) -> SessionDescription:
    return SessionDescription("pranswer", side.negotiator.create_answer(side.transport).sdp)


def remote_description(other: Endpoint, type_: SdpType) -> SessionDescription:
    """Make what the other side would send; where it cannot know better, of its own making."""
    if type_ == "rollback":
        return SessionDescription("rollback")
    if type_ == "offer" or other.negotiator.signaling_state is not S.HAVE_REMOTE_OFFER:
        return SessionDescription(type_, Endpoint("c", data=True).offer().sdp)
    return SessionDescription(type_, other.negotiator.create_answer(other.transport).sdp)


def set_description(a: Endpoint, b: Endpoint, side: Side, type_: SdpType) -> Applied:
    if side is Side.REMOTE:
        return a.negotiator.set_remote(remote_description(b, type_))
    return a.negotiator.set_local(SessionDescription(type_), a.transport)


@pytest.mark.parametrize("state", SignalingState)
def test_every_state_can_be_reached(state: SignalingState) -> None:
    assert reach(state)[0].negotiator.signaling_state is state


@pytest.mark.parametrize(("state", "side", "type_"), list(product(SignalingState, Side, TYPES)))
def test_every_description_in_every_state_does_what_the_table_says(
    state: SignalingState, side: Side, type_: SdpType
) -> None:
    a, b = reach(state)
    before = (a.negotiator.local_description, a.negotiator.remote_description)
    expected = next_state(state, side, type_)
    if expected is None:
        with pytest.raises(PeerixError):
            set_description(a, b, side, type_)
        assert a.negotiator.signaling_state is state
        assert (a.negotiator.local_description, a.negotiator.remote_description) == before
    else:
        assert set_description(a, b, side, type_).signaling_state is expected
        assert a.negotiator.signaling_state is expected


def test_the_table_is_that_of_the_standard() -> None:
    allowed = {(state.value, side.value, type_, after.value) for (state, side, type_), after in TRANSITIONS.items()}
    assert allowed == {
        ("stable", "local", "offer", "have-local-offer"),
        ("stable", "remote", "offer", "have-remote-offer"),
        ("have-local-offer", "local", "offer", "have-local-offer"),
        ("have-local-offer", "local", "rollback", "stable"),
        ("have-local-offer", "remote", "rollback", "stable"),
        ("have-local-offer", "remote", "offer", "have-remote-offer"),
        ("have-local-offer", "remote", "pranswer", "have-remote-pranswer"),
        ("have-local-offer", "remote", "answer", "stable"),
        ("have-remote-offer", "remote", "offer", "have-remote-offer"),
        ("have-remote-offer", "local", "rollback", "stable"),
        ("have-remote-offer", "remote", "rollback", "stable"),
        ("have-remote-offer", "local", "pranswer", "have-local-pranswer"),
        ("have-remote-offer", "local", "answer", "stable"),
        ("have-local-pranswer", "local", "pranswer", "have-local-pranswer"),
        ("have-local-pranswer", "local", "answer", "stable"),
        ("have-remote-pranswer", "remote", "pranswer", "have-remote-pranswer"),
        ("have-remote-pranswer", "remote", "answer", "stable"),
    }


def test_a_closed_negotiator_creates_nothing() -> None:
    a, _ = reach(S.CLOSED)
    with pytest.raises(PeerixError):
        a.negotiator.create_offer(a.transport)
    with pytest.raises(PeerixError):
        a.negotiator.create_answer(a.transport)
    assert not a.negotiator.negotiation_needed()
