"""The transceivers of one connection: what they send into it, and what comes out of it for them."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from peerix.core.errors import LocalProtocolError
from peerix.core.jsep import CreatedBy
from peerix.core.rtp.bandwidth import START_BITRATE
from peerix.core.rtp.header_extensions import AudioLevel
from peerix.core.sdp import Direction
from peerix.core.session import ConnectionState, TracksChanged
from peerix.core.session.media import BitrateChanged, FrameReceived, KeyFrameRequested, SoundReceived
from peerix.core.session.media import ToneReceived as ToneEnded
from peerix.core.session.media.allocation import Want, allocate
from peerix.rtc.encoded_track import EncodedTrack
from peerix.rtc.encoder_pool import EncoderPool
from peerix.rtc.events import SendingFailed, ToneReceived, TrackReceived, TrackRemoved
from peerix.rtc.media_stream import MediaStream
from peerix.rtc.rtp_receiver import RtpReceiver
from peerix.rtc.rtp_sender import RtpSender
from peerix.rtc.transceiver import RtpTransceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskGroup

    from peerix.core.errors import PeerixError
    from peerix.core.jsep import Transceiver
    from peerix.core.session import Session
    from peerix.core.session.media import MediaEvent, MediaTransport, SessionMedia
    from peerix.rtc.encoded_frame import EncodedFrame
    from peerix.rtc.events import ConnectionEvent
    from peerix.rtc.media_track import Kind, MediaTrack
    from peerix.rtc.pump import Pump
    from peerix.rtc.received_track import ReceivedTrack
    from peerix.rtc.rtp_parameters import RtpEncodingParameters
    from peerix.rtc.sent_encoding import SentEncoding
    from peerix.rtc.transceiver import TransceiverDirection


QUIET = 60
"""The level of sound, in dB below the loudest, from which on it is taken for the noise of a room."""


class MediaLink:
    """Joins transceivers with the session below them.

    :param emit: tells the readers of the connection's events.
    :param pool: the encoders; None for some of its own.
    :ivar owner: the task group of the connection; None before and after.
    :ivar pool: the encoders.
    """

    __slots__ = (
        "_bitrate",
        "_emit",
        "_has_own_pool",
        "_pump",
        "_session",
        "_streams",
        "_transceivers",
        "owner",
        "pool",
    )

    def __init__(
        self, session: Session, pump: Pump, emit: Callable[[ConnectionEvent], None], pool: EncoderPool | None
    ) -> None:
        self._session = session
        self._pump = pump
        self._emit = emit
        self._has_own_pool = pool is None
        self._transceivers: dict[Transceiver, RtpTransceiver] = {}
        self._streams: dict[str, MediaStream[ReceivedTrack]] = {}
        self._bitrate = START_BITRATE
        self.owner: TaskGroup | None = None
        self.pool = pool or EncoderPool()

    # -- life

    def start(self, owner: TaskGroup) -> None:
        """The connection lives: tracks may have tasks now."""
        self.owner = owner
        if self._has_own_pool:
            self.pool.start(owner)
        for transceiver in self._transceivers.values():
            transceiver.receiver.track.start(owner)
        self.update()

    def stop(self) -> None:
        """The connection ends: nothing is sent, and all tracks end."""
        self.owner = None
        for transceiver in self._transceivers.values():
            transceiver.sender.stop()
            transceiver.receiver.track.end()

    # -- transceivers

    @property
    def transceivers(self) -> list[RtpTransceiver]:
        """Those that are not stopped, in the order in which they were made."""
        return [self._shell(core) for core in self._session.negotiation.negotiator.transceivers]

    @property
    def received(self) -> dict[str, ReceivedTrack]:
        """The tracks of sections, by mid."""
        shells = self._transceivers.values()
        return {shell.mid: shell.receiver.track for shell in shells if shell.mid is not None}

    def add(
        self,
        kind: Kind,
        track: MediaTrack[Any] | None,
        direction: TransceiverDirection,
        streams: Sequence[MediaStream[Any]],
        encodings: Sequence[RtpEncodingParameters],
        created_by: CreatedBy,
    ) -> RtpTransceiver:
        """Make a transceiver.

        :raises LocalProtocolError: there are no codecs for it, or encodings without names of their own.
        """
        rids = [each.rid for each in encodings]
        if len(rids) > 1 and ("" in rids or len(set(rids)) != len(rids)):
            raise LocalProtocolError("several encodings need a rid each, all different")
        core = self._session.negotiation.negotiator.add_transceiver(
            kind,
            direction=Direction(direction),
            track=None if track is None else self._msid_of(track),
            streams=[stream.id for stream in streams],
            rids=rids if len(rids) > 1 else (),
            created_by=created_by,
        )
        if isinstance(track, EncodedTrack) and track.codec:
            core.codec_preferences = self._codecs_for(track)
        shell = self._shell(core, track, encodings)
        self.update_needed()
        return shell

    def _msid_of(self, track: MediaTrack[Any]) -> str:
        """Give the name of a track in descriptions: its id, unless another section has that (Chromium refuses two)."""
        taken = {core.outgoing.track for core in self._transceivers}
        return secrets.token_hex(16) if track.id in taken else track.id

    def _codecs_for(self, track: EncodedTrack) -> tuple[Any, ...]:
        media = self._media
        codecs = media.capabilities.codecs_of(track.kind) if media is not None else ()
        fitting = tuple(each for each in codecs if each.mime_type.lower() == track.codec.lower())
        if not fitting:
            raise LocalProtocolError(f"tracks of {track.codec} cannot be sent")
        return fitting

    def add_track(self, track: MediaTrack[Any], streams: Sequence[MediaStream[Any]]) -> RtpSender:
        """Send a track: by a transceiver that has none yet, else by a new one (W3C addTrack).

        :raises LocalProtocolError: it is sent already.
        """
        if any(each.sender.track is track for each in self.transceivers):
            raise LocalProtocolError("the track is sent already")
        for core, shell in self._transceivers.items():
            is_free = shell.sender.track is None and not shell.sender.has_sent and not shell.stopped
            if is_free and shell.kind == track.kind:
                core.outgoing = replace(
                    core.outgoing, track=self._msid_of(track), streams=tuple(each.id for each in streams)
                )
                core.direction = Direction.SENDRECV if core.direction.receives else Direction.SENDONLY
                shell.sender.set_track(track)
                self.update_needed()
                return shell.sender
        return self.add(track.kind, track, "sendrecv", streams, (), CreatedBy.ADD_TRACK).sender

    def remove_track(self, sender: RtpSender) -> None:
        """Send nothing by a sender from now on, and agree on that (W3C removeTrack)."""
        for core, shell in self._transceivers.items():
            if shell.sender is sender and sender.track is not None and not shell.stopped:
                sender.set_track(None)
                core.direction = Direction.RECVONLY if core.direction.receives else Direction.INACTIVE
                self.update_needed()

    def update_needed(self) -> None:
        """Something is to be agreed on, perhaps."""
        self._session.negotiation.update_needed()
        self._pump.finish(time.monotonic())

    def _shell(
        self,
        core: Transceiver,
        track: MediaTrack[Any] | None = None,
        encodings: Sequence[RtpEncodingParameters] = (),
    ) -> RtpTransceiver:
        shell = self._transceivers.get(core)
        if shell is None:
            receiver = RtpReceiver(core.kind, partial(self._request_key_frame, core))
            sender = RtpSender(core.kind, self, track, encodings)
            shell = RtpTransceiver(core, sender, receiver, self.update_needed)
            self._transceivers[core] = shell
            if self.owner is not None:
                receiver.track.start(self.owner)
        return shell

    @property
    def _media(self) -> SessionMedia | None:
        return self._session.media

    @property
    def _transport(self) -> MediaTransport | None:
        """What media travel through; None before any were agreed on."""
        return None if self._media is None else self._media.transport

    def _request_key_frame(self, core: Transceiver, rid: str) -> None:
        if self._transport is not None and core.mid is not None:
            self._transport.request_key_frame(core.mid, rid)
            self._pump.touch(idle=True)

    # -- what is sent

    def update(self) -> None:
        """Descriptions were set, or the connection came about: send what they allow."""
        present = set(self._session.negotiation.negotiator.transceivers)
        for core in [core for core in self._transceivers if core not in present]:
            shell = self._transceivers.pop(core)
            shell.sender.stop()
            shell.receiver.track.end()
        for core in self._session.negotiation.negotiator.transceivers:
            self._update_sender(core, self._shell(core).sender)
        self._share_bitrate()

    def update_sender(self, sender: RtpSender) -> None:
        """What is to be sent has changed: look at it anew."""
        core = next((core for core, shell in self._transceivers.items() if shell.sender is sender), None)
        if core is not None:
            self._update_sender(core, sender)
            self._share_bitrate()

    def _update_sender(self, core: Transceiver, sender: RtpSender) -> None:
        if self.owner is None:
            return
        association = core.association
        is_sending = association.direction is not None and association.direction.sends
        connected = self._session.connection_state is ConnectionState.CONNECTED
        sender.update(association.send if is_sending and connected and not core.stopping else None)
        if sender.playout_delay is not None and core.mid is not None and self._transport is not None:
            self._transport.set_playout_delay(core.mid, *sender.playout_delay)

    def send(self, mid: str, rid: str, frame: EncodedFrame, timestamp: int, captured_at: float) -> None:
        """Send an encoded frame."""
        transport, level = self._transport, frame.level
        if transport is None:
            return
        # Nothing here knows speech from other sound: what can be heard is taken for a voice.
        loudness = None if level is None else AudioLevel(level, voice=level < QUIET)
        transport.send(mid, frame.data, timestamp, captured_at, rid=rid, rotation=frame.rotation, audio_level=loudness)
        self._pump.touch(idle=True)

    def send_tone(self, mid: str, digit: str, duration: float, gap: float) -> None:
        """Send a dial tone beside sound."""
        if self._transport is not None:
            self._transport.send_tone(mid, digit, duration, gap)
            self._pump.touch(idle=True)

    def start_bitrate(self) -> int:
        """Bits a second to begin with."""
        return int(self._bitrate)

    def report_failure(self, sender: RtpSender, error: PeerixError) -> None:
        """A track cannot be sent."""
        self._emit(SendingFailed(sender, error))

    def _share_bitrate(self) -> None:
        media = self._media
        active: list[SentEncoding] = []
        wants: list[Want] = []
        for shell in self._transceivers.values():
            for encoding in shell.sender.encodings:
                if (plan := encoding.plan) is not None:
                    active.append(encoding)
                    wants.append(Want(plan.weight, plan.min_bitrate, plan.max_bitrate, essential=shell.kind == "audio"))
        if media is None or not active:
            return
        media.set_maximum(sum(want.maximum for want in wants))
        for encoding, bitrate in zip(active, allocate(self._bitrate, wants), strict=True):
            encoding.set_bitrate(int(bitrate))

    # -- what the session says

    def dispatch(self, event: TracksChanged | MediaEvent) -> None:
        """React to what happened."""
        if isinstance(event, FrameReceived | SoundReceived | ToneEnded):
            if (shell := self._shell_at(event.mid)) is not None:
                self._hand_on(shell.receiver, event)
        elif isinstance(event, BitrateChanged):
            self._bitrate = event.bitrate
            self._share_bitrate()
        elif isinstance(event, KeyFrameRequested):
            if (shell := self._shell_at(event.mid)) is not None:
                shell.sender.request_key_frame(event.rid)
        else:
            self._change_tracks(event)

    def _hand_on(self, receiver: RtpReceiver, event: FrameReceived | SoundReceived | ToneEnded) -> None:
        if isinstance(event, SoundReceived):
            receiver.track.handle_sound(event)
        elif isinstance(event, ToneEnded):
            self._emit(ToneReceived(receiver.track, event.digit, event.duration))
        elif receiver.shows(event.rid, key_frame=event.frame.key_frame):
            receiver.track.handle_frame(event)

    def _shell_at(self, mid: str) -> RtpTransceiver | None:
        return next((shell for shell in self._transceivers.values() if shell.mid == mid), None)

    def _change_tracks(self, event: TracksChanged) -> None:
        for core in event.removed:
            shell = self._shell(core)
            track = shell.receiver.track
            streams = tuple(stream for stream in self._streams.values() if track in stream.tracks)
            for stream in streams:
                stream.remove(track)
                if not stream.tracks:
                    del self._streams[stream.id]
            track.muted = True
            if core.stopped:
                track.end()
            self._emit(TrackRemoved(track, shell.receiver, shell, streams))
        for core in event.added:
            shell = self._shell(core)
            shell.receiver.track.muted = False
            streams = tuple(self._streams.setdefault(id_, MediaStream((), id_)) for id_ in core.association.streams)
            for stream in streams:
                stream.add(shell.receiver.track)
            self._emit(TrackReceived(shell.receiver.track, shell.receiver, shell, streams))
