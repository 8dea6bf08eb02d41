"""What every video payload format offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class AssembledFrame:
    """A frame as its codec wants it: H.264 as Annex B, AV1 as OBUs with sizes, VP8 and VP9 as they are."""

    data: bytes
    key_frame: bool


class VideoPacketizer(Protocol):
    """Cuts encoded frames into payloads; the payloads of one frame can be sent to many receivers."""

    def packetize(self, frame: bytes, limit: int) -> list[bytes]:
        """Cut one frame into payloads of at most `limit` bytes each; the last one gets the marker bit.

        :raises LocalProtocolError: if that is not a frame of this codec.
        """
        ...


class VideoDepacketizer(Protocol):
    """Joins payloads to frames. Total: it answers None for what cannot be."""

    def starts_key_frame(self, payload: bytes) -> bool:
        """Tell whether a frame begins with this payload that needs no frame before it."""
        ...

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame | None:
        """Join all payloads of one frame, in their order."""
        ...


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut into as few parts of at most `size` bytes as it takes, all of nearly the same size.

    Equal packets go through the kernel many at a time, and none is so small that its headers outweigh it.
    """
    count = max(-(-len(data) // size), 1)
    part, longer = divmod(len(data), count)
    parts: list[bytes] = []
    offset = 0
    for index in range(count):
        end = offset + part + (index < longer)
        parts.append(data[offset:end])
        offset = end
    return parts
