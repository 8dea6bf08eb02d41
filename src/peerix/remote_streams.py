"""The streams that one remote peer publishes, and their events."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from peerix.events import StreamEvent, TrackEvent
from peerix.rtc.media_stream import MediaStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from peerix.events import PeerEvent
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import ReceivedTrack, TrackReceived, TrackRemoved

    RemoteStream: TypeAlias = MediaStream[ReceivedTrack]


MAX_STREAMS = 256
"""Streams of one remote peer, as many as it can give a label to; tracks of further ones are not told."""


class _Entry:
    """A stream of the other side under the label that it had when it came, and its tracks that were told."""

    __slots__ = ("label", "stream", "tracks")

    def __init__(self, stream: RemoteStream, label: str) -> None:
        self.stream = stream
        self.label = label
        self.tracks: list[ReceivedTrack] = []


class RemoteStreams:
    """The streams of one remote peer.

    :param labels: gives the labels that the other side told with its last offer, by the id of the stream.
    """

    __slots__ = ("_by_label", "_emit", "_entries", "_labels", "_remote", "view")

    def __init__(
        self, remote: RemotePeer, emit: Callable[[PeerEvent], None], labels: Callable[[], Mapping[str, str]]
    ) -> None:
        self._remote = remote
        self._emit = emit
        self._labels = labels
        self._entries: dict[str, _Entry] = {}
        self._by_label: dict[str, RemoteStream] = {}
        self.view: Mapping[str, RemoteStream] = MappingProxyType(self._by_label)
        """The streams by label; of several with one label the latest."""

    def handle_received(self, event: TrackReceived) -> None:
        """A track has come, in some streams; one that is in none gets one of its own."""
        for stream in event.streams or (MediaStream([event.track], event.track.id),):
            entry = self._entries.get(stream.id)
            if entry is None and len(self._entries) >= MAX_STREAMS:
                continue
            if entry is None:
                entry = _Entry(stream, self._labels().get(stream.id) or stream.id)
                self._entries[stream.id] = entry
                self._by_label[entry.label] = stream
                self._emit(StreamEvent("stream:add", self._remote, stream, entry.label))
            if event.track not in entry.tracks:
                entry.tracks.append(event.track)
                self._emit(TrackEvent("track:add", self._remote, stream, event.track, entry.label))

    def handle_removed(self, event: TrackRemoved) -> None:
        """A track is gone from some streams, or from all that it was in."""
        ids = [stream.id for stream in event.streams] or list(self._entries)
        for entry in [self._entries[each] for each in ids if each in self._entries]:
            self._remove(entry, event.track)

    def _remove(self, entry: _Entry, track: ReceivedTrack) -> None:
        if track not in entry.tracks:
            return
        entry.tracks.remove(track)
        self._emit(TrackEvent("track:remove", self._remote, entry.stream, track, entry.label))
        if not entry.tracks:
            self._forget(entry)
            self._emit(StreamEvent("stream:remove", self._remote, entry.stream, entry.label))

    def _forget(self, entry: _Entry) -> None:
        del self._entries[entry.stream.id]
        if self._by_label.get(entry.label) is entry.stream:
            del self._by_label[entry.label]
            for each in self._entries.values():
                if each.label == entry.label:
                    self._by_label[entry.label] = each.stream

    def end(self) -> None:
        """The remote peer is gone, and all that it published with it."""
        for entry in list(self._entries.values()):
            for track in entry.tracks.copy():
                self._remove(entry, track)
