"""The control channel, against what a browser sends and does."""

from __future__ import annotations

from typing import Any

import pytest

from peerix.core.errors import SignalingError
from peerix.core.rooms.channels import ChannelPlan, CreateChannel, RequestChannel
from peerix.core.rooms.control import (
    CONTROL_LABEL,
    CONTROL_STREAM_ID,
    EVENT_CHANNEL,
    ChannelOptions,
    ControlCandidate,
    ControlDescription,
    ControlRequest,
    parse_control,
)
from peerix.core.rooms.descriptions import SignalDescription
from peerix.core.rooms.membership import Membership
from peerix.core.rooms.negotiation import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    MakeOffer,
    RemoteNegotiation,
    SendControl,
)
from peerix.core.rooms.signaling import SignalPacket, SignalType
from tests.conformance.vectors import entries, note, whole

OPTION_NAMES = {
    "ordered": "ordered",
    "maxPacketLifeTime": "max_packet_life_time",
    "maxRetransmits": "max_retransmits",
    "protocol": "protocol",
    "negotiated": "negotiated",
    "id": "id",
}

CREATED = whole("control", "created")

EMITTED = entries(
    "control",
    "emitted",
    "note messages calls initial_offer_events sent_before_open created_data_channels events signaling_calls",
)


def options_of(init: dict[str, Any]) -> ChannelOptions:
    return ChannelOptions(**{OPTION_NAMES[name]: init[name] for name in init if name in OPTION_NAMES})


def emitted(beginning: str) -> dict[str, Any]:
    (entry,) = [entry for entry in EMITTED if entry["note"].startswith(beginning)]
    assert isinstance(entry, dict)
    return entry


def open_negotiation(*, polite: bool) -> RemoteNegotiation:
    negotiation = RemoteNegotiation(polite=polite)
    negotiation.handle_control_open()
    return negotiation


def frames(negotiation: RemoteNegotiation) -> list[str]:
    outputs = negotiation.poll_outputs()
    assert all(isinstance(output, SendControl) for output in outputs)
    return [output.frame.hex() for output in outputs if isinstance(output, SendControl)]


def test_the_control_channel_is_negotiated_with_id_0_and_no_label() -> None:
    assert CREATED["label"] == CONTROL_LABEL
    assert CREATED["init"] == {"id": CONTROL_STREAM_ID, "negotiated": True, "ordered": True}


def test_every_emitted_entry_is_run() -> None:
    beginnings = ("polite side, control", "ICE cand", "polite side: open()", "polite side with", "unshare", "impolite")
    assert [emitted(beginning)["note"] for beginning in beginnings] == [entry["note"] for entry in EMITTED]


def test_opening_brings_the_requests_then_an_offer_with_labels() -> None:
    entry = emitted("polite side, control")
    plan = ChannelPlan(polite=True)
    early = plan.open("chat", ChannelOptions()) + plan.open("raw", options_of({"ordered": False, "maxRetransmits": 0}))
    assert len(early) == entry["sent_before_open"]
    actions = plan.handle_control_open()
    negotiation = open_negotiation(polite=True)
    negotiation.handle_negotiation_needed()
    assert negotiation.next_task("stable") == MakeOffer()
    offer, labels = entry["messages"][2]["json"]
    negotiation.send_description(SignalDescription(offer["type"], offer["sdp"]), labels)
    sent = [action.frame.hex() for action in actions if isinstance(action, RequestChannel)]
    assert sent + frames(negotiation) == [message["bytes"] for message in entry["messages"]]


def test_candidates_travel_one_by_one_at_once() -> None:
    entry = emitted("ICE cand")
    negotiation = open_negotiation(polite=False)
    for message in entry["messages"]:
        negotiation.send_candidate(message["json"][0], 0.0)
    assert frames(negotiation) == [message["bytes"] for message in entry["messages"]]
    assert negotiation.next_timeout() is None


def test_the_polite_side_asks_for_channels() -> None:
    entry = emitted("polite side: open()")
    plan = ChannelPlan(polite=True)
    plan.handle_control_open()
    for message in entry["messages"]:
        request = message["json"]
        assert message["event"] == EVENT_CHANNEL
        (action,) = plan.open(request["label"], options_of(request))
        assert isinstance(action, RequestChannel)
        assert action.frame.hex() == message["bytes"]
    assert entry["created_data_channels"] == []


def test_the_polite_side_rolls_back_and_answers_without_labels() -> None:
    entry = emitted("polite side with")
    negotiation = open_negotiation(polite=True)
    negotiation.handle_description(SignalDescription("offer", "v=0"), labels={})
    assert negotiation.next_task("have-local-offer") == AcceptOffer(SignalDescription("offer", "v=0"), rollback=True)
    assert entry["signaling_calls"] == [
        "setLocalDescription:rollback",
        "setRemoteDescription:offer",
        "setLocalDescription:answer",
    ]
    (message,) = entry["messages"]
    answer = message["json"][0]
    negotiation.send_description(SignalDescription(answer["type"], answer["sdp"]), {"s": "camera"})
    assert frames(negotiation) == [message["bytes"]]


