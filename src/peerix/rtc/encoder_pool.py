"""Encoders that are shared: each track is encoded once for all connections that send it alike."""

from __future__ import annotations

import time as clocks
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from anyio import AsyncContextManagerMixin, CancelScope, ClosedResourceError

from peerix.core.errors import PeerixError
from peerix.core.sdp import read_parameters
from peerix.rtc.codec_registry import EncoderSettings, find_encoder
from peerix.rtc.codec_thread import codec_thread
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import Self

    from anyio.abc import TaskGroup

    from peerix.rtc.codec_registry import Encoder
    from peerix.rtc.codec_thread import CodecThread
    from peerix.rtc.encoded_frame import EncodedFrame
    from peerix.rtc.media_track import MediaTrack

MAX_SPREAD = 2.0
"""How many times more than the slowest receiver of an encoding the fastest one may be able to take; beyond that the two
get encoders of their own."""

MERGING_SPREAD = 1.5
"""How close the receivers of two encoders have to come to share one."""

MAX_ENCODERS = 3
"""Encoders of a track for receivers of different speed; further ones share the slowest."""

KEY_FRAME_INTERVAL = 0.25
"""Seconds between two key frames, however many ask for one."""

MAX_BATCH = 25
"""Frames of sound a trip to the worker thread: half a second."""


class EncodingKey(NamedTuple):
    """What makes two senders of a track need the same encoder.

    :ivar mime_type: such as "video/VP8".
    :ivar parameters: the format parameters that were agreed on.
    :ivar max_bitrate: bits a second.
    :ivar max_framerate: frames a second; 0 is all that there are.
    :ivar scale: divides width and height.
    """

    mime_type: str
    parameters: str
    max_bitrate: int
    max_framerate: float = 0.0
    scale: float = 1.0

    def settings(self, bitrate: int) -> EncoderSettings:
        """What an encoder is made with."""
        parameters = read_parameters(self.parameters)
        return EncoderSettings(bitrate, self.max_bitrate, self.max_framerate or 30.0, self.scale, parameters)


class Subscription:
    """One sender's part in an encoding.

    :param sink: takes the encoded frames, in the event loop; must not block or raise.
    :param failed: called when the track cannot be encoded.
    :ivar bitrate: bits a second that the sender can take.
    """

    __slots__ = ("_synced", "bitrate", "encoding", "failed", "sink", "source")

    def __init__(
        self,
        source: _Source,
        bitrate: int,
        sink: Callable[[EncodedFrame], None],
        failed: Callable[[PeerixError], None],
    ) -> None:
        self.source = source
        self.bitrate = bitrate
        self.sink = sink
        self.failed = failed
        self.encoding: _Encoding | None = None
        self._synced = False

    def set_bitrate(self, bitrate: int) -> None:
        """The sender can take so many bits a second from now on."""
        if bitrate != self.bitrate:
            self.bitrate = bitrate
            self.source.place(self)

    def request_key_frame(self) -> None:
        """The receiver cannot go on without a key frame."""
        if self.encoding is not None:
            self.encoding.request_key_frame()

    def close(self) -> None:
        """Take no more frames; the last one ends the encoder."""
        self.source.remove(self)

    def begin(self) -> None:
        """What comes next is of another encoder: wait for its key frame."""
        self._synced = False
        self.request_key_frame()

    def deliver(self, frame: EncodedFrame) -> None:
        """Take a frame of the encoding."""
        self._synced = self._synced or frame.key_frame
        if self._synced:
            self.sink(frame)


