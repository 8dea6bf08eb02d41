from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import SignalingError
from peerix.core.rooms import candidates, negotiation
from peerix.core.rooms.candidates import CandidateQueue
from peerix.core.rooms.control import (
    ChannelOptions,
    ControlDescription,
    ControlRequest,
    parse_control,
    write_request,
    write_signal,
)
from peerix.core.rooms.descriptions import SignalDescription, read_candidate, read_description
from peerix.core.rooms.json import write_json
from peerix.core.rooms.negotiation import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    MakeOffer,
    RemoteNegotiation,
    SendControl,
    SendSignal,
)
from peerix.core.rooms.protobuf import CONTROL_SCHEMA, encode
from peerix.core.rooms.signaling import SignalType

if TYPE_CHECKING:
    from peerix.core.rooms.descriptions import CandidateInit

OFFER = SignalDescription("offer", "v=0 offer")
ANSWER = SignalDescription("answer", "v=0 answer")
STABLE, PENDING = "stable", "have-local-offer"


def candidate(number: int = 1) -> CandidateInit:
    return {"candidate": f"candidate:{number}"}


def make(*, polite: bool = True) -> RemoteNegotiation:
    return RemoteNegotiation(polite=polite, metadata={"name": "me"})


def test_a_connection_that_wants_to_offers_when_stable() -> None:
    it = make()
    it.handle_negotiation_needed()
    it.handle_negotiation_needed()
    assert it.next_task(STABLE) == MakeOffer()
    it.task_done()
    assert it.next_task(PENDING) is None


def test_no_offer_is_made_while_one_is_pending() -> None:
    it = make()
    it.handle_negotiation_needed()
    assert it.next_task(PENDING) is None


def test_one_task_runs_at_a_time() -> None:
    it = make()
    it.handle_negotiation_needed()
    it.handle_description(OFFER)
    assert it.next_task(STABLE) == MakeOffer()
    assert it.next_task(PENDING) is None
    it.task_done()
    assert it.next_task(PENDING) == AcceptOffer(OFFER, rollback=True)


@pytest.mark.parametrize("polite", [True, False])
def test_an_offer_in_a_stable_state_is_accepted(polite: bool) -> None:
    it = make(polite=polite)
    it.handle_description(OFFER)
    assert it.next_task(STABLE) == AcceptOffer(OFFER, rollback=False)


def test_the_impolite_side_ignores_an_offer_that_collides() -> None:
    it = make(polite=False)
    it.handle_description(OFFER)
    assert it.next_task(PENDING) is None
    assert it.next_task(STABLE) is None


def test_candidates_of_an_ignored_offer_are_dropped_until_stable() -> None:
    it = make(polite=False)
    it.task_done(remote_description_set=True)
    it.handle_candidate(candidate(1))
    it.handle_description(OFFER)
    it.handle_candidate(candidate(2))
    assert it.next_task(PENDING) == AddCandidate(candidate(1))
    it.task_done()
    assert it.next_task(PENDING) is None
    it.handle_candidate(candidate(3))
    assert it.next_task(STABLE) == AddCandidate(candidate(3))


def test_an_answer_is_accepted_in_any_state() -> None:
    it = make()
    it.handle_description(ANSWER)
    assert it.next_task(STABLE) == AcceptAnswer(ANSWER)


def test_candidates_wait_for_the_first_remote_description_and_come_before_later_tasks() -> None:
    it = make()
    it.handle_candidate(candidate(1))
    it.handle_candidate(candidate(2))
    assert it.next_task(STABLE) is None
    it.handle_description(OFFER)
    assert it.next_task(STABLE) == AcceptOffer(OFFER, rollback=False)
    it.handle_negotiation_needed()
    it.task_done(remote_description_set=True)
    for number in (1, 2):
        assert it.next_task(STABLE) == AddCandidate(candidate(number))
        it.task_done()
    assert it.next_task(STABLE) == MakeOffer()


def test_candidates_that_wait_are_bounded() -> None:
    it = make()
    for number in range(150):
        it.handle_candidate(candidate(number))
        assert it.next_task(STABLE) is None
    it.task_done(remote_description_set=True)
    assert it.next_task(STABLE) == AddCandidate(candidate(50))


def test_tasks_that_wait_are_bounded() -> None:
    it = make()
    it.task_done(remote_description_set=True)
    for number in range(negotiation.MAX_TASKS + 50):
        it.handle_candidate(candidate(number))
    count = 0
    while it.next_task(STABLE) is not None:
        it.task_done()
        count += 1
    assert count == negotiation.MAX_TASKS


def test_the_end_of_candidates_is_not_a_task() -> None:
    it = make()
    it.task_done(remote_description_set=True)
    it.handle_candidate({"candidate": ""})
    it.handle_candidate({"candidate": None})
    assert it.next_task(STABLE) is None


def test_labels_count_at_once_even_when_the_offer_is_ignored() -> None:
    it = make(polite=False)
    it.handle_description(OFFER, labels={"s": "camera", "bad": 1, "x" * 2000: "long"})
    assert it.remote_labels == {"s": "camera"}
    it.handle_description(OFFER, labels={})
    assert it.remote_labels == {}


