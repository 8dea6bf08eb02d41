"""One encoding of a track on its way into a connection."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peerix.rtc.encoded_track import EncodedTrack
from peerix.rtc.encoder_pool import EncodingKey
from peerix.rtc.media_track import MONOTONIC
from peerix.rtc.rtp_parameters import DEFAULT_MAX_BITRATE, MIN_BITRATE, PRIORITY_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep import BoundCodec
    from peerix.rtc.encoded_frame import EncodedFrame
    from peerix.rtc.encoder_pool import Subscription
    from peerix.rtc.media_track import MediaTrack
    from peerix.rtc.rtp_parameters import RtpEncodingParameters

MAX_DRIFT = 0.005
"""Seconds by which sound may be off its clock before its timestamps jump: rounding is less, gaps are more."""


@dataclass(slots=True, frozen=True)
class Plan:
    """What is to be sent: the track, the section, the codec and the limits."""

    track: MediaTrack[Any]
    mid: str
    codec: BoundCodec
    parameters: RtpEncodingParameters

    @property
    def max_bitrate(self) -> int:
        """Bits a second."""
        return self.parameters.max_bitrate or DEFAULT_MAX_BITRATE[self.track.kind]

    @property
    def min_bitrate(self) -> int:
        """Bits a second."""
        return min(MIN_BITRATE[self.track.kind], self.max_bitrate)

    @property
    def weight(self) -> float:
        """The share beside others."""
        return PRIORITY_WEIGHTS[self.parameters.priority]

    @property
    def key(self) -> EncodingKey:
        """What the encoder has to be."""
        parameters = self.parameters
        return EncodingKey(
            self.codec.codec.mime_type,
            self.codec.parameters,
            self.max_bitrate,
            parameters.max_framerate or 0.0,
            parameters.scale_resolution_down_by,
        )


class SentEncoding:
    """Puts RTP timestamps on encoded frames; keeps them going over changes of track and codec parameters.

    :param send: takes mid, rid, frame, timestamp, capture time; see `MediaTransport.send`.
    :ivar plan: what is sent; None while nothing is.
    :ivar frames: how many were sent.
    """

    __slots__ = ("_expected", "_offset", "_send", "_subscription", "frames", "key_frames", "plan", "rid")

    def __init__(self, rid: str, send: Callable[[str, str, EncodedFrame, int, float], None]) -> None:
        self.rid = rid
        self.plan: Plan | None = None
        self.frames = 0
        self.key_frames = 0
        self._send = send
        self._subscription: Subscription | None = None
        self._offset: float | None = None
        """The monotonic clock minus the clock of the track."""
        self._expected: float | None = None
        """When the next piece of sound begins."""

    def begin(self, plan: Plan, subscription: Subscription | None) -> None:
        """Send a track from now on, encoded by a pool or, without a subscription, by itself."""
        if self.plan is None or plan.track is not self.plan.track:
            self._offset = 0.0 if plan.track.clock is MONOTONIC else None
        self.plan = plan
        self._subscription = subscription

    def end(self) -> None:
        """Send nothing."""
        self.plan = None
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def set_bitrate(self, bitrate: int) -> None:
        """Take so many bits a second."""
        if self._subscription is not None:
            self._subscription.set_bitrate(bitrate)
        elif self.plan is not None and isinstance(self.plan.track, EncodedTrack):
            self.plan.track.bitrate_wanted(bitrate)

    def request_key_frame(self) -> None:
        """The other side cannot go on without one."""
        if self._subscription is not None:
            self._subscription.request_key_frame()
        elif self.plan is not None and isinstance(self.plan.track, EncodedTrack):
            self.plan.track.key_frame_wanted()

    def send(self, frame: EncodedFrame) -> None:
        """Send a frame."""
        plan = self.plan
        if plan is None:
            return
        if self._offset is None:
            self._offset = time.monotonic() - frame.time
        captured_at = began = frame.time + self._offset
        if frame.duration:
            if self._expected is not None and abs(began - self._expected) < MAX_DRIFT:
                began = self._expected
            self._expected = began + frame.duration
        self.frames += 1
        self.key_frames += frame.key_frame
        timestamp = round(began * plan.codec.codec.clock_rate) & 0xFFFFFFFF
        self._send(plan.mid, self.rid, frame, timestamp, captured_at)
