"""Tracks of frames that are encoded already: forwarded, recorded as they are, or made by an encoder of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.rtc.encoded_frame import EncodedFrame
from peerix.rtc.media_track import MediaTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.rtc.media_track import Kind


def _nothing(_: object = None) -> None:
    pass


class EncodedTrack(MediaTrack[EncodedFrame]):
    """A track of encoded frames. Sent as it is to everybody who takes its codec.

    :param codec: the MIME type of its frames, such as "video/VP8".
    :param clock: what the times of the frames are counted on; `MONOTONIC` for what is made now.
    :ivar codec: that of the frames; empty on a received track before the first one.
    :ivar key_frame_wanted: called when somebody cannot go on without a key frame.
    :ivar bitrate_wanted: called with the bits a second that the slowest of the receivers can take.
    """

    __slots__ = ("bitrate_wanted", "codec", "key_frame_wanted")

    def __init__(
        self,
        kind: Kind,
        codec: str,
        *,
        id: str | None = None,  # noqa: A002 - the W3C name
        label: str = "",
        clock: object = None,
        key_frame_wanted: Callable[[], None] = _nothing,
        bitrate_wanted: Callable[[int], None] = _nothing,
    ) -> None:
        super().__init__(kind, id=id, label=label, clock=clock)
        self.codec = codec
        self.key_frame_wanted = key_frame_wanted
        self.bitrate_wanted = bitrate_wanted

    def send_nowait(self, frame: EncodedFrame) -> None:
        """Hand a frame to all who read or send the track."""
        self.deliver(frame)