class _Encoding:
    """One encoder, its task and those who take what it makes."""

    __slots__ = (
        "_bitrate",
        "_encoder",
        "_key",
        "_key_frame_at",
        "_key_frame_wanted",
        "_next_at",
        "scope",
        "subscribers",
    )

    def __init__(self, key: EncodingKey) -> None:
        self._key = key
        self._encoder: Encoder[Any] | None = None
        self._bitrate = 0
        self._key_frame_wanted = True
        self._key_frame_at = 0.0
        self._next_at = 0.0
        """When the next frame is taken, on the clock of the track."""
        self.subscribers: list[Subscription] = []
        self.scope = CancelScope()

    @property
    def bitrate(self) -> int:
        """What all of them can take."""
        return min((one.bitrate for one in self.subscribers), default=self._bitrate)

    def suits(self, subscription: Subscription, spread: float) -> bool:
        """Whether one belongs here that may differ from the others by a factor."""
        bitrates = [subscription.bitrate, *(one.bitrate for one in self.subscribers if one is not subscription)]
        return max(bitrates) <= spread * min(bitrates)

    def is_close_to(self, other: _Encoding) -> bool:
        """Whether one encoder would do for the receivers of both."""
        bitrates = [one.bitrate for one in (*self.subscribers, *other.subscribers)]
        return max(bitrates) <= MERGING_SPREAD * min(bitrates)

    def request_key_frame(self) -> None:
        """Make the next frame, or the first one that may be, a key frame."""
        self._key_frame_wanted = True

    async def run(self, track: MediaTrack[Any]) -> None:
        """Encode until the track ends, or nobody takes it any more."""
        try:
            with self.scope:
                async with codec_thread(self._close) as thread:
                    await self._run(track, thread)
        except PeerixError as error:
            for one in self.subscribers.copy():
                one.failed(error)

    async def _run(self, track: MediaTrack[Any], thread: CodecThread[Any, list[EncodedFrame]]) -> None:
        is_video = track.kind == "video"
        # An encoder that is too slow skips pictures; sound it must not skip.
        with track.read(latest=is_video) as reader:
            prepare, deliver = partial(self._prepare, is_video), partial(self._deliver, track)
            await thread.work(reader, prepare, deliver, 1 if is_video else MAX_BATCH)

    def _deliver(self, track: MediaTrack[Any], encoded: list[EncodedFrame]) -> None:
        for frame in encoded:
            frame.codec = self._key.mime_type
            frame.rotation = (frame.rotation + track.rotation) % 360
            for one in self.subscribers:
                one.deliver(frame)

    def _prepare(self, is_video: bool, frames: list[Any]) -> Callable[[], list[EncodedFrame]] | None:
        """Make a job of the frames that are due; None when none is."""
        due = [frame for frame in frames if self._is_due(frame.time)]
        wanted = bool(due) and is_video and self._take_key_frame_wish()
        return partial(self._encode, due, wanted, self.bitrate) if due else None

    def _is_due(self, time: float | None) -> bool:
        interval = 1 / self._key.max_framerate if self._key.max_framerate else 0.0
        if time is None or not interval:
            return True
        # Half an interval of grace: frames of 30 a second are not at equal distances.
        if time < self._next_at - interval / 2 and self._next_at - time < 2 * interval:
            return False
        self._next_at = max(self._next_at, time - interval) + interval
        return True

    def _take_key_frame_wish(self) -> bool:
        now = clocks.monotonic()
        if not self._key_frame_wanted or now - self._key_frame_at < KEY_FRAME_INTERVAL:
            return False
        self._key_frame_wanted, self._key_frame_at = False, now
        return True

    def _encode(self, frames: list[Any], key_frame: bool, bitrate: int) -> list[EncodedFrame]:
        """In the worker thread."""
        if self._encoder is None:
            self._encoder = find_encoder(self._key.mime_type)(self._key.settings(bitrate))
        elif bitrate != self._bitrate:
            self._encoder.set_bitrate(bitrate)
        self._bitrate = bitrate
        encoded: list[EncodedFrame] = []
        for frame in frames:
            encoded += self._encoder.encode(frame, key_frame=key_frame)
        return encoded

    def _close(self) -> None:
        """In the worker thread."""
        if self._encoder is not None:
            self._encoder.close()


