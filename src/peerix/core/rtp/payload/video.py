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
    """Cut into as few parts of at most `size` bytes as it takes, all of one size but the last, which is hardly smaller.

    Equal packets go through the kernel together, and none is so small that its headers outweigh it.
    """
    count = max(-(-len(data) // size), 1)
    step = max(-(-len(data) // count), 1)
    return [data[offset : offset + step] for offset in range(0, max(len(data), 1), step)]
