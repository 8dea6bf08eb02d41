"""Signalling packets (signatures; bodies follow)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from .identity import Identity
from .json import JsonValue


class SignalType(IntEnum):
    ANNOUNCE = 1
    INVOKE = 2
    OFFER = 3
    ANSWER = 4
    CANDIDATE = 5


@dataclass(slots=True)
class SignalPacket:
    type: SignalType
    sender: str
    payload: list[JsonValue]


class SignalingCodec:
    def __init__(
        self,
        identity: Identity,
        *,
        encryption: bool = True,
        compression: bool = True,
        random_bytes: Callable[[int], bytes],
    ) -> None: ...

    def pack(self, type: SignalType, payload: Sequence[object] | None, to: str | None) -> bytes:
        """`to`: the receiver's id (None: the room; the payload must be None then)."""
        ...

    def unpack(self, data: bytes) -> SignalPacket | None:
        """None: our own packet. :raises SignalingError: anything wrong with it."""
        ...
