"""What a peer publishes: streams by label, and who of them is still needed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from anyio import CancelScope, sleep

from peerix.core.errors import LocalProtocolError
from peerix.core.jsep import Outgoing
from peerix.core.rooms.negotiation import MAX_LABEL_LENGTH, MAX_LABELS
from peerix.media_parameters import AudioParameters, VideoParameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import TaskGroup

    from peerix.media_parameters import MediaParameters
    from peerix.rtc.media_stream import MediaStream
    from peerix.rtc.media_track import Kind, MediaTrack

    AnyTrack: TypeAlias = MediaTrack[Any]
    AnyStream: TypeAlias = MediaStream[Any]

LINGER = 0.5
"""Seconds for which a stream stays published after its last track has ended: its last frames are on their way."""


class Publication:
    """A stream under a label, with the tracks that it had when it was published.

    :param label: that of the stream's id when it is None.
    :param managed: the tracks are the program's own affair: they are not ended when they are no longer published, and
        the stream stays published when they end.
    :raises LocalProtocolError: the label is empty or too long, or an id cannot be told to the other side
    """

    __slots__ = ("_parameters", "label", "managed", "stream", "tracks")

    def __init__(
        self,
        stream: AnyStream,
        label: str | None = None,
        audio: AudioParameters | None = None,
        video: VideoParameters | None = None,
        *,
        managed: bool = False,
    ) -> None:
        self.stream = stream
        self.label = stream.id if label is None else label
        self.tracks: tuple[AnyTrack, ...] = tuple(stream.tracks)
        self.managed = managed
        self._parameters: dict[Kind, MediaParameters] = {
            "audio": audio or AudioParameters(),
            "video": video or VideoParameters(),
        }
        if not 0 < len(self.label) <= MAX_LABEL_LENGTH:
            raise LocalProtocolError(f"the label of a stream has 1 to {MAX_LABEL_LENGTH} characters")
        for track in self.tracks:
            Outgoing(track.id, 1, 2, (stream.id,))  # raises for ids that no description can hold

    def parameters(self, track: AnyTrack) -> MediaParameters:
        """How one of its tracks is sent."""
        return self._parameters[track.kind]

    def is_meant_by(self, what: str | AnyStream) -> bool:
        """Whether somebody who says a label, or a stream, means this."""
        return self.label == what if isinstance(what, str) else self.stream is what


class Holder(Protocol):
    """Who publishes something, to everybody or to one remote peer."""

    def drop(self, publication: Publication) -> None:
        """Publish it no longer, if it is still published."""
        ...


class Published:
    """All that a peer publishes; it outlives the stays in rooms.

    Tracks that nobody publishes any more are ended, and streams whose tracks have all ended are published no longer,
    unless they are managed.
    """

    __slots__ = ("_by_label", "_holders", "_scopes", "_tasks", "by_label")

    def __init__(self) -> None:
        self._by_label: dict[str, Publication] = {}
        self.by_label: Mapping[str, Publication] = MappingProxyType(self._by_label)
        """What everybody gets."""
        self._holders: dict[Publication, set[Holder]] = {}
        self._scopes: dict[Publication, CancelScope] = {}
        self._tasks: TaskGroup | None = None

    # -- for everybody

    def add(self, publication: Publication) -> None:
        """Publish it to everybody.

        :raises LocalProtocolError: there are too many.
        """
        check_room(self._by_label, publication)
        before = self._by_label.get(publication.label)
        self._by_label[publication.label] = publication
        self.hold(publication, self)
        if before is not None:
            self.release(before, self)

    def drop(self, publication: Publication) -> None:
        """Publish it no longer to those who come; harmless when it is not published."""
        if self._by_label.get(publication.label) is publication:
            del self._by_label[publication.label]
            self.release(publication, self)

    # -- who needs what

    def hold(self, publication: Publication, holder: Holder) -> None:
        """Somebody publishes it."""
        self._holders.setdefault(publication, set()).add(holder)
        self._watch(publication)

    def release(self, publication: Publication, holder: Holder, *, is_gone: bool = False) -> None:
        """Somebody does not any more; the last one ends its tracks.

        :param is_gone: the remote peer has left, and nobody has decided to end anything.
        """
        holders = self._holders.get(publication, set())
        holders.discard(holder)
        if holders:
            return
        self._holders.pop(publication, None)
        scope = self._scopes.pop(publication, None)
        if scope is not None:
            scope.cancel("it is not published any more")
        if publication.managed or is_gone:
            return
        needed = {track for each in self._holders for track in each.tracks}
        for track in publication.tracks:
            if track not in needed:
                track.end()

    # -- tracks that end by themselves

    def start(self, tasks: TaskGroup) -> None:
        """Watch for the end of tracks, in a group of tasks."""
        self._tasks = tasks
        for publication in self._holders:
            self._watch(publication)

    def stop(self) -> None:
        """The group of tasks is about to end."""
        self._tasks = None
        while self._scopes:
            self._scopes.popitem()[1].cancel("the peer is closed")

    def _watch(self, publication: Publication) -> None:
        if self._tasks is None or publication.managed or publication in self._scopes:
            return
        scope = self._scopes[publication] = CancelScope()
        self._tasks.start_soon(self._drop_when_ended, publication, scope, name=f"end of stream {publication.label!r}")

    async def _drop_when_ended(self, publication: Publication, scope: CancelScope) -> None:
        with scope:
            for track in publication.tracks:
                await track.wait_ended()
            await sleep(LINGER)
        if not scope.cancel_called:
            for holder in tuple(self._holders.get(publication, ())):
                holder.drop(publication)


def check_room(present: Mapping[str, Publication], publication: Publication) -> None:
    """See that there is room for one more: the other side knows so many labels only.

    :raises LocalProtocolError: there is none.
    """
    if publication.label not in present and len(present) >= MAX_LABELS:
        raise LocalProtocolError(f"a peer publishes {MAX_LABELS} streams at most")
