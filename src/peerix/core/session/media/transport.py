"""All media of one transport: what is sent and received, encrypted, and what is reported of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.errors import LocalProtocolError
from peerix.core.rtp.header_extensions import PlayoutDelay
from peerix.core.rtp.packet import is_rtcp
from peerix.core.session.media.events import BitrateChanged, MediaEvent
from peerix.core.session.media.inbound import Inbound
from peerix.core.session.media.outbound import Outbound
from peerix.core.session.media.reports import Reports
from peerix.core.session.media.sending import OutgoingFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from peerix.core.jsep import Transceiver
    from peerix.core.rtp.header_extensions import AudioLevel
    from peerix.core.session.media.receiving import Receiving
    from peerix.core.session.media.sending import Sending
    from peerix.core.srtp import SrtpSession


class MediaTransport:
    """Senders and receivers of one transport.

    :param wall_offset: the wall clock (seconds since 1970) minus the monotonic clock `now`.
    """

    __slots__ = ("_due_at", "_events", "_has_news", "_srtp", "inbound", "outbound", "reports")

    def __init__(self, random_bytes: Callable[[int], bytes], wall_offset: float, now: float) -> None:
        self._srtp: SrtpSession | None = None
        self._events: list[MediaEvent] = []
        self._has_news = True
        """Whether something has happened since `_due_at` was found out."""
        self._due_at: float | None = None
        self.reports = Reports(random_bytes, self._events, now)
        self.inbound = Inbound(self.reports.ssrc)
        self.outbound = Outbound(random_bytes, wall_offset, now)

    @property
    def sending(self) -> Mapping[str, Sending]:
        """The sections that send, by MID."""
        return self.outbound.sending

    @property
    def receiving(self) -> Mapping[str, Receiving]:
        """The sections that receive, by MID."""
        return self.inbound.receiving

    # -- what was agreed on

    def start(self, srtp: SrtpSession) -> None:
        """There are keys: packets flow from now on."""
        self._srtp = srtp
        self._has_news = True

    def configure(self, transceivers: Sequence[Transceiver]) -> None:
        """Take what the descriptions have made of the transceivers; what goes on is not disturbed."""
        self.outbound.configure(transceivers)
        self.inbound.configure(transceivers)
        self.reports.configure(self.outbound.sending, self.inbound)
        self._has_news = True

    # -- packets

    def receive(self, datagrams: Sequence[bytes], now: float) -> None:
        """Take SRTP and SRTCP datagrams."""
        srtp = self._srtp
        if srtp is None:
            return
        self._has_news = True
        for datagram in datagrams:
            if is_rtcp(datagram):
                plain = srtp.unprotect_rtcp(datagram)
                if plain is not None:
                    self._receive_rtcp(plain, now)
            else:
                plain = srtp.unprotect_rtp(datagram)
                if plain is not None:
                    self._events += self.inbound.receive(plain, now)

    def _receive_rtcp(self, data: bytes, now: float) -> None:
        self.outbound.send_again(self.reports.receive(data, self.inbound, self.outbound, now), now)
        self._follow_estimate()

    def send(
        self,
        mid: str,
        data: bytes,
        timestamp: int,
        captured_at: float,
        *,
        rid: str = "",
        rotation: int = 0,
        audio_level: AudioLevel | None = None,
    ) -> None:
        """Send an encoded frame; it is dropped while nothing may be sent in that section or encoding.

        :param timestamp: in units of the codec's RTP clock, from anywhere.
        :param captured_at: monotonic seconds.
        :param rid: the encoding, in a section with simulcast.
        :param rotation: degrees clockwise by which receivers turn the picture, 0, 90, 180 or 270.
        :param audio_level: how loud it is, for receivers that show who speaks.
        :raises LocalProtocolError: it is no frame of the codec.
        """
        if self._srtp is not None:
            self.outbound.send(mid, rid, OutgoingFrame(data, timestamp, captured_at, rotation, audio_level))
            self._has_news = True

    def send_tone(self, mid: str, digit: str, duration: float = 0.1, gap: float = 0.07) -> None:
        """Send a dial tone beside the sound of a section, after those that wait (RFC 4733, W3C insertDTMF).

        :param digit: one of "0123456789*#ABCD".
        :param duration: seconds, 0.04 to 6.
        :param gap: seconds of silence before the next tone, at least 0.03.
        :raises LocalProtocolError: there is no such digit, too many wait, or the other side takes no tones.
        """
        sending = self.sending.get(mid)
        if sending is None or sending.tone_codec is None:
            raise LocalProtocolError("the other side takes no tones in this section")
        sending.tones.add(digit, duration, gap)
        self._has_news = True

    def set_playout_delay(self, mid: str, minimum: float, maximum: float) -> None:
        """Ask the receivers of a section to show pictures so many seconds after they came, where they know of that."""
        sending = self.sending.get(mid)
        if sending is not None:
            sending.playout_delay = PlayoutDelay(minimum, maximum)

    def request_key_frame(self, mid: str, rid: str = "") -> None:
        """Ask the sender of a section for a key frame: somebody begins to decode, or cannot go on.

        Requests are at least `KEY_FRAME_INTERVAL` apart, and repeated until a key frame comes.
        """
        receiving = self.receiving.get(mid)
        if receiving is not None:
            receiving.request_key_frame(rid)
            self._has_news = True

    def set_maximum(self, bitrate: float) -> None:
        """Want so many bits a second of the path at most, for all that is sent together."""
        self.outbound.estimator.set_maximum(bitrate)
        self._follow_estimate()
        self._has_news = True

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """What leaves now."""
        srtp = self._srtp
        if srtp is None:
            return []
        if self._is_idle(now):
            return []
        packets = srtp.protect_all(self.outbound.packets_to_send(now))
        # Behind them, since the first packet of a stream brings the first report of it.
        packets += (srtp.protect_rtcp(packet) for packet in self.reports.packets_to_send(self.inbound, now))
        self._due_at, self._has_news = self._find_due(), False
        return packets

    # -- time

    def next_timeout(self) -> float | None:
        """When `handle_timeout`, and then `datagrams_to_send`, want to be called."""
        return self._find_due() if self._has_news else self._due_at

    def _is_idle(self, now: float) -> bool:
        """Whether there is nothing to do: data channels wake the session many times between two packets of media."""
        return not self._has_news and (self._due_at is None or now < self._due_at)

    def _find_due(self) -> float | None:
        if self._srtp is None or not (self.sending or self.receiving):
            return None
        times = (self.outbound.next_timeout(), self.inbound.next_timeout(), self.reports.next_timeout(self.inbound))
        return earliest(times)

    def handle_timeout(self, now: float) -> None:
        """React to the passing of time."""
        if self._is_idle(now):
            return
        self._has_news = True
        self._events += self.inbound.handle_timeout(now)
        self.outbound.estimator.handle_timeout(now)
        self._follow_estimate()

    def poll_events(self) -> list[MediaEvent]:
        """What has happened since the last call."""
        events = self._events.copy()
        self._events.clear()
        return events

    def _follow_estimate(self) -> None:
        bitrate = self.outbound.follow_estimate()
        if self.reports.follow(bitrate):
            self._events.append(BitrateChanged(bitrate))
