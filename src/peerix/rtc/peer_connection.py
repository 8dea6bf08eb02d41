"""`PeerConnection`: the W3C object, as an async context manager that owns all that runs for it."""

from __future__ import annotations

import secrets
import time
from contextlib import asynccontextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from anyio import (
    AsyncContextManagerMixin,
    CancelScope,
    ClosedResourceError,
    Event,
    create_task_group,
    move_on_after,
)
from anyio.lowlevel import checkpoint

from peerix.core.datachannel import (
    ChannelClosed,
    ChannelClosing,
    ChannelError,
    ChannelMessage,
    ChannelMessages,
    ChannelOpened,
    ChannelReceived,
)
from peerix.core.dtls import OpenSslDtls
from peerix.core.jsep import CreatedBy
from peerix.core.session import (
    ConnectionState,
    ConnectionStateChanged,
    GatheringNeeded,
    IceGatheringState,
    ResolutionNeeded,
    Session,
    TracksChanged,
)
from peerix.core.session.media import (
    BitrateChanged,
    FrameReceived,
    KeyFrameRequested,
    SessionMedia,
    SoundReceived,
    ToneReceived,
)
from peerix.rtc.certificates import default_certificate
from peerix.rtc.channel_link import ChannelLink
from peerix.rtc.configuration import Configuration
from peerix.rtc.event_stream import EventHub, EventStream
from peerix.rtc.events import DataChannelReceived
from peerix.rtc.gatherer import Gatherer
from peerix.rtc.media_link import MediaLink
from peerix.rtc.media_track import MediaTrack
from peerix.rtc.pump import Pump
from peerix.rtc.stats import StatsReport, collect
from peerix.task_groups import owned_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Self

    from peerix.core.ice import IceState
    from peerix.core.jsep import SignalingState
    from peerix.core.sdp import IceCandidate, SessionDescription
    from peerix.core.session import SessionEvent
    from peerix.rtc.data_channel import DataChannel
    from peerix.rtc.encoder_pool import EncoderPool
    from peerix.rtc.media_stream import MediaStream
    from peerix.rtc.media_track import Kind
    from peerix.rtc.rtp_parameters import RtpEncodingParameters
    from peerix.rtc.rtp_receiver import RtpReceiver
    from peerix.rtc.rtp_sender import RtpSender
    from peerix.rtc.transceiver import RtpTransceiver, TransceiverDirection

DRAIN_TIMEOUT = 1.0
"""Seconds that leaving the block waits for the other side to acknowledge what was sent."""

_MESSAGE_EVENTS = (ChannelMessage, ChannelMessages)
_CHANNEL_EVENTS = (ChannelOpened, ChannelClosing, ChannelClosed, ChannelError)
_MEDIA_EVENTS = (TracksChanged, FrameReceived, SoundReceived, ToneReceived, KeyFrameRequested, BitrateChanged)

GOODBYE_REPEAT = 0.05
"""Seconds after which a goodbye that was not answered is said once more."""


