"""The receiving half of a transceiver (W3C RTCRtpReceiver)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.rtc.received_track import ReceivedTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.rtc.media_track import Kind


class RtpReceiver:
    """Receives one track.

    :param request_key_frame: asks the sender for one of the encoding with this rid.
    :ivar track: what is received; it is there before anything arrives, and ended when the transceiver is stopped.
    """

    __slots__ = ("_request_key_frame", "_rid", "_shown", "track")

    def __init__(self, kind: Kind, request_key_frame: Callable[[str], None]) -> None:
        self.track = ReceivedTrack(kind, self.request_key_frame)
        self._request_key_frame = request_key_frame
        self._rid = ""
        self._shown: str | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the track: "audio" or "video"."""
        return self.track.kind

    @property
    def rid(self) -> str:
        """Of a simulcast, the encoding that the track is to show; empty for the first that arrives.

        Another one is shown from its next key frame on, which the sender is asked for.
        """
        return self._rid

    @rid.setter
    def rid(self, rid: str) -> None:
        self._rid = rid
        self.request_key_frame()

    def request_key_frame(self) -> None:
        """Ask for a key frame of what the track shows, or is to show."""
        self._request_key_frame(self._rid or self._shown or "")

    def shows(self, rid: str, *, key_frame: bool) -> bool:
        """Whether a frame of this encoding is one of the track."""
        wanted = self._rid or self._shown
        if wanted is None or (rid == wanted and key_frame):
            self._shown = rid
        return rid == self._shown
