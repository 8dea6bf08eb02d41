"""Tracks that belong together (W3C MediaStream)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from peerix.rtc.media_track import MediaTrack

TrackT = TypeVar("TrackT", bound="MediaTrack[Any]")


class MediaStream(Generic[TrackT]):
    """Tracks that are shown in step, such as a camera and its microphone.

    :param id: what the other side knows it by; random when it is not given.
    """

    __slots__ = ("_tracks", "id")

    def __init__(self, tracks: Iterable[TrackT] = (), id: str | None = None) -> None:  # noqa: A002 - the W3C name
        self.id = id or secrets.token_hex(16)
        self._tracks = {track.id: track for track in tracks}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {', '.join(track.kind for track in self.tracks)}>"

    @property
    def tracks(self) -> list[TrackT]:
        """All tracks, in the order in which they were added."""
        return list(self._tracks.values())

    @property
    def audio_tracks(self) -> list[TrackT]:
        """The tracks of audio."""
        return [track for track in self.tracks if track.kind == "audio"]

    @property
    def video_tracks(self) -> list[TrackT]:
        """The tracks of video."""
        return [track for track in self.tracks if track.kind == "video"]

    def add(self, track: TrackT) -> None:
        """Add a track; harmless when it is there."""
        self._tracks[track.id] = track

    def remove(self, track: TrackT) -> None:
        """Take a track out; harmless when it is not there."""
        self._tracks.pop(track.id, None)
