"""Frames of the control channel (signatures; bodies follow)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .json import JsonValue

CONTROL_LABEL = ""
CONTROL_STREAM_ID = 0


@dataclass(slots=True)
class ChannelOptions:
    """What a channel is opened with: W3C names in snake_case, milliseconds."""

    ordered: bool = True
    max_packet_life_time: int | None = None
    max_retransmits: int | None = None
    protocol: str = ""


@dataclass(slots=True)
class ControlDescription:
    """An offer (with labels) or answer: `RemoteNegotiation.handle_description(description, labels=labels)`."""

    description: dict[str, JsonValue]
    labels: JsonValue


@dataclass(slots=True)
class ControlCandidate:
    """`RemoteNegotiation.handle_candidate(candidate)`."""

    candidate: dict[str, JsonValue]


@dataclass(slots=True)
class ControlRequest:
    """`ChannelPlan.handle_request(request.label, request.options)`."""

    label: str
    options: ChannelOptions


ControlMessage: TypeAlias = "ControlDescription | ControlCandidate | ControlRequest"


def write_signal(message: Sequence[object]) -> bytes: ...
def write_request(label: str, options: ChannelOptions) -> bytes: ...
def parse_control(frame: bytes | str) -> ControlMessage | None:
    """None: to be ignored. :raises SignalingError: the payload is not what the protocol allows."""
    ...