def test_labels_are_kept_when_none_are_told() -> None:
    it = make()
    it.handle_description(OFFER, labels={"s": "camera"})
    it.handle_description(OFFER)
    it.handle_description(ANSWER, labels={"t": "x"})
    assert it.remote_labels == {"s": "camera"}


def test_labels_are_bounded() -> None:
    it = make()
    it.handle_description(OFFER, labels={str(number): "x" for number in range(1000)})
    assert len(it.remote_labels) == negotiation.MAX_LABELS


def test_the_driver_carries_descriptions_until_the_control_channel_is_open() -> None:
    it = make()
    it.send_description(OFFER, {"s": "camera"})
    it.send_description(ANSWER, {"s": "camera"})
    assert it.poll_outputs() == [
        SendSignal(SignalType.OFFER, [OFFER.to_json(), {"name": "me"}]),
        SendSignal(SignalType.ANSWER, [ANSWER.to_json()]),
    ]
    it.handle_control_open()
    it.send_description(OFFER, {"s": "camera"})
    it.send_description(ANSWER, {"s": "camera"})
    assert it.poll_outputs() == [
        SendControl(write_signal([OFFER.to_json(), {"s": "camera"}])),
        SendControl(write_signal([ANSWER.to_json()])),
    ]


def test_a_batch_goes_over_the_driver_even_when_the_control_channel_has_opened() -> None:
    it = make()
    it.send_candidate(candidate(1), 1.0)
    it.send_candidate(None, 1.01)
    it.handle_control_open()
    assert it.next_timeout() == pytest.approx(1.05)
    it.handle_timeout(1.04)
    assert it.poll_outputs() == []
    it.handle_timeout(1.06)
    assert it.poll_outputs() == [SendSignal(SignalType.CANDIDATE, [candidate(1)])]
    assert it.next_timeout() is None


def test_the_queue_of_candidates_is_bounded_in_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MAX_PEERS", 2)
    queue = CandidateQueue()
    for peer in "abc":
        queue.push(peer, candidate())
    assert queue.pull("a", None) == []
    assert queue.pull("c", None) == [candidate()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["label", "ordered", "id", "negotiated", "protocol", "sdp", "type", "candidate", "sdpMid"]),
            inner,
        )
    ),
    max_leaves=6,
)


@given(st.integers(0, 3), JSON)
def test_a_control_frame_is_read_ignored_or_refused(event: int, content: object) -> None:
    try:
        payload = write_json(content)
    except ValueError:
        return
    try:
        parse_control(encode(CONTROL_SCHEMA, {"event": event, "payload": payload}))
    except SignalingError:
        return


@given(st.binary(max_size=50))
def test_no_bytes_on_the_control_channel_raise_anything_else(data: bytes) -> None:
    try:
        parse_control(data)
    except SignalingError:
        return


LIMITS = st.sampled_from(["max_packet_life_time", "max_retransmits", "negotiated", ""])


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans(), st.text(max_size=9), LIMITS)
def test_a_channel_request_reads_back(label: str, ordered: bool, protocol: str, limit: str) -> None:
    options = ChannelOptions(ordered=ordered, protocol=protocol)
    if limit == "negotiated":
        options.negotiated, options.id = True, 7
    elif limit:
        setattr(options, limit, 500)
    assert parse_control(write_request(label, options)) == ControlRequest(label, options)


@pytest.mark.parametrize(
    "request_text",
    [
        '{"label":"x","maxRetransmits":-1}',
        '{"label":"x","maxRetransmits":65536}',
        '{"label":"x","maxPacketLifeTime":1.5}',
        '{"label":"x","maxPacketLifeTime":1,"maxRetransmits":1}',
        '{"label":"x","protocol":7}',
        '{"label":"x","negotiated":true}',
        '{"label":"x","negotiated":true,"id":0}',
        '{"label":"x","id":true}',
        '{"label":"' + "x" * 65536 + '"}',
    ],
)
def test_a_request_that_no_channel_could_fulfil_is_refused(request_text: str) -> None:
    with pytest.raises(SignalingError):
        parse_control(encode(CONTROL_SCHEMA, {"event": 2, "payload": request_text.encode()}))


def test_an_offer_over_the_control_channel_brings_its_labels() -> None:
    frame = write_signal([OFFER.to_json(), {"s": "camera"}])
    assert parse_control(frame) == ControlDescription(OFFER, {"s": "camera"})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"candidate": None},
        {"candidate": 1},
        {"candidate": "x", "sdpMid": 1},
        {"candidate": "x", "sdpMLineIndex": "0"},
        {"candidate": "x", "sdpMLineIndex": True},
        {"candidate": "x" * 3000},
    ],
)
def test_what_is_no_candidate_is_none(value: object) -> None:
    assert read_candidate(value) is None  # type: ignore[arg-type]


def test_unknown_members_of_a_candidate_are_left_out() -> None:
    assert read_candidate({"candidate": "x", "foundation": "1"}) == {"candidate": "x"}


def test_what_is_no_description_is_refused() -> None:
    with pytest.raises(SignalingError):
        read_description({"type": "rollback", "sdp": ""})
