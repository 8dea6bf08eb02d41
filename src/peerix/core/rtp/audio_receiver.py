"""One received audio stream: packets in, units without holes in time out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.audio_buffer import AudioBuffer, never_repeats
from peerix.core.rtp.clock import SenderClock
from peerix.core.rtp.payload import AUDIO_CLOCK_RATES, AUDIO_DURATIONS, opus_repeated, read_red, read_telephone_event
from peerix.core.rtp.reception import ReceptionStatistics

if TYPE_CHECKING:
    from peerix.core.rtp.audio_buffer import AudioUnit
    from peerix.core.rtp.header_extensions import AudioLevel, HeaderExtensions
    from peerix.core.rtp.packet import RtpPacket
    from peerix.core.rtp.payload import TelephoneEvent
    from peerix.core.rtp.rtcp import SenderReport

MAX_TONES = 64
"""Telephone events that are kept for a reader."""


@dataclass(frozen=True, slots=True)
class AudioFormats:
    """The payload types of a section: codecs with their names (as in `AUDIO_DURATIONS`), RED, telephone events."""

    codecs: Mapping[int, str]
    red: frozenset[int] = frozenset()
    tones: frozenset[int] = frozenset()


class AudioReceiver:
    """One stream of one section."""

    __slots__ = (
        "_formats",
        "_last_tone",
        "buffer",
        "clock",
        "level",
        "payload_type",
        "statistics",
        "tones",
    )

    def __init__(self, formats: AudioFormats) -> None:
        self._formats = formats
        self.buffer: AudioBuffer | None = None
        self.clock: SenderClock | None = None
        self.statistics: ReceptionStatistics | None = None
        """None before the first packet; another one when the sender changes its SSRC or clock."""
        self.payload_type: int | None = None
        """Of the codec whose units come out now."""
        self.level: AudioLevel | None = None
        """As the last packet said."""
        self.tones: deque[TelephoneEvent] = deque(maxlen=MAX_TONES)
        """Telephone events that ended, once each."""
        self._last_tone: tuple[int, int] | None = None

    def receive(self, packet: RtpPacket, extensions: HeaderExtensions, now: float) -> list[AudioUnit]:
        """Take a packet and give what is next in order."""
        if packet.payload_type in self._formats.tones:
            return self._receive_tone(packet, now)
        redundant: list[tuple[int, bytes]] = []
        payload_type, payload = packet.payload_type, packet.payload
        if payload_type in self._formats.red:
            blocks = read_red(payload)
            if blocks is None:
                return []
            payload_type, payload = blocks[-1].payload_type, blocks[-1].data
            redundant = [(block.offset, block.data) for block in blocks[:-1] if block.payload_type == payload_type]
        extended = self._count(packet, payload_type, now)
        if extended is None or self.buffer is None:
            return []
        if extensions.audio_level is not None:
            self.level = extensions.audio_level
        units: list[AudioUnit] = []
        for index, (offset, data) in enumerate(redundant):
            time = packet.timestamp - offset & 0xFFFFFFFF
            units += self.buffer.insert_redundant(extended - len(redundant) + index, time, data, now)
        return units + self.buffer.insert(extended, packet.timestamp, payload, now)

    def receive_sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of this source."""
        if self.statistics is not None and self.clock is not None and self.statistics.ssrc == report.ssrc:
            self.statistics.receive_sender_report(report, now)
            self.clock.receive_sender_report(report)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        return None if self.buffer is None else self.buffer.next_timeout()

    def handle_timeout(self, now: float) -> list[AudioUnit]:
        """Conceal what is overdue, and give what follows it."""
        return [] if self.buffer is None else self.buffer.handle_timeout(now)

    def _count(self, packet: RtpPacket, payload_type: int, now: float) -> int | None:
        codec = self._formats.codecs.get(payload_type)
        if codec is None:
            return None
        clock_rate = AUDIO_CLOCK_RATES[codec]
        statistics = self.statistics
        if statistics is None or statistics.ssrc != packet.ssrc or statistics.clock_rate != clock_rate:
            statistics = self.statistics = ReceptionStatistics(packet.ssrc, clock_rate)
            self.clock = SenderClock(clock_rate)
            self.buffer = None
        extended = statistics.receive(packet.sequence_number, packet.timestamp, len(packet.payload), now)
        statistics.counters.header_octets += packet.overhead
        if extended is not None and (self.buffer is None or payload_type != self.payload_type):
            if self.buffer is not None and extended < statistics.highest:
                return None  # late, of the codec before
            repeated = opus_repeated if codec == "OPUS" else never_repeats
            counters = None if self.buffer is None else self.buffer.counters  # of the same stream: they go on
            self.buffer = AudioBuffer(clock_rate, AUDIO_DURATIONS[codec], repeated, counters=counters)
            self.payload_type = payload_type
        return extended

    def _receive_tone(self, packet: RtpPacket, now: float) -> list[AudioUnit]:
        """Note the end of a tone, which is sent three times; events share the sequence numbers of the codec."""
        statistics = self.statistics
        if statistics is not None and statistics.ssrc == packet.ssrc:
            statistics.receive(packet.sequence_number, packet.timestamp, len(packet.payload), now)
        tone = read_telephone_event(packet.payload)
        if tone is not None and tone.end and self._last_tone != (packet.ssrc, packet.timestamp):
            self._last_tone = packet.ssrc, packet.timestamp
            self.tones.append(tone)
        return []
