"""Offers, answers and candidates of one connection (signatures; bodies follow)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .json import JsonValue
from .signaling import SignalType


@dataclass(slots=True)
class MakeOffer:
    """set_local_description() (an offer), then `send_description`."""


@dataclass(slots=True)
class AcceptOffer:
    """Roll back when told so, set_remote_description, set_local_description() (an answer), `send_description`."""

    sdp: str
    rollback: bool


@dataclass(slots=True)
class AcceptAnswer:
    """set_remote_description."""

    type: str
    sdp: str


@dataclass(slots=True)
class AddCandidate:
    """add_ice_candidate."""

    candidate: dict[str, JsonValue]


Task: TypeAlias = "MakeOffer | AcceptOffer | AcceptAnswer | AddCandidate"


@dataclass(slots=True)
class SendControl:
    """Send this frame on the control channel."""

    frame: bytes


@dataclass(slots=True)
class SendSignal:
    """Publish it to the remote's namespace."""

    type: SignalType
    payload: Sequence[object]


Output: TypeAlias = "SendControl | SendSignal"


class RemoteNegotiation:
    """The rules of one connection. The shell runs one task at a time: next_task, do it, task_done."""

    polite: bool
    control_open: bool
    remote_labels: dict[str, str]  # msid stream id -> label, as the remote last told

    def __init__(self, *, polite: bool, metadata: object = None, debounce: float = 0.05) -> None: ...
    def handle_negotiation_needed(self) -> None: ...
    def handle_control_open(self) -> None: ...
    def handle_description(self, description: Mapping[str, JsonValue], *, labels: JsonValue = None) -> None: ...
    def handle_candidate(self, candidate: Mapping[str, JsonValue]) -> None: ...
    def next_task(self, signaling_state: str) -> Task | None:
        """None when there is nothing to do or the last task is not done yet."""
        ...

    def task_done(self, *, remote_description_set: bool = False) -> None: ...
    def send_description(self, description: Mapping[str, object], labels: Mapping[str, str]) -> None: ...
    def send_candidate(self, candidate: Mapping[str, object] | None, now: float) -> None: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...
    def poll_outputs(self) -> list[Output]: ...
