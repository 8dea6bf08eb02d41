"""What media we can send and receive: the codecs and header extensions that whoever runs the negotiation injects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

MediaKind: TypeAlias = Literal["audio", "video"]

ALL_KINDS: tuple[MediaKind, ...] = ("audio", "video")


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as a description names it (`RTCRtpCodec` of W3C WebRTC 5.2.2, and what SDP needs beside).

    `parameters` is its `a=fmtp:` text, `feedback` the values of its `a=rtcp-fb:` lines, such as ``"nack pli"``.
    `payload_type` and `rtx_payload_type` are used when nothing else was agreed on; without the second there are no
    retransmissions (RFC 4588). `redundancy_of` names the codec whose packets an RED codec repeats (RFC 2198): its
    parameters are payload types, and so are written when these are known.
    """

    kind: MediaKind
    name: str
    clock_rate: int
    payload_type: int
    channels: int | None = None
    parameters: str = ""
    feedback: tuple[str, ...] = ()
    rtx_payload_type: int | None = None
    redundancy_of: str | None = None

    @property
    def mime_type(self) -> str:
        """What W3C calls it, such as "video/VP8"."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Extension:
    """An RTP header extension (RFC 8285); `id` is used when no other was agreed on."""

    uri: str
    id: int
    kinds: tuple[MediaKind, ...] = ALL_KINDS


@dataclass(frozen=True, slots=True)
class MediaCapabilities:
    """The codecs, the preferred ones first, and the header extensions."""

    codecs: tuple[Codec, ...] = ()
    extensions: tuple[Extension, ...] = ()

    def codecs_of(self, kind: str) -> tuple[Codec, ...]:
        """Give the codecs of a kind."""
        return tuple(codec for codec in self.codecs if codec.kind == kind)

    def extensions_of(self, kind: str) -> tuple[Extension, ...]:
        """Give the header extensions of a kind."""
        return tuple(extension for extension in self.extensions if kind in extension.kinds)
