"""Frames of the control channel: what two connected members tell each other without the driver.

The control channel is the negotiated data channel 0 with an empty label. Binary frames:

    1 event    uint32   1 signal, 2 channel request
    2 payload  bytes    JSON

A signal is an array: an offer with the labels of all shared streams, an answer, or a candidate. A channel
request is an object: the options of the wanted channel and its label. Closing this channel is how a member
says goodbye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from peerix.core.errors import SignalingError

from .descriptions import CandidateInit, SignalDescription, read_candidate, read_description
from .json import JsonValue, read_json, write_json
from .protobuf import CONTROL_SCHEMA, ProtobufError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROL_LABEL = ""
CONTROL_STREAM_ID = 0

EVENT_SIGNAL = 1
EVENT_CHANNEL = 2

MAX_LABEL_BYTES = 65_535
"""What a channel can carry as label or protocol (RFC 8832, 5.1)."""

MAX_MILLISECONDS = 65_535
MAX_STREAM_ID = 65_534


@dataclass(slots=True)
class ChannelOptions:
    """What a channel is opened with: the members of RTCDataChannelInit. Times in milliseconds."""

    ordered: bool = True
    max_packet_life_time: int | None = None
    max_retransmits: int | None = None
    protocol: str = ""
    negotiated: bool = False
    id: int | None = None


@dataclass(slots=True)
class ControlDescription:
    """An offer or answer. `labels` is what came with it, not checked yet."""

    description: SignalDescription
    labels: JsonValue


@dataclass(slots=True)
class ControlCandidate:
    """A candidate of the connection."""

    candidate: CandidateInit


@dataclass(slots=True)
class ControlRequest:
    """The other side asks for a channel."""

    label: str
    options: ChannelOptions


ControlMessage: TypeAlias = "ControlDescription | ControlCandidate | ControlRequest"


def write_signal(message: Sequence[object]) -> bytes:
    """Write `[offer, labels]`, `[answer]` or `[candidate]`."""
    return encode(CONTROL_SCHEMA, {"event": EVENT_SIGNAL, "payload": write_json(list(message))})


def write_request(label: str, options: ChannelOptions) -> bytes:
    """Write a channel request; options with their default value are left out."""
    request: dict[str, object] = {}
    if options.protocol:
        request["protocol"] = options.protocol
    if not options.ordered:
        request["ordered"] = False
    if options.max_packet_life_time is not None:
        request["maxPacketLifeTime"] = options.max_packet_life_time
    if options.max_retransmits is not None:
        request["maxRetransmits"] = options.max_retransmits
    if options.negotiated:
        request["negotiated"] = True
        request["id"] = options.id
    request["label"] = label
    return encode(CONTROL_SCHEMA, {"event": EVENT_CHANNEL, "payload": write_json(request)})


def parse_control(frame: bytes | str) -> ControlMessage | None:
    """Read a frame; None for what has to be ignored: text, no packet, an unknown event, no label.

    :raises SignalingError: the payload is not what its event requires.
    """
    if isinstance(frame, str):
        return None
    try:
        fields = decode(CONTROL_SCHEMA, frame)
    except ProtobufError:
        return None
    payload = fields.get("payload")
    event = fields.get("event")
    if not isinstance(payload, bytes) or event not in (EVENT_SIGNAL, EVENT_CHANNEL):
        return None
    try:
        content = read_json(payload)
    except ValueError as error:
        raise SignalingError(f"a control message is not JSON: {error}") from None
    return _signal(content) if event == EVENT_SIGNAL else _request(content)


def _signal(content: JsonValue) -> ControlMessage:
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(content, list) or not isinstance(first, dict):
        raise SignalingError("a control signal is an array with a description or a candidate")
    if "sdp" in first:
        return ControlDescription(read_description(first), content[1] if len(content) > 1 else None)
    candidate = read_candidate(first)
    if candidate is None:
        raise SignalingError("a control signal has neither a description nor a candidate")
    return ControlCandidate(candidate)


def _request(content: JsonValue) -> ControlRequest | None:
    label = content.get("label") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(label, str) or not label:
        return None
    options = ChannelOptions(
        ordered=_flag(content, "ordered", default=True),
        max_packet_life_time=_number(content, "maxPacketLifeTime", MAX_MILLISECONDS),
        max_retransmits=_number(content, "maxRetransmits", MAX_MILLISECONDS),
        protocol=_text(content.get("protocol") or ""),
        negotiated=_flag(content, "negotiated", default=False),
        id=_number(content, "id", MAX_STREAM_ID),
    )
    if options.max_packet_life_time is not None and options.max_retransmits is not None:
        raise SignalingError("a channel has either a life time or a number of retransmissions")
    if options.negotiated and options.id in (None, CONTROL_STREAM_ID):
        raise SignalingError("a negotiated channel has an id of its own")
    return ControlRequest(_text(label), options)


def _flag(content: dict[str, JsonValue], name: str, *, default: bool) -> bool:
    value = content.get(name)
    return default if value is None else bool(value)


def _number(content: dict[str, JsonValue], name: str, largest: int) -> int | None:
    value = content.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise SignalingError(f"{name} is not a number from 0 to {largest}")
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str) or len(value.encode("utf-8", "replace")) > MAX_LABEL_BYTES:
        raise SignalingError(f"a label or protocol is text of at most {MAX_LABEL_BYTES} bytes")
    return value
