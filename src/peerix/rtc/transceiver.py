"""A sender and a receiver that share a section (W3C RTCRtpTransceiver)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from peerix.core.errors import LocalProtocolError
from peerix.core.sdp import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.jsep import Codec, Transceiver
    from peerix.rtc.media_track import Kind
    from peerix.rtc.rtp_receiver import RtpReceiver
    from peerix.rtc.rtp_sender import RtpSender

TransceiverDirection: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]


class RtpTransceiver:
    """A section of audio or video, and what is sent and received in it."""

    __slots__ = ("_core", "_update_needed", "receiver", "sender")

    def __init__(
        self, core: Transceiver, sender: RtpSender, receiver: RtpReceiver, update_needed: Callable[[], None]
    ) -> None:
        self._core = core
        self._update_needed = update_needed
        self.sender = sender
        self.receiver = receiver

    def __repr__(self) -> str:
        return f"<RtpTransceiver {self.mid} {self.kind} {self.direction}>"

    @property
    def kind(self) -> Kind:
        """The kind of the section: "audio" or "video"."""
        return self._core.kind

    @property
    def mid(self) -> str | None:
        """The name of the section; None as long as it has none."""
        return self._core.mid

    @property
    def direction(self) -> TransceiverDirection:
        """What is wanted: "sendrecv", "sendonly", "recvonly" or "inactive". It takes effect with a negotiation."""
        return self._core.direction.value

    @direction.setter
    def direction(self, direction: TransceiverDirection) -> None:
        if self._core.stopping:
            raise LocalProtocolError("the transceiver is stopped")
        self._core.direction = Direction(direction)
        self._update_needed()

    @property
    def current_direction(self) -> TransceiverDirection | None:
        """What was agreed on; None before that, and once it is stopped."""
        current = self._core.current_direction
        return None if current is None else current.value

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called, here or by the other side."""
        return self._core.stopping or self._core.stopped

    def stop(self) -> None:
        """End it for good: nothing is sent or received from now on, and the next offer turns its section off."""
        if not self.stopped:
            self._core.stop()
            self.sender.stop()
            self.receiver.track.end()
            self._update_needed()

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        """Take only these codecs, the preferred one first, from the next negotiation on; none is the default."""
        self._core.codec_preferences = tuple(codecs)
        self._update_needed()
