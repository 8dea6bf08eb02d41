from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rooms.descriptions import SignalDescription
from peerix.core.rooms.membership import (
    Action,
    CandidatesReceived,
    CreateConnection,
    DescriptionReceived,
    Membership,
    PublishSignal,
    SignalRejected,
    VerifyPeer,
)
from peerix.core.rooms.reconnection import MAX_ATTEMPTS
from peerix.core.rooms.signaling import SignalPacket, SignalType

if TYPE_CHECKING:
    from peerix.core.rooms.json import JsonValue

SDP = "v=0\r\na=ice-ufrag:aa\r\n"
OFFER: JsonValue = {"type": "offer", "sdp": SDP}
ANSWER: JsonValue = {"type": "answer", "sdp": SDP}
CANDIDATE: dict[str, JsonValue] = {"candidate": "candidate:1", "sdpMid": "0", "usernameFragment": "aa"}

ANNOUNCE, INVOKE = SignalType.ANNOUNCE, SignalType.INVOKE


def member(*, verify: bool = False, metadata: object = None, max_remotes: int = 256) -> Membership:
    return Membership(own_id="m", metadata=metadata, verify=verify, random_bytes=bytes, max_remotes=max_remotes)


def give(membership: Membership, kind: SignalType, *payload: JsonValue, sender: str = "a") -> list[Action]:
    membership.receive_packet(SignalPacket(kind, sender, list(payload)), 0.0)
    return membership.poll_actions()


def test_announcing_goes_to_the_room() -> None:
    membership = member()
    membership.announce()
    assert membership.poll_actions() == [PublishSignal(ANNOUNCE, None, None)]


@pytest.mark.parametrize(("metadata", "payload"), [(None, None), ({"n": 1}, [{"n": 1}])])
def test_an_announcement_is_answered_by_an_invitation(metadata: object, payload: object) -> None:
    assert give(member(metadata=metadata), ANNOUNCE) == [PublishSignal(INVOKE, "a", payload)]  # type: ignore[arg-type]


def test_a_connected_member_that_announces_is_invited_as_well() -> None:
    membership = member()
    give(membership, INVOKE)
    assert give(membership, ANNOUNCE) == [PublishSignal(INVOKE, "a", None)]


@pytest.mark.parametrize(("sender", "polite"), [("a", True), ("z", False), ("M", True), ("0", True)])
def test_an_invitation_creates_a_connection(sender: str, polite: bool) -> None:
    assert give(member(), INVOKE, "meta", sender=sender) == [CreateConnection(sender, "meta", polite, 1)]


def test_a_second_invitation_is_ignored() -> None:
    membership = member()
    give(membership, INVOKE)
    assert give(membership, INVOKE) == []


def test_an_offer_creates_a_connection_and_reaches_it() -> None:
    assert give(member(), SignalType.OFFER, OFFER, "meta") == [
        CreateConnection("a", "meta", True, 1),
        DescriptionReceived("a", 1, SignalDescription("offer", SDP)),
    ]


def test_an_answer_without_a_connection_is_ignored() -> None:
    assert give(member(), SignalType.ANSWER, ANSWER) == []


def test_an_answer_reaches_its_connection() -> None:
    membership = member()
    give(membership, INVOKE)
    assert give(membership, SignalType.ANSWER, ANSWER) == [
        DescriptionReceived("a", 1, SignalDescription("answer", SDP))
    ]


@pytest.mark.parametrize("payload", [(), (None,), ("x",), ({},), ({"type": "offer"},), (ANSWER,)])
def test_an_offer_that_is_none_is_rejected(payload: tuple[JsonValue, ...]) -> None:
    (action,) = give(member(), SignalType.OFFER, *payload)
    assert isinstance(action, SignalRejected)


def test_the_application_is_asked_once_while_packets_go_on() -> None:
    membership = member(verify=True)
    assert give(membership, INVOKE, "meta") == [VerifyPeer("a", "meta")]
    assert give(membership, INVOKE, "other") == []
    assert give(membership, SignalType.OFFER, OFFER, "meta") == []
    assert give(membership, SignalType.CANDIDATE, CANDIDATE) == []
    membership.handle_verified("a", accepted=True)
    assert membership.poll_actions() == [
        CreateConnection("a", "meta", True, 1),
        DescriptionReceived("a", 1, SignalDescription("offer", SDP)),
    ]
    membership.handle_remote_description("a", 1, SDP)
    assert membership.poll_actions() == [CandidatesReceived("a", 1, [CANDIDATE])]


def test_a_member_that_is_not_accepted_hears_nothing() -> None:
    membership = member(verify=True)
    give(membership, SignalType.OFFER, OFFER)
    give(membership, SignalType.CANDIDATE, CANDIDATE)
    membership.handle_verified("a", accepted=False)
    assert membership.poll_actions() == []
    assert give(membership, SignalType.OFFER, OFFER) == [VerifyPeer("a", None)]