class _Source:
    """All encodings of one track for one key: one, unless receivers differ much in speed."""

    __slots__ = ("_encodings", "_forget", "_key", "_start", "_track")

    def __init__(
        self,
        track: MediaTrack[Any],
        key: EncodingKey,
        start: Callable[[_Encoding, MediaTrack[Any]], None],
        forget: Callable[[], object],
    ) -> None:
        self._track = track
        self._key = key
        self._start = start
        self._forget = forget
        self._encodings: list[_Encoding] = []

    @property
    def encoders(self) -> int:
        """How many encoders there are."""
        return len(self._encodings)

    def place(self, subscription: Subscription) -> None:
        """Give a subscription the encoding that suits it."""
        present = subscription.encoding
        target = self._find(subscription)
        if target is not present:
            self._move(subscription, target)
        if len(self._encodings) > 1:
            self._merge(target)

    def _move(self, subscription: Subscription, target: _Encoding) -> None:
        if subscription.encoding is not None:
            self._leave(subscription.encoding, subscription)
        target.subscribers.append(subscription)
        subscription.encoding = target
        subscription.begin()

    def _merge(self, grown: _Encoding) -> None:
        """Let all share one whose bitrates have come close: they joined together, slow at first as all do."""
        for other in self._encodings:
            if other is not grown and grown.is_close_to(other):
                fewer, more = sorted((grown, other), key=lambda each: len(each.subscribers))
                for one in fewer.subscribers.copy():
                    self._move(one, more)
                return

    def _find(self, subscription: Subscription) -> _Encoding:
        present = subscription.encoding
        others = [encoding for encoding in self._encodings if encoding is not present]
        if present is not None and len(present.subscribers) == 1:
            return next((other for other in others if other.suits(subscription, MERGING_SPREAD)), present)
        if present is not None and present.suits(subscription, MAX_SPREAD):
            return present
        for other in others:
            if other.suits(subscription, MAX_SPREAD):
                return other
        if len(self._encodings) >= MAX_ENCODERS:
            return min(self._encodings, key=lambda encoding: encoding.bitrate)
        encoding = _Encoding(self._key)
        self._encodings.append(encoding)
        self._start(encoding, self._track)
        return encoding

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription out."""
        if subscription.encoding is not None:
            self._leave(subscription.encoding, subscription)
            subscription.encoding = None
        if not self._encodings:
            self._forget()

    def _leave(self, encoding: _Encoding, subscription: Subscription) -> None:
        encoding.subscribers.remove(subscription)
        if not encoding.subscribers:
            self._encodings.remove(encoding)
            encoding.scope.cancel("nobody takes it any more")


class EncoderPool(AsyncContextManagerMixin):
    """The encoders of all connections that are made with it: ``async with EncoderPool() as pool``.

    A track that several connections send with the same codec and limits is encoded once for all of them, at the bitrate
    of the slowest. Receivers that differ by more than a factor of two get encoders of their own, three at most.
    Encoding runs in worker threads, and only while somebody takes it.
    """

    __slots__ = ("_sources", "_tasks")

    def __init__(self) -> None:
        self._tasks: TaskGroup | None = None
        self._sources: dict[tuple[MediaTrack[Any], EncodingKey], _Source] = {}

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with owned_task_group() as tasks:
            self.start(tasks)
            try:
                yield self
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel("the pool is closed")

    def start(self, tasks: TaskGroup) -> None:
        """Let encoders run in a task group of somebody else."""
        self._tasks = tasks

    @property
    def encoders(self) -> int:
        """How many encoders there are."""
        return sum(source.encoders for source in self._sources.values())

    def subscribe(
        self,
        track: MediaTrack[Any],
        key: EncodingKey,
        bitrate: int,
        sink: Callable[[EncodedFrame], None],
        failed: Callable[[PeerixError], None],
    ) -> Subscription:
        """Have a track encoded; the first frame that the `sink` gets is a key frame.

        :param bitrate: bits a second that the sender can take now.
        :raises ClosedResourceError: the pool is not open.
        """
        if self._tasks is None:
            raise ClosedResourceError
        place = (track, key)
        source = self._sources.get(place)
        if source is None:
            source = _Source(track, key, self._run, lambda: self._sources.pop(place, None))
            self._sources[place] = source
        subscription = Subscription(source, bitrate, sink, failed)
        source.place(subscription)
        return subscription

    def _run(self, encoding: _Encoding, track: MediaTrack[Any]) -> None:
        assert self._tasks is not None  # `subscribe` has looked
        self._tasks.start_soon(encoding.run, track, name=f"encoder of {track.kind}")
