"""The sending half of a transceiver (W3C RTCRtpSender)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from anyio import CancelScope, ClosedResourceError, EndOfStream
from anyio.lowlevel import checkpoint

from peerix.core.errors import LocalProtocolError, PeerixError
from peerix.rtc.encoded_track import EncodedTrack
from peerix.rtc.object_scope import ObjectScope
from peerix.rtc.rtp_parameters import RtpEncodingParameters
from peerix.rtc.sent_encoding import Plan, SentEncoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerix.core.jsep import RtpParameters
    from peerix.rtc.encoded_frame import EncodedFrame
    from peerix.rtc.encoder_pool import EncoderPool
    from peerix.rtc.media_track import Kind, MediaTrack


MAX_PLAYOUT_DELAY = 40.95
"""Seconds, as much as the header extension has room for."""


class SenderHost(Protocol):
    """The connection of a sender."""

    @property
    def owner(self) -> TaskGroup | None:
        """The task group of the connection; None before and after."""
        ...

    @property
    def pool(self) -> EncoderPool:
        """Whose encoders are used."""
        ...

    def send(self, mid: str, rid: str, frame: EncodedFrame, timestamp: int, captured_at: float) -> None:
        """Send an encoded frame."""
        ...

    def send_tone(self, mid: str, digit: str, duration: float, gap: float) -> None:
        """Send a dial tone beside sound."""
        ...

    def start_bitrate(self) -> int:
        """Bits a second to begin with."""
        ...

    def update_sender(self, sender: RtpSender) -> None:
        """What is to be sent has changed: look at it anew."""
        ...

    def report_failure(self, sender: RtpSender, error: PeerixError) -> None:
        """The track cannot be sent."""
        ...


class RtpSender:
    """Sends a track, or nothing for a while.

    Cancelling `cancel_scope` ends its sending for good, and nothing else.

    :ivar kind: "audio" or "video".
    :ivar encodings: what is sent of each encoding.
    :ivar has_sent: whether it ever was agreed on that it sends.
    :ivar playout_delay: what the receiver is asked to wait, see `set_playout_delay`; None leaves it to the receiver.
    """

    __slots__ = (
        "_host",
        "_parameters",
        "_scope",
        "_track",
        "encodings",
        "has_sent",
        "kind",
        "playout_delay",
        "stopped",
    )

    def __init__(
        self, kind: Kind, host: SenderHost, track: MediaTrack[Any] | None, parameters: Sequence[RtpEncodingParameters]
    ) -> None:
        self.kind: Kind = kind
        self.stopped = False
        self.has_sent = False
        self.playout_delay: tuple[float, float] | None = None
        self._host = host
        self._track = track
        self._parameters = [replace(each) for each in parameters] or [RtpEncodingParameters()]
        self._scope: ObjectScope | None = None
        self.encodings = [SentEncoding(each.rid, host.send) for each in self._parameters]

    @property
    def track(self) -> MediaTrack[Any] | None:
        """What is sent."""
        return self._track

    @property
    def cancel_scope(self) -> CancelScope:
        """The scope of its sending."""
        return self._owner().scope

    def _owner(self) -> ObjectScope:
        if self._scope is None:
            self._scope = ObjectScope(self.stop)
            if self.stopped:
                self._scope.end()
            if self._host.owner is not None:
                self._host.owner.start_soon(self._scope.run, name=f"sender of {self.kind}")
        return self._scope

    # -- for the application

    def get_parameters(self) -> list[RtpEncodingParameters]:
        """The encodings, as a copy to change and give to `set_parameters`."""
        return [replace(each) for each in self._parameters]

    def set_parameters(self, encodings: Sequence[RtpEncodingParameters]) -> None:
        """Change what is sent, without a negotiation.

        :raises LocalProtocolError: other encodings than there are.
        """
        if [each.rid for each in encodings] != [each.rid for each in self._parameters]:
            raise LocalProtocolError("set_parameters takes the encodings that get_parameters gives, in that order")
        self._parameters = [replace(each) for each in encodings]
        self._host.update_sender(self)

    def send_tones(self, digits: str, *, duration: float = 0.1, gap: float = 0.07) -> None:
        """Send dial tones beside the sound, one after the other (W3C insertDTMF, RFC 4733).

        :param digits: of "0123456789*#ABCD"; small letters are taken for large ones.
        :param duration: seconds of each, 0.04 to 6.
        :param gap: seconds between two, at least 0.03.
        :raises LocalProtocolError: there is no such digit, too many wait, the sender sends no sound, or the other side
            takes no tones.
        """
        plan = self.encodings[0].plan
        if self.kind != "audio" or plan is None:
            raise LocalProtocolError("tones need a track of audio that is being sent")
        for digit in digits.upper():
            self._host.send_tone(plan.mid, digit, duration, gap)

    def set_playout_delay(self, minimum: float, maximum: float) -> None:
        """Ask the receiver to show pictures so long after they came, where it knows of that, as Chromium does.

        0 to 0 is as soon as can be, for what somebody steers by; a second or two is for those who only watch, whom no
        jitter is to disturb. Said again it changes the wish.

        :param minimum: seconds.
        :param maximum: seconds, 40.95 at most.
        :raises LocalProtocolError: the sender sends no pictures, or these are no such seconds.
        """
        if self.kind != "video" or not 0 <= minimum <= maximum <= MAX_PLAYOUT_DELAY:
            raise LocalProtocolError(f"pictures are shown 0 to {MAX_PLAYOUT_DELAY} seconds after they came")
        self.playout_delay = (minimum, maximum)
        self._host.update_sender(self)

    async def replace_track(self, track: MediaTrack[Any] | None) -> None:
        """Send another track, or nothing, without a negotiation.

        :raises LocalProtocolError: it is of another kind.
        :raises ClosedResourceError: the sender is stopped.
        """
        await checkpoint()
        if self.stopped:
            raise ClosedResourceError
        self.set_track(track)

    def set_track(self, track: MediaTrack[Any] | None) -> None:
        """As `replace_track`, at once."""
        if track is not None and track.kind != self.kind:
            raise LocalProtocolError(f"a sender of {self.kind} cannot send a track of {track.kind}")
        self._track = track
        self._host.update_sender(self)

    # -- for the connection

    def stop(self) -> None:
        """Send nothing any more."""
        self.stopped = True
        self._end_all()
        if self._scope is not None:
            self._scope.end()

    def update(self, agreed: RtpParameters | None) -> None:
        """Send what was agreed on; nothing when that is None."""
        track = self._track
        self.has_sent = self.has_sent or agreed is not None
        if agreed is None or track is None or self.stopped or agreed.mid is None or not agreed.codecs:
            self._end_all()
            return
        codec = agreed.codecs[0]
        if isinstance(track, EncodedTrack) and track.codec and track.codec.lower() != codec.codec.mime_type.lower():
            self._end_all()
            self._host.report_failure(
                self, PeerixError(f"the other side takes {codec.codec.mime_type}, not {track.codec}")
            )
            return
        for encoding, parameters in zip(self.encodings, self._parameters, strict=True):
            there = not encoding.rid or encoding.rid in agreed.rids
            plan = Plan(track, agreed.mid, codec, parameters) if parameters.active and there else None
            if plan != encoding.plan:
                self._carry_out(encoding, plan)

    def _carry_out(self, encoding: SentEncoding, plan: Plan | None) -> None:
        before = encoding.plan
        if plan is not None and before is not None and (plan.track, plan.key) == (before.track, before.key):
            # Nothing that the encoder would notice.
            encoding.plan = plan
            return
        encoding.end()
        if plan is None:
            return
        if isinstance(plan.track, EncodedTrack):
            encoding.begin(plan, None)
            self._owner().start_soon(partial(self._forward, encoding, plan), f"forwarding of {self.kind}")
            return
        bitrate = min(self._host.start_bitrate(), plan.max_bitrate)
        failed = partial(self._host.report_failure, self)
        encoding.begin(plan, self._host.pool.subscribe(plan.track, plan.key, bitrate, encoding.send, failed))

    async def _forward(self, encoding: SentEncoding, plan: Plan) -> None:
        encoding.request_key_frame()
        synced = self.kind == "audio"
        with plan.track.read() as reader:
            while encoding.plan is not None and encoding.plan.track is plan.track:
                try:
                    frame = await reader.receive()
                except EndOfStream:
                    return
                synced = synced or frame.key_frame
                if synced:
                    encoding.send(frame)

    def _end_all(self) -> None:
        for encoding in self.encodings:
            encoding.end()

    def request_key_frame(self, rid: str) -> None:
        """The other side cannot go on without a key frame."""
        for encoding in self.encodings:
            if encoding.rid == rid:
                encoding.request_key_frame()