def test_an_answer_of_the_application_after_leaving_does_nothing() -> None:
    membership = member(verify=True)
    give(membership, INVOKE)
    membership.leave()
    membership.handle_verified("a", accepted=True)
    assert membership.poll_actions() == []


def test_candidates_wait_for_their_description() -> None:
    membership = member()
    give(membership, INVOKE)
    other = {**CANDIDATE, "usernameFragment": "bb"}
    assert give(membership, SignalType.CANDIDATE, CANDIDATE, other) == []
    membership.handle_remote_description("a", 1, SDP)
    assert membership.poll_actions() == [CandidatesReceived("a", 1, [CANDIDATE])]
    assert give(membership, SignalType.CANDIDATE, CANDIDATE, other, None, "x", {}) == [
        CandidatesReceived("a", 1, [CANDIDATE])
    ]
    membership.handle_remote_description("a", 1, SDP.replace("aa", "bb"))
    assert membership.poll_actions() == [CandidatesReceived("a", 1, [other, other])]


def test_candidates_are_forgotten_with_their_connection() -> None:
    membership = member()
    give(membership, INVOKE)
    give(membership, SignalType.CANDIDATE, CANDIDATE)
    membership.handle_closed("a", 1)
    give(membership, INVOKE)
    membership.handle_remote_description("a", 2, SDP)
    assert membership.poll_actions() == []


def test_more_members_than_allowed_are_not_let_in() -> None:
    membership = member(max_remotes=2)
    for sender in "abcd":
        give(membership, INVOKE, sender=sender)
    assert membership.refused == 2
    membership.handle_closed("a", 1)
    assert give(membership, INVOKE, sender="c") == [CreateConnection("c", None, True, 3)]


def test_a_failed_connection_is_followed_by_invitations_with_growing_pauses() -> None:
    membership = member()
    give(membership, INVOKE)
    membership.handle_failed("a", 1, 100.0)
    times: list[float] = []
    while (at := membership.next_timeout()) is not None:
        times.append(at - 100)
        membership.handle_timeout(at)
        assert membership.poll_actions() == [PublishSignal(INVOKE, "a", [None])]
    assert times == [0, 1, 3, 7, 15, 31, 61, 91]
    assert len(times) == MAX_ATTEMPTS


def test_the_first_invitation_is_late_by_less_than_a_second() -> None:
    membership = Membership(own_id="m", verify=False, random_bytes=lambda count: (999).to_bytes(count, "big"))
    give(membership, INVOKE)
    membership.handle_failed("a", 1, 5.0)
    assert membership.next_timeout() == 5.999


def test_attempts_go_on_counting_until_a_connection_works() -> None:
    membership = member()
    now = 0.0
    for connection in range(1, MAX_ATTEMPTS + 2):
        give(membership, INVOKE)
        assert membership.next_timeout() is None
        membership.handle_failed("a", connection, now)
        now = membership.next_timeout() or now
    assert membership.next_timeout() is None
    give(membership, INVOKE)
    membership.handle_connected("a", MAX_ATTEMPTS + 2)
    membership.handle_failed("a", MAX_ATTEMPTS + 2, now)
    assert membership.next_timeout() == now


def test_a_closed_connection_is_not_followed_by_invitations() -> None:
    membership = member()
    give(membership, INVOKE)
    membership.handle_closed("a", 1)
    assert membership.next_timeout() is None


def test_a_late_report_about_an_old_connection_does_not_touch_the_new_one() -> None:
    membership = member()
    give(membership, INVOKE)
    membership.handle_failed("a", 1, 0.0)
    give(membership, INVOKE)
    membership.handle_closed("a", 1)
    membership.handle_failed("a", 1, 0.0)
    assert give(membership, INVOKE) == []
    assert give(membership, SignalType.ANSWER, ANSWER) == [
        DescriptionReceived("a", 2, SignalDescription("answer", SDP))
    ]


def test_leaving_forgets_everything() -> None:
    membership = member()
    give(membership, INVOKE)
    membership.handle_failed("a", 1, 0.0)
    membership.leave()
    assert membership.next_timeout() is None
    assert give(membership, INVOKE) == [CreateConnection("a", None, True, 2)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(SDP),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "sdp", "candidate", "sdpMid", "usernameFragment"]), inner)
    ),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.sampled_from(SignalType), st.sampled_from("ab"), st.lists(JSON, max_size=3)), max_size=8))
def test_no_packet_raises(packets: list[tuple[SignalType, str, list[JsonValue]]]) -> None:
    membership = member(verify=True)
    for kind, sender, payload in packets:
        membership.receive_packet(SignalPacket(kind, sender, payload), 0.0)
        for action in membership.poll_actions():
            if isinstance(action, VerifyPeer):
                membership.handle_verified(action.id, accepted=True)
