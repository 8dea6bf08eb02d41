"""Which encoders and decoders there are, and which of them is preferred.

A program may add its own, such as one of its graphics card, with a higher preference than the built-in ones:
``register_encoder("video/H264", MyEncoder, preference=10)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from peerix.core.errors import PeerixError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from av import AudioFrame, VideoFrame

    from peerix.rtc.encoded_frame import EncodedFrame

SourceT_contra = TypeVar("SourceT_contra", contravariant=True)
FrameT_co = TypeVar("FrameT_co", covariant=True)


@dataclass(slots=True)
class EncoderSettings:
    """What an encoder is made for.

    :ivar bitrate: bits a second to aim at; `Encoder.set_bitrate` changes it.
    :ivar max_bitrate: what `set_bitrate` will not exceed.
    :ivar frame_rate: frames a second to expect (video).
    :ivar scale: by which to divide width and height of pictures.
    :ivar parameters: the format parameters that were agreed on, such as `profile-level-id` or `useinbandfec`.
    """

    bitrate: int
    max_bitrate: int
    frame_rate: float = 30.0
    scale: float = 1.0
    parameters: dict[str, str] = field(default_factory=dict[str, str])


class Encoder(Protocol[SourceT_contra]):
    """Turns frames into encoded frames. Called in worker threads, by one at a time."""

    def encode(self, frame: SourceT_contra, *, key_frame: bool = False) -> Sequence[EncodedFrame]:
        """Encode one frame; a `key_frame` can be decoded without those before it."""
        ...

    def set_bitrate(self, bitrate: int) -> None:
        """Aim at another bitrate from the next frame on."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Decoder(Protocol[FrameT_co]):
    """Turns encoded frames into frames. Called in worker threads, by one at a time."""

    def decode(self, frame: EncodedFrame) -> Sequence[FrameT_co]:
        """Decode one frame; empty when it cannot be decoded (a key frame is then asked for)."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class AudioDecoder(Decoder["AudioFrame"], Protocol):
    """A decoder of sound, which also makes up for what is missing, and for what it could not decode."""

    def conceal(self, time: float, duration: float, *, silence: bool) -> Sequence[AudioFrame]:
        """Make sound for a piece that was lost, or `silence` where nobody spoke.

        :param time: when it begins, in seconds on the clock of the track.
        :param duration: seconds.
        """
        ...


class RecoveringDecoder(AudioDecoder, Protocol):
    """A decoder of sound that reads lost pieces from the packets behind them, which repeat them (Opus in-band FEC)."""

    def recover(self, time: float, duration: float, following: bytes) -> Sequence[AudioFrame]:
        """Decode a piece that was lost; empty when that cannot be (it is concealed then).

        :param time: when it begins, in seconds on the clock of the track.
        :param duration: seconds; what follows repeats all of it.
        :param following: the packet behind it, which comes to `decode` next.
        """
        ...


VideoEncoder: TypeAlias = "Encoder[VideoFrame]"
AudioEncoder: TypeAlias = "Encoder[AudioFrame]"
VideoDecoder: TypeAlias = "Decoder[VideoFrame]"

EncoderFactory: TypeAlias = "Callable[[EncoderSettings], Encoder[Any]]"
DecoderFactory: TypeAlias = "Callable[[dict[str, str]], Decoder[Any]]"

FactoryT = TypeVar("FactoryT")


class _Registry(Generic[FactoryT]):
    __slots__ = ("_entries", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[str, list[tuple[int, FactoryT]]] = {}

    def register(self, mime_type: str, factory: FactoryT, preference: int) -> None:
        entries = self._entries.setdefault(mime_type.lower(), [])
        entries.append((preference, factory))
        entries.sort(key=lambda entry: -entry[0])

    def find(self, mime_type: str) -> FactoryT:
        try:
            _load_built_in()
        except ImportError:
            if not self._entries.get(mime_type.lower()):
                raise
        entries = self._entries.get(mime_type.lower())
        if not entries:
            known = ", ".join(sorted(self._entries)) or "none"
            raise PeerixError(f"there is no {self._what} for {mime_type}; known ones: {known}")
        return entries[0][1]

    def unregister(self, mime_type: str, factory: FactoryT) -> None:
        entries = self._entries.get(mime_type.lower(), [])
        entries[:] = [entry for entry in entries if entry[1] is not factory]

    def names(self) -> list[str]:
        return [name for name, entries in self._entries.items() if entries]


@cache
def _load_built_in() -> None:
    """The codecs of `peerix.media` add themselves here. It is above us: whoever only moves data does without it."""
    import_module("peerix.media.codecs")


_encoders: _Registry[EncoderFactory] = _Registry("encoder")
_decoders: _Registry[DecoderFactory] = _Registry("decoder")


def register_encoder(mime_type: str, factory: EncoderFactory, *, preference: int = 0) -> None:
    """Add an encoder; of several for a type the one with the highest preference is used, the first one of equals."""
    _encoders.register(mime_type, factory, preference)


def register_decoder(mime_type: str, factory: DecoderFactory, *, preference: int = 0) -> None:
    """Add a decoder; its factory is called with the format parameters that were agreed on."""
    _decoders.register(mime_type, factory, preference)


def unregister_encoder(mime_type: str, factory: EncoderFactory) -> None:
    """Take an encoder out again; harmless when it is not there."""
    _encoders.unregister(mime_type, factory)


def unregister_decoder(mime_type: str, factory: DecoderFactory) -> None:
    """Take a decoder out again; harmless when it is not there."""
    _decoders.unregister(mime_type, factory)


def find_encoder(mime_type: str) -> EncoderFactory:
    """The preferred encoder for a type such as "video/VP8".

    :raises PeerixError: there is none.
    :raises ImportError: the extra `media` is not installed.
    """
    return _encoders.find(mime_type)


def find_decoder(mime_type: str) -> DecoderFactory:
    """The preferred decoder for a type.

    :raises PeerixError: there is none.
    :raises ImportError: the extra `media` is not installed.
    """
    return _decoders.find(mime_type)


def encodable() -> list[str]:
    """The types for which there is an encoder, in lower case."""
    _load_built_in()
    return _encoders.names()


def decodable() -> list[str]:
    """The types for which there is a decoder, in lower case."""
    _load_built_in()
    return _decoders.names()
