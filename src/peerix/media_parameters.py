"""How published tracks are sent: the parameters of `publish`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from peerix.core.errors import LocalProtocolError
from peerix.core.session.media.formats import DEFAULT_CAPABILITIES
from peerix.rtc.rtp_parameters import RtpEncodingParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.jsep import Codec, MediaKind
    from peerix.rtc.rtp_parameters import Priority


def prefer(kind: MediaKind, names: Sequence[str]) -> tuple[Codec, ...]:
    """All codecs of a kind, those of some names first.

    :raises LocalProtocolError: there is none of a name
    """
    known = DEFAULT_CAPABILITIES.codecs_of(kind)
    lower = [name.lower() for name in names]
    for name in names:
        if name.lower() not in [codec.name.lower() for codec in known]:
            message = f"there is no codec {name!r} for {kind}: {', '.join(dict.fromkeys(each.name for each in known))}"
            raise LocalProtocolError(message)
    first = [codec for name in lower for codec in known if codec.name.lower() == name]
    return (*first, *(codec for codec in known if codec not in first))


@dataclass(slots=True, frozen=True, kw_only=True)
class AudioParameters:
    """How sound is sent.

    :param max_bitrate: bits a second that it does not exceed; None for the default.
    :param priority: its share when the path does not carry all: "very-low", "low", "medium" or "high".
    :param codecs: names such as "opus", the preferred one first; what the other side does not know is passed over.
    :raises LocalProtocolError: a value is out of its range.
    """

    max_bitrate: int | None = None
    priority: Priority = "low"
    codecs: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be sent so."""
        self.encodings()
        self.codec_preferences()

    def encodings(self) -> list[RtpEncodingParameters]:
        """The same for an `RtpSender`."""
        return [RtpEncodingParameters(max_bitrate=self.max_bitrate, priority=self.priority)]

    def codec_preferences(self) -> tuple[Codec, ...]:
        """The codecs for an `RtpTransceiver`; none leaves it to the default."""
        return prefer("audio", self.codecs) if self.codecs else ()


@dataclass(slots=True, frozen=True, kw_only=True)
class VideoParameters:
    """How pictures are sent.

    :param max_bitrate: bits a second that they do not exceed; None for the default.
    :param max_framerate: pictures a second; None for all that there are.
    :param scale_resolution_down_by: divides width and height; at least 1.
    :param priority: their share when the path does not carry all: "very-low", "low", "medium" or "high".
    :param codecs: names such as "VP9", the preferred one first; what the other side does not know is passed over.
    :raises LocalProtocolError: a value is out of its range.
    """

    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float = 1.0
    priority: Priority = "low"
    codecs: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be sent so."""
        self.encodings()
        self.codec_preferences()

    def encodings(self) -> list[RtpEncodingParameters]:
        """The same for an `RtpSender`."""
        return [
            RtpEncodingParameters(
                max_bitrate=self.max_bitrate,
                max_framerate=self.max_framerate,
                scale_resolution_down_by=self.scale_resolution_down_by,
                priority=self.priority,
            )
        ]

    def codec_preferences(self) -> tuple[Codec, ...]:
        """The codecs for an `RtpTransceiver`; none leaves it to the default."""
        return prefer("video", self.codecs) if self.codecs else ()


MediaParameters: TypeAlias = AudioParameters | VideoParameters

ParametersT = TypeVar("ParametersT", AudioParameters, VideoParameters)


def read_parameters(wanted: type[ParametersT], given: object) -> ParametersT:
    """Take parameters, or a mapping with the same names.

    :raises LocalProtocolError: a name is unknown, or a value cannot be used.
    """
    if given is None:
        return wanted()
    if isinstance(given, wanted):
        return given
    if not isinstance(given, Mapping):
        raise LocalProtocolError(f"{wanted.__name__} are wanted, or a mapping with their names")
    values = cast("Mapping[str, Any]", given)
    known = [each.name for each in fields(wanted)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise LocalProtocolError(f"{unknown[0]!r} is none of {', '.join(known)}")
    try:
        return wanted(**values)
    except TypeError as error:
        raise LocalProtocolError(f"parameters that cannot be used: {error}") from error
