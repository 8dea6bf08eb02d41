"""The streams that one remote peer is sent: what is wanted, and the transceivers that carry it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from anyio import CancelScope, ClosedResourceError

from peerix.core.errors import MediaStreamError, PeerixError
from peerix.published import check_room
from peerix.rtc.media_stream import MediaStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerix.media_parameters import MediaParameters
    from peerix.published import AnyStream, AnyTrack, Publication, Published
    from peerix.rtc import PeerConnection, RtpTransceiver, SendingFailed


class _SentTrack:
    """A transceiver of ours, and the track that it should carry; None when it was stopped."""

    __slots__ = ("parameters", "track", "transceiver")

    def __init__(self, transceiver: RtpTransceiver, track: AnyTrack, parameters: MediaParameters) -> None:
        self.transceiver = transceiver
        self.track: AnyTrack | None = track
        self.parameters = parameters

    def stop(self) -> None:
        self.track = None
        self.transceiver.stop()

    def adjust(self, parameters: MediaParameters) -> None:
        if parameters == self.parameters:
            return
        if parameters.codecs != self.parameters.codecs:
            self.transceiver.set_codec_preferences(parameters.codec_preferences())
        self.parameters = parameters
        self.transceiver.sender.set_parameters(parameters.encodings())

    async def replace(self) -> None:
        """Have the sender take the track that is wanted by now; of two callers the last wish counts."""
        while (wanted := self.track) is not None:
            await self.transceiver.sender.replace_track(wanted)
            if self.track is wanted:
                return


class _SentStream:
    """What is sent under a label. Its id stays while the tracks of the stream are exchanged one by one."""

    __slots__ = ("stream", "tracks")

    def __init__(self, stream_id: str) -> None:
        self.stream: AnyStream = MediaStream((), stream_id)
        self.tracks: list[_SentTrack] = []

    def match(self, publication: Publication) -> tuple[list[_SentTrack], list[_SentTrack], list[AnyTrack]]:
        """Carry the tracks of a publication as far as possible.

        :returns: what carries another track now, what is left over, and the tracks that nothing carries
        """
        # The other side may have turned a section down.
        present = [each for each in self.tracks if not each.transceiver.stopped]
        kept = [each for each in present if each.track in publication.tracks]
        spare = [each for each in present if each not in kept]
        carried = {each.track for each in kept}
        replaced: list[_SentTrack] = []
        missing: list[AnyTrack] = []
        for track in (each for each in publication.tracks if each not in carried):
            taken = next((each for each in spare if each.transceiver.kind == track.kind), None)
            if taken is None:
                missing.append(track)
            else:
                spare.remove(taken)
                taken.track = track
                replaced.append(taken)
        self.tracks = [*kept, *replaced]
        return replaced, spare, missing


class SentStreams:
    """All that one remote peer is sent.

    A stream may be wanted before there is a connection. It is added when `ready` says that its label can go along.
    """

    __slots__ = ("_connection", "_published", "_ready", "_report", "_sent", "_wanted")

    def __init__(self, published: Published, ready: Callable[[], bool], report: Callable[[PeerixError], None]) -> None:
        self._published = published
        self._ready = ready
        self._report = report
        self._connection: PeerConnection | None = None
        self._sent: dict[str, _SentStream] = {}
        self._wanted = dict(published.by_label)
        for publication in self._wanted.values():
            published.hold(publication, self)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of what is sent, by the id of the stream: they go with every offer."""
        return {sent.stream.id: label for label, sent in self._sent.items()}

    # -- wishes

    async def publish(self, publication: Publication) -> None:
        """Send it; tracks that were sent under the same label are exchanged."""
        label = publication.label
        check_room(self._wanted, publication)
        before = self._wanted.get(label)
        self._wanted[label] = publication
        self._published.hold(publication, self)
        try:
            await self._exchange(label, self._update(label, publication))
        finally:
            if before is not None and before is not publication:
                self._published.release(before, self)

    def unpublish(self, what: str | AnyStream) -> None:
        """Send it no longer."""
        for publication in [each for each in self._wanted.values() if each.is_meant_by(what)]:
            self.drop(publication)

    def drop(self, publication: Publication) -> None:
        """Send it no longer, if it is what its label stands for."""
        if self._wanted.get(publication.label) is not publication:
            return
        del self._wanted[publication.label]
        sent = self._sent.pop(publication.label, None)
        try:
            self._stop([] if sent is None else sent.tracks)
        finally:
            self._published.release(publication, self)

    # -- what happens

    def start(self, connection: PeerConnection) -> None:
        """There is a connection."""
        self._connection = connection

    def add_missing(self) -> None:
        """Add what could not be added before."""
        for label, publication in list(self._wanted.items()):
            self._update(label, publication)

    def handle_failure(self, event: SendingFailed) -> None:
        """A track cannot be encoded, or the other side does not take its codec."""
        for label, sent in self._sent.items():
            if any(each.transceiver.sender is event.sender for each in sent.tracks):
                self._complain(label, event.error)

    def end(self) -> None:
        """The remote peer is gone."""
        self._connection = None
        self._sent.clear()
        while self._wanted:
            _, publication = self._wanted.popitem()
            self._published.release(publication, self, is_gone=True)

    # -- transceivers

    def _update(self, label: str, publication: Publication) -> list[_SentTrack]:
        """Add, stop and adjust what a label needs; gives those whose tracks are still to be replaced."""
        connection = self._connection
        if connection is None:
            return []
        sent = self._sent.get(label) or _SentStream(self._stream_id(publication))
        replaced, spare, missing = sent.match(publication)
        try:
            self._stop(spare)
            for each in sent.tracks:
                if each.track is not None:
                    each.adjust(publication.parameters(each.track))
            if missing and self._ready():
                self._sent[label] = sent
                for track in missing:
                    sent.tracks.append(self._add(connection, sent, track, publication.parameters(track)))
        except ClosedResourceError:
            return []  # the connection has just ended, and nobody here has heard of it yet
        except PeerixError as error:
            self._complain(label, error)
        if not sent.tracks:
            self._sent.pop(label, None)
        return replaced

    def _stream_id(self, publication: Publication) -> str:
        """The id of the stream, unless another label has it: labels are told by these ids."""
        used = {sent.stream.id for sent in self._sent.values()}
        return secrets.token_hex(16) if publication.stream.id in used else publication.stream.id

    def _add(
        self, connection: PeerConnection, sent: _SentStream, track: AnyTrack, parameters: MediaParameters
    ) -> _SentTrack:
        transceiver = connection.add_transceiver(
            track, direction="sendonly", streams=[sent.stream], send_encodings=parameters.encodings()
        )
        if parameters.codecs:
            transceiver.set_codec_preferences(parameters.codec_preferences())
        return _SentTrack(transceiver, track, parameters)

    def _stop(self, tracks: Iterable[_SentTrack]) -> None:
        try:
            for each in tracks:
                each.stop()
        except ClosedResourceError:
            return

    async def _exchange(self, label: str, replaced: list[_SentTrack]) -> None:
        # Whoever is cancelled here has published; half of it is worse than a moment's delay.
        with CancelScope(shield=True):
            for each in replaced:
                try:
                    await each.replace()
                except ClosedResourceError:
                    return
                except PeerixError:
                    self._renew(label, each)

    def _renew(self, label: str, old: _SentTrack) -> None:
        """The sender cannot take the track (another codec, for example): send it anew."""
        sent, publication = self._sent.get(label), self._wanted.get(label)
        if sent is None or publication is None or old not in sent.tracks:
            return
        sent.tracks.remove(old)
        self._stop([old])
        self._update(label, publication)

    def _complain(self, label: str, error: PeerixError) -> None:
        failure = MediaStreamError(f"the stream {label!r} cannot be sent: {error}")
        failure.__cause__ = error
        self._report(failure)