def test_an_offer_without_streams_has_empty_labels() -> None:
    entry = emitted("unshare")
    (message,) = entry["messages"]
    offer, labels = message["json"]
    negotiation = open_negotiation(polite=True)
    negotiation.send_description(SignalDescription(offer["type"], offer["sdp"]), labels)
    assert labels == {}
    assert frames(negotiation) == [message["bytes"]]


def test_the_impolite_side_creates_channels_itself() -> None:
    entry = emitted("impolite")
    plan = ChannelPlan(polite=False)
    created = entry["created_data_channels"]
    for call in created[:2]:
        assert plan.open(call["label"], options_of(call["init"])) == []
    actions = plan.handle_control_open()
    for call in created[:2]:
        assert plan.handle_channel(call["label"], call["label"])
    for call in created[2:]:
        actions.extend(plan.open(call["label"], options_of(call["init"])))
        assert plan.handle_channel(call["label"], call["label"])
    assert actions == [CreateChannel(call["label"], options_of(call["init"])) for call in created]
    assert plan.open("chat", ChannelOptions()) == []
    assert entry["messages"] == []


INCOMING = entries("control", "incoming", "side note bytes text_frame sent calls events unhandled_rejections state")
REACTIONS = [entry for entry in INCOMING if "bytes" in entry or "text_frame" in entry]


def impolite_plan() -> ChannelPlan:
    plan = ChannelPlan(polite=False)
    plan.handle_control_open()
    assert plan.handle_channel("chat", "chat")
    return plan


def reaction(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the calls that a frame leads to, as the vectors write them."""
    message = parse_control(entry["text_frame"] if "text_frame" in entry else bytes.fromhex(entry["bytes"]))
    if message is None:
        return []
    if isinstance(message, ControlRequest):
        actions = impolite_plan().handle_request(message.label, message.options)
        return [
            {"what": "createDataChannel", "label": action.label, "options": action.options}
            for action in actions
            if isinstance(action, CreateChannel)
        ]
    return negotiation_calls(entry, message)


def negotiation_calls(entry: dict[str, Any], message: ControlDescription | ControlCandidate) -> list[dict[str, Any]]:
    negotiation = open_negotiation(polite=False)
    negotiation.task_done(remote_description_set=True)
    state = "stable"
    if "pending" in entry["note"] or "ignored offer" in entry["note"]:
        state = "have-local-offer"
    if "ignored offer" in entry["note"]:
        negotiation.handle_description(SignalDescription("offer", "v=0"))
        assert negotiation.next_task(state) is None
    if isinstance(message, ControlCandidate):
        negotiation.handle_candidate(message.candidate)
    else:
        negotiation.handle_description(message.description, labels=message.labels)
    task = negotiation.next_task(state)
    if isinstance(task, AddCandidate):
        return [{"what": "addIceCandidate"}]
    if isinstance(task, AcceptAnswer):
        return [{"what": "setRemoteDescription", "type": "answer"}]
    if isinstance(task, AcceptOffer):
        assert not task.rollback
        return [
            {"what": "setRemoteDescription", "type": "offer"},
            {"what": "setLocalDescription", "type": "answer"},
        ]
    assert task is None
    return []


def expected_calls(entry: dict[str, Any]) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    for recorded in entry["calls"]:
        call = dict(recorded)
        if "init" in call:
            call["options"] = options_of(call.pop("init"))
        calls.append(call)
    return calls


def is_refused(entry: dict[str, Any]) -> bool:
    """Whether a browser reports a signalling error, or stumbles, where a report is right."""
    errors = [event for event in entry["events"] if event.get("error") == "SIGNALING_ERROR"]
    return bool(errors or entry["unhandled_rejections"]) or "unknown description type" in entry["note"]


@pytest.mark.parametrize("entry", REACTIONS, ids=note)
def test_an_incoming_frame_has_its_effect(entry: dict[str, Any]) -> None:
    assert entry["side"] == "impolite"
    if is_refused(entry):
        with pytest.raises(SignalingError):
            reaction(entry)
    else:
        assert reaction(entry) == expected_calls(entry)


def test_a_request_to_the_polite_side_comes_back_once() -> None:
    (entry,) = [entry for entry in INCOMING if entry["side"] == "polite" and "sent" in entry]
    plan = ChannelPlan(polite=True)
    plan.handle_control_open()
    (action,) = plan.handle_request("asked", ChannelOptions())
    assert isinstance(action, RequestChannel)
    message = parse_control(action.frame)
    assert isinstance(message, ControlRequest)
    assert entry["sent"][0] == '{"label":"asked"}'
    assert message.label == "asked"
    assert plan.handle_request("asked", ChannelOptions()) == []


def test_a_closed_control_channel_ends_the_connection_for_good() -> None:
    (entry,) = [entry for entry in INCOMING if "state" in entry]
    assert entry["state"] == "closed"
    membership = Membership(own_id="b", verify=False, random_bytes=bytes)
    membership.receive_packet(SignalPacket(SignalType.INVOKE, "a", []), 0.0)
    membership.poll_actions()
    membership.handle_closed("a", 1)
    assert membership.poll_actions() == []
    assert membership.next_timeout() is None


def test_every_incoming_entry_is_run() -> None:
    others = [entry["note"] for entry in INCOMING if entry not in REACTIONS]
    assert len(others) == 2
