"""The streams of one remote peer, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.remote_streams import RemoteStreams
from peerix.rtc import SendingFailed, TrackReceived, TrackRemoved
from peerix.sent_streams import SentStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from peerix.core.errors import PeerixError
    from peerix.events import PeerEvent
    from peerix.published import Published
    from peerix.remote_peer import RemotePeer
    from peerix.rtc import ConnectionEvent as RtcEvent


class StreamsHost:
    """What the streams of a remote peer live on."""

    __slots__ = ("emit", "published", "ready", "remote_labels", "report")

    def __init__(
        self,
        published: Published,
        ready: Callable[[], bool],
        remote_labels: Callable[[], Mapping[str, str]],
        emit: Callable[[PeerEvent], None],
        report: Callable[[PeerixError], None],
    ) -> None:
        self.published = published
        """What everybody gets."""
        self.ready = ready
        """Whether the control channel carries the next offer, and so the labels of new streams."""
        self.remote_labels = remote_labels
        """Gives the labels of the other side's streams, by the id of the stream."""
        self.emit = emit
        self.report = report


class LinkStreams:
    """The streams that a remote peer is sent, and those that it sends."""

    __slots__ = ("received", "sent")

    def __init__(self, remote: RemotePeer, host: StreamsHost) -> None:
        self.sent = SentStreams(host.published, host.ready, host.report)
        self.received = RemoteStreams(remote, host.emit, host.remote_labels)

    def handle_event(self, event: RtcEvent) -> None:
        """Take what the connection says of tracks."""
        if isinstance(event, TrackReceived):
            self.received.handle_received(event)
        elif isinstance(event, TrackRemoved):
            self.received.handle_removed(event)
        elif isinstance(event, SendingFailed):
            self.sent.handle_failure(event)

    def end(self) -> None:
        """The remote peer is gone."""
        self.sent.end()
        self.received.end()
