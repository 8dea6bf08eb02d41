"""The receiving half of a transceiver (W3C RTCRtpReceiver)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.rtc.media_track import Kind
    from peerix.rtc.received_track import ReceivedTrack


class RtpReceiver:
    """Receives one track.

    :ivar track: what is received; it is there before anything arrives, and ended when the transceiver is stopped.
    :ivar rid: of a simulcast, the encoding that the track shows; empty for the first that arrives.
    """

    __slots__ = ("_shown", "rid", "track")

    def __init__(self, track: ReceivedTrack) -> None:
        self.track = track
        self.rid = ""
        self._shown = ""

    @property
    def kind(self) -> Kind:
        """The kind of the track: "audio" or "video"."""
        return self.track.kind

    def shows(self, rid: str) -> bool:
        """Whether frames of an encoding are those of the track."""
        if self.rid:
            return rid == self.rid
        self._shown = self._shown or rid
        return rid == self._shown
