"""The errors of every layer, split by whose fault they are.

`PeerixError` is the root. Wrong use of this library raises `LocalProtocolError` at once; what a broken
peer or network does is an event, and `RemoteProtocolError` objects travel inside such events. Streams that are closed,
broken or busy raise AnyIO's own errors instead.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """What kind of trouble an `error` event reports: the codes of the browser library Peerix 0.7."""

    SIGNALING = "SIGNALING_ERROR"
    NEGOTIATION = "NEGOTIATION_ERROR"
    ICE_CANDIDATE = "ICECANDIDATE_ERROR"
    MEDIA_STREAM = "MEDIASTREAM_ERROR"
    DATA_CHANNEL = "DATACHANNEL_ERROR"
    UNKNOWN = "UNKNOWN_ERROR"


class PeerixError(Exception):
    """The root of all errors of this library.

    `code` tells the kind of trouble; each subclass has its own.
    """

    code: ErrorCode = ErrorCode.UNKNOWN


class LocalProtocolError(PeerixError):
    """The caller used an object in a way that its protocol or its state forbids."""


class RemoteProtocolError(PeerixError):
    """The other side broke a protocol. `section` names the RFC section that it broke, where one does."""

    def __init__(self, message: str, *, section: str = "") -> None:
        super().__init__(f"{message} ({section})" if section else message)
        self.section = section


class SignalingError(PeerixError):
    """A signalling packet could not be read, written or delivered."""

    code = ErrorCode.SIGNALING


class NegotiationError(PeerixError):
    """A session description could not be created or applied."""

    code = ErrorCode.NEGOTIATION


class IceCandidateError(PeerixError):
    """A candidate could not be used."""

    code = ErrorCode.ICE_CANDIDATE


class MediaStreamError(PeerixError):
    """A stream or a track could not be sent or received."""

    code = ErrorCode.MEDIA_STREAM


class DataChannelError(PeerixError):
    """A data channel or a message on it failed."""

    code = ErrorCode.DATA_CHANNEL


class MessageTooLarge(DataChannelError):  # noqa: N818 - a public name of the contract
    """A message is larger than the receiver takes."""


class TransferAborted(DataChannelError):  # noqa: N818 - a public name of the contract
    """A transfer was aborted by one of its sides."""


class TransferTimeout(DataChannelError):  # noqa: N818 - named like its sibling
    """A transfer made no progress for the time it is allowed to stand still."""


class EventsLost(PeerixError):  # noqa: N818 - a public name of the contract
    """The reader of an event stream fell behind its bound; the events since then are gone."""
