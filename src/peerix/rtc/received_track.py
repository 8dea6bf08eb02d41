"""A track of the other side: its frames, encoded and decoded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from anyio import CancelScope, ClosedResourceError

from peerix.rtc.encoded_track import EncodedTrack
from peerix.rtc.media_track import MONOTONIC, MediaTrack
from peerix.rtc.object_scope import ObjectScope
from peerix.rtc.track_decoder import TrackDecoder, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskGroup

    from peerix.core.session.media import FrameReceived, SoundReceived
    from peerix.rtc.media_track import Kind
    from peerix.rtc.track_decoder import DecodingCounters


class ReceivedTrack(MediaTrack[Any]):
    """A track of the other side: ``async for frame in track`` gives `av.VideoFrame` or `av.AudioFrame`.

    It is decoded, in worker threads, only while somebody reads. The times of frames are seconds of `time.monotonic`:
    sound and pictures that were taken together have the same time. Frames come as soon as they can be decoded; whoever
    plays them holds them back as long as seems fit.

    :ivar encoded: the same frames as they came.
    :ivar muted: the other side does not send it for now.
    """

    __slots__ = ("_decoder", "_scope", "encoded", "muted")

    def __init__(self, kind: Kind, request_key_frame: Callable[[], None]) -> None:
        super().__init__(kind, clock=MONOTONIC)
        self.encoded = EncodedTrack(kind, "", id=self.id, clock=MONOTONIC, key_frame_wanted=request_key_frame)
        self.muted = False
        self._decoder = TrackDecoder(self, request_key_frame)
        self._scope = ObjectScope(self.end)
        self._scope.start_soon(self._decoder.run, name=f"decoder of {kind}")

    @property
    def cancel_scope(self) -> CancelScope:
        """The scope of what decodes it: cancelling it ends the track for its readers, and nothing else."""
        return self._scope.scope

    @property
    def decoded(self) -> int:
        """Frames that were decoded so far."""
        return self._decoder.counters.frames

    @property
    def decoding(self) -> DecodingCounters:
        """What became of what was to be decoded so far."""
        return self._decoder.counters

    def start(self, owner: TaskGroup) -> None:
        """Let the task of the track run."""
        owner.start_soon(self._scope.run, name=f"received {self.kind}")

    def start_soon(self, func: Callable[..., Coroutine[Any, Any, object]], *args: object, name: object = None) -> None:
        """Start a task that ends with the track.

        :raises ClosedResourceError: it has ended.
        """
        if self.ended:
            raise ClosedResourceError
        self._scope.start_soon(partial(func, *args), name)

    def end(self) -> None:
        """End the track: its readers come to their end, once they have read what waits."""
        super().end()
        self.encoded.end()
        self._decoder.end()
        self._scope.end()

    # -- from the network

    def handle_frame(self, event: FrameReceived) -> None:
        """Take a frame of video."""
        self.rotation = self.encoded.rotation = event.rotation
        frame = event.frame
        self._take(
            Unit(
                event.codec,
                frame.data,
                event.time,
                0.0,
                frame.key_frame,
                rotation=event.rotation,
                color_space=frame.color_space,
            )
        )

    def handle_sound(self, event: SoundReceived) -> None:
        """Take a piece of sound, or the news that one is missing."""
        unit = event.unit
        duration = unit.duration / event.codec.codec.clock_rate
        level = None if event.level is None else event.level.level
        self._take(
            Unit(
                event.codec,
                unit.payload,
                event.time,
                duration,
                silence=unit.silence,
                level=level,
                recovery=unit.recovery,
            )
        )

    def _take(self, unit: Unit) -> None:
        self.encoded.codec = unit.codec.codec.mime_type
        if unit.data is not None and self.encoded.watched:
            self.encoded.deliver(unit.frame(unit.data))
        self._decoder.put(unit)