class PeerConnection(AsyncContextManagerMixin):
    """A WebRTC connection to one peer (W3C RTCPeerConnection, RFC 9429).

    Its tasks run inside `async with`; leaving the block closes the connection, after what was sent has been
    acknowledged or one second has passed. A cancelled block closes at once. When `cancel_scope` is cancelled the
    connection ends and its other users get `ClosedResourceError`.

    :param encoders: encodes tracks for several connections at once; the connection has encoders of its own without.
    """

    __slots__ = (
        "_answered",
        "_certificate",
        "_channels",
        "_closing",
        "_ended",
        "_entered",
        "_gatherer",
        "_hub",
        "_media",
        "_pump",
        "_session",
        "cancel_scope",
    )

    def __init__(self, configuration: Configuration | None = None, *, encoders: EncoderPool | None = None) -> None:
        configuration = configuration or Configuration()
        self._certificate = certificate = configuration.certificate or default_certificate()
        self._session = Session(
            random_bytes=secrets.token_bytes,
            dtls=OpenSslDtls(certificate),
            fingerprints=certificate.fingerprints,
            receive_limit=configuration.receive_limit,
            max_packet_size=configuration.max_packet_size,
            congestion_control=configuration.congestion_control,
            media=_session_media(),
        )
        self._pump = Pump(self._session, self._dispatch)
        self._channels = ChannelLink(self._session, self._pump)
        self._pump.after_flush = self._after_wakeup
        self._gatherer = Gatherer(self._session, self._pump, configuration)
        self._hub = EventHub()
        self._media = MediaLink(self._session, self._pump, self._hub.emit, encoders)
        self._closing = Event()
        self._ended = Event()
        self._answered: Event | None = None
        self._entered = False
        self.cancel_scope = CancelScope()

    # -- life

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self._check_open()
        self._entered = True
        async with owned_task_group() as host:
            host.start_soon(self._live, name="WebRTC connection")
            try:
                yield self
            except BaseException:
                self.cancel_scope.cancel("the block of the connection failed")
                raise
            finally:
                self._closing.set()

    async def _live(self) -> None:
        # The packets flow in a scope of their own: a goodbye needs them, whoever is cancelled.
        with CancelScope(shield=True):
            async with create_task_group() as pump_tasks:
                self._pump.start(pump_tasks)
                pump_tasks.start_soon(self._gatherer.run, pump_tasks, name="gatherer")
                try:
                    await self._own()
                finally:
                    try:
                        await self._say_goodbye()
                        await self._gatherer.aclose()
                    finally:
                        self._pump.close()
                        pump_tasks.cancel_scope.cancel("the connection is closed")
                        self._ended.set()

    async def _own(self) -> None:
        with self.cancel_scope:
            async with create_task_group() as owner:
                self._channels.owner = owner
                self._media.start(owner)
                try:
                    await self._closing.wait()
                    with move_on_after(DRAIN_TIMEOUT):
                        await self._channels.all_drained()
                finally:
                    # Packets come in until the goodbye; from here on the group takes no tasks.
                    self._channels.owner = None
                    self._media.stop()
                    owner.cancel_scope.cancel("the connection is closed")

    async def _say_goodbye(self) -> None:
        self._closing.set()
        self._answered = answered = Event()
        session = self._session
        session.close(time.monotonic())
        self._pump.finish(time.monotonic())
        self._channels.end_all()
        self._hub.end()
        for _ in range(2):
            if session.goodbye_answered:
                break
            with move_on_after(GOODBYE_REPEAT):
                await answered.wait()
            session.repeat_goodbye()
            self._pump.finish(time.monotonic())

    def _after_wakeup(self) -> None:
        self._channels.after_flush()
        if self._answered is not None and self._session.goodbye_answered:
            self._answered.set()

    async def aclose(self) -> None:
        """Close the connection, as leaving its block does, and wait until it is closed."""
        self._closing.set()
        if self._entered:
            await self._ended.wait()
        else:
            self._session.close(time.monotonic())
            await checkpoint()

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise ClosedResourceError

    # -- offer and answer

    async def create_offer(self) -> SessionDescription:
        """Make an offer (W3C createOffer).

        :raises NegotiationError: the signalling state does not allow one.
        """
        await checkpoint()
        self._check_open()
        return self._session.negotiation.create_offer(time.monotonic())

    async def create_answer(self) -> SessionDescription:
        """Make an answer to the remote offer (W3C createAnswer).

        :raises NegotiationError: there is no remote offer.
        """
        await checkpoint()
        self._check_open()
        return self._session.negotiation.create_answer()

    async def set_local_description(self, description: SessionDescription | None = None) -> None:
        """Apply an offer or answer of ours; None makes the one that the state asks for.

        Candidates are gathered from now on.

        :raises NegotiationError: the signalling state does not allow it.
        """
        await checkpoint()
        self._check_open()
        now = time.monotonic()
        self._session.set_local_description(description, now)
        self._pump.finish(now)
        self._media.update()

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Apply an offer or answer of the other side, or roll one back.

        :raises NegotiationError: the description is malformed, or the signalling state does not allow it.
        """
        await checkpoint()
        self._check_open()
        now = time.monotonic()
        self._session.set_remote_description(description, now)
        self._gatherer.permit(now)
        self._pump.finish(now)
        self._media.update()

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        """Take a candidate of the other side; None is the end of them.

        Candidates that arrive before the remote description are kept.

        :raises IceCandidateError: it cannot be read.
        """
        await checkpoint()
        self._check_open()
        now = time.monotonic()
        self._session.negotiation.add_remote(candidate, now)
        self._gatherer.permit(now)
        self._pump.finish(now)

    def restart_ice(self) -> None:
        """Look for a new path with the next offer; the present one carries data until then (W3C restartIce)."""
        self._check_open()
        self._session.negotiation.restart_ice()
        self._pump.finish(time.monotonic())

    # -- channels

    def create_data_channel(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,  # noqa: A002 - the W3C name
    ) -> DataChannel:
        """Open a channel (W3C createDataChannel). It may be used at once; sending waits until it is open.

        :param max_packet_life_time: milliseconds for which a message is sent again; None for ever.
        :param max_retransmits: how often a message is sent again; None for ever.
        :param negotiated: both sides call this with the same `id`, and nothing is announced.
        :raises LocalProtocolError: the parameters contradict each other, or the id is taken.
        :raises ClosedResourceError: the connection is closed.
        """
        self._check_open()
        now = time.monotonic()
        channel = self._session.channels.open(
            label,
            ordered=ordered,
            max_packet_life_time=max_packet_life_time,
            max_retransmits=max_retransmits,
            protocol=protocol,
            negotiated=negotiated,
            id=id,
            now=now,
        )
        self._session.data_channel_added()
        shell = self._channels.shell(channel)
        self._pump.finish(now)
        return shell

    # -- tracks

    def add_transceiver(
        self,
        track_or_kind: MediaTrack[Any] | Kind,
        *,
        direction: TransceiverDirection = "sendrecv",
        streams: Sequence[MediaStream[Any]] = (),
        send_encodings: Sequence[RtpEncodingParameters] = (),
    ) -> RtpTransceiver:
        """Add a section of audio or video (W3C addTransceiver); the other side hears of it by the next offer.

        :param track_or_kind: the track to send, or the kind of the one to receive.
        :param streams: those that the track belongs to; the other side gets their ids.
        :param send_encodings: limits of what is sent; several, with a `rid` each, for simulcast.
        :raises LocalProtocolError: an id has letters that a description cannot hold, or a track a codec that cannot be
            sent, or the extra `media` is not installed.
        :raises ClosedResourceError: the connection is closed.
        """
        self._check_open()
        track = track_or_kind if isinstance(track_or_kind, MediaTrack) else None
        kind: Kind = track_or_kind.kind if isinstance(track_or_kind, MediaTrack) else track_or_kind
        return self._media.add(kind, track, direction, streams, send_encodings, CreatedBy.ADD_TRANSCEIVER)

    def add_track(self, track: MediaTrack[Any], *streams: MediaStream[Any]) -> RtpSender:
        """Send a track (W3C addTrack), in a section that is there and sends nothing yet, or in a new one.

        :raises LocalProtocolError: it is sent already.
        :raises ClosedResourceError: the connection is closed.
        """
        self._check_open()
        return self._media.add_track(track, streams)

    def remove_track(self, sender: RtpSender) -> None:
        """Send nothing by a sender any more (W3C removeTrack); its section stays for other tracks.

        :raises ClosedResourceError: the connection is closed.
        """
        self._check_open()
        self._media.remove_track(sender)

    def get_transceivers(self) -> list[RtpTransceiver]:
        """The sections of audio and video, in the order in which they were added; without the stopped ones."""
        return self._media.transceivers

    def get_senders(self) -> list[RtpSender]:
        """What is sent, one for each transceiver."""
        return [transceiver.sender for transceiver in self._media.transceivers]

    def get_receivers(self) -> list[RtpReceiver]:
        """What is received, one for each transceiver."""
        return [transceiver.receiver for transceiver in self._media.transceivers]

    # -- statistics and the receive window

    async def get_stats(self) -> StatsReport:
        """Read the statistics of the connection: W3C webrtc-stats objects by their id."""
        await checkpoint()
        return collect(
            self._session, self._certificate, self._channels.shells, self._gatherer.udp_ports, self._media.received
        )

    def hold(self, size: int) -> None:
        """Put `size` received bytes back on the receive window: they were taken, but not read by their user yet."""
        self._channels.hold(size)

    def release(self, size: int) -> None:
        """Take bytes off the receive window that `hold` or a receiver function put or left there."""
        self._channels.release(size)

    # -- what it is

    @property
    def local_description(self) -> SessionDescription | None:
        """Our description with the candidates known so far: the pending one, else the current one."""
        return self._session.negotiation.local_description

    @property
    def remote_description(self) -> SessionDescription | None:
        """The other side's description: the pending one, else the current one."""
        return self._session.negotiation.negotiator.remote_description

    @property
    def signaling_state(self) -> SignalingState:
        """`stable`, `have-local-offer`, `have-remote-offer`, ..."""
        return self._session.negotiation.negotiator.signaling_state

    @property
    def ice_connection_state(self) -> IceState:
        """`new`, `checking`, `connected`, `completed`, `disconnected`, `failed` or `closed`."""
        return self._session.transport.ice.state

    @property
    def ice_gathering_state(self) -> IceGatheringState:
        """`new`, `gathering` or `complete`."""
        return self._session.negotiation.gathering.state

    @property
    def connection_state(self) -> ConnectionState:
        """`new`, `connecting`, `connected`, `disconnected`, `failed` or `closed`: ICE and DTLS taken together."""
        return self._session.connection_state

    def events(self) -> AbstractAsyncContextManager[EventStream]:
        """Open a stream of what happens from now on.

        Each stream is independent. Candidates and channels are never dropped; of more than 256 unread
        state changes the oldest are.
        """
        return self._hub.subscribe()

    # -- for the pump

    def _dispatch(self, events: list[SessionEvent]) -> None:
        for event in events:
            if isinstance(event, _MESSAGE_EVENTS):
                self._channels.deliver(event)
            elif isinstance(event, _CHANNEL_EVENTS):
                self._channels.dispatch(event)
            elif isinstance(event, ChannelReceived):
                self._hub.emit(DataChannelReceived(self._channels.receive(event.channel)))
            elif isinstance(event, GatheringNeeded):
                self._gatherer.gather()
            elif isinstance(event, ResolutionNeeded):
                self._gatherer.resolve(event.candidate)
            elif isinstance(event, _MEDIA_EVENTS):
                self._media.dispatch(event)
            else:
                self._hub.emit(event)
                if isinstance(event, ConnectionStateChanged):
                    self._handle_state(event.state)
        self._channels.finish_batch()

    def _handle_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CLOSED:
            self._closing.set()
        elif state is ConnectionState.CONNECTED:
            self._media.update()


@cache
def _can_do_media() -> bool:
    return find_spec("pylibsrtp") is not None


def _session_media() -> SessionMedia | None:
    """What media needs, where the extra is installed; else sections of media are refused."""
    if not _can_do_media():
        return None
    return SessionMedia(secrets.token_bytes, time.time() - time.monotonic())
