"""What an application may ask of a sender (W3C RTCRtpEncodingParameters)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from peerix.core.errors import LocalProtocolError

Priority: TypeAlias = Literal["very-low", "low", "medium", "high"]

PRIORITY_WEIGHTS: dict[Priority, float] = {"very-low": 0.5, "low": 1.0, "medium": 2.0, "high": 4.0}
"""Shares of what the path carries (W3C WebRTC Priority API, section 3)."""

DEFAULT_MAX_BITRATE = {"audio": 64_000, "video": 2_500_000}
"""Bits a second, where nothing else is asked for."""

MIN_BITRATE = {"audio": 16_000, "video": 50_000}
"""Bits a second that a sender is given even on a path that carries less: below, nothing can be made out."""


@dataclass(slots=True)
class RtpEncodingParameters:
    """One encoding of what is sent.

    :ivar rid: its name among several ones (simulcast).
    :ivar active: whether it is sent.
    :ivar max_bitrate: bits a second that it does not exceed; None for a default by kind.
    :ivar max_framerate: frames a second; None for all that there are.
    :ivar scale_resolution_down_by: divides width and height; at least 1.
    :ivar priority: its share when the path does not carry all.
    :raises LocalProtocolError: a value is out of its range.
    """

    rid: str = ""
    active: bool = True
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float = 1.0
    priority: Priority = "low"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.max_bitrate is not None and self.max_bitrate <= 0:
            raise LocalProtocolError("max_bitrate is a number of bits a second above 0")
        if self.max_framerate is not None and self.max_framerate <= 0:
            raise LocalProtocolError("max_framerate is a number of frames a second above 0")
        if self.scale_resolution_down_by < 1:
            raise LocalProtocolError("scale_resolution_down_by is at least 1")
        if self.priority not in PRIORITY_WEIGHTS:
            raise LocalProtocolError(f"priority is one of {', '.join(PRIORITY_WEIGHTS)}")
