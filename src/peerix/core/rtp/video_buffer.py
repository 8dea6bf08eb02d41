"""Packets of a video stream to frames, in order and without holes.

A frame leaves as soon as its last packet is there and all frames before it have left: the marker bit ends it, so
nothing waits for the next frame. A hole is waited for until a deadline; then only a key frame can go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerix.core.rtp.header_extensions import ColorSpace

if TYPE_CHECKING:
    from peerix.core.rtp.packet import RtpPacket
    from peerix.core.rtp.payload.video import VideoDepacketizer

HOLD = 0.5
"""Seconds that a missing packet is waited for."""

MAX_PACKETS = 2048
"""Packets that are kept, 2.5 MB: one second of 20 Mbit/s."""

MAX_KEY_STARTS = 4
"""Beginnings of key frames that are kept in mind, so that looking for one that is whole stays cheap."""

KEY_FRAME_INTERVAL = 0.3
"""Seconds between two requests for a key frame, at least."""


@dataclass(slots=True)
class ReceivedFrame:
    """One encoded frame that can be decoded after those before it."""

    data: bytes
    key_frame: bool
    timestamp: int
    """As in the packets, 32 bits of 90 kHz."""
    received_at: float
    """When it became whole."""
    end: int
    """The extended sequence number behind its last packet."""
    playout_at: float = 0.0
    """When it is to be shown so that few come too late; advice for those who play."""
    rotation: int = 0
    """Degrees by which to turn the picture."""
    color_space: ColorSpace | None = None
    """What its colours mean, where the sender says so beside the codec."""


@dataclass(slots=True)
class VideoCounters:
    """What became of packets and frames."""

    frames: int = 0
    key_frames: int = 0
    holes: int = 0
    """Times that a missing packet was given up."""
    late_packets: int = 0
    """Packets that came when they were given up."""
    duplicates: int = 0
    """Packets that came once more, such as probes of the path that repeat what was sent last."""
    broken_frames: int = 0
    """Whole in packets, but not a frame of the codec."""


class _KeyFrameWish:
    """Whether a key frame is wanted, and when one was asked for and began last."""

    __slots__ = ("asked_at", "is_wanted", "seen_at")

    def __init__(self) -> None:
        self.is_wanted = False
        self.asked_at = self.seen_at = float("-inf")


class VideoBuffer:
    """The frames of one stream; sequence numbers are extended ones."""

    __slots__ = (
        "_depacketizer",
        "_given_up",
        "_highest",
        "_hole_since",
        "_key_starts",
        "_key_wish",
        "_lost_at",
        "_next",
        "_packets",
        "_scanned",
        "counters",
        "hold",
    )

    def __init__(self, depacketizer: VideoDepacketizer, hold: float = HOLD) -> None:
        self._depacketizer = depacketizer
        self.hold = hold
        self.counters = VideoCounters()
        self._packets: dict[int, RtpPacket] = {}
        self._next: int | None = None
        """Where the next frame begins; None when only a key frame can be next."""
        self._scanned = 0
        """Up to here the frame at `_next` is there."""
        self._highest = -1
        self._hole_since: float | None = None
        self._key_starts: set[int] = set()
        self._key_wish = _KeyFrameWish()
        self._lost_at: int | None = None
        """Where the frame begins that was given up last, until a key frame goes on behind it."""
        self._given_up: set[int] = set()
        """Packets before `_next` that did not come in time."""

    def insert(self, extended: int, packet: RtpPacket, now: float) -> list[ReceivedFrame]:
        """Take one packet and give the frames that it completes, in decoding order."""
        if self._next is not None and extended < self._next:
            self._count_past(extended)
            return []
        if extended in self._packets:
            self.counters.duplicates += 1
            return []
        if len(self._packets) >= MAX_PACKETS:
            self._make_room()
        self._packets[extended] = packet
        is_newest = extended > self._highest
        if is_newest:
            self._highest = extended
        if packet.payload and self._depacketizer.starts_key_frame(packet.payload):
            self._key_starts.add(extended)
            self._key_wish.seen_at = now
            if len(self._key_starts) > MAX_KEY_STARTS:
                self._key_starts.remove(min(self._key_starts))
        if is_newest and extended == self._scanned and self._continues(packet):
            self._scanned = extended + 1
            return []
        return self._release(now)

    def _continues(self, packet: RtpPacket) -> bool:
        """Whether the next packet in order only adds to the frame at `_next`: most do, and end nothing."""
        first = None if self._next is None else self._packets.get(self._next)
        return (
            first is not None
            and bool(packet.payload)
            and bool(first.payload)
            and not packet.marker
            and packet.timestamp == first.timestamp
        )

    def _count_past(self, extended: int) -> None:
        """Take a packet of what is over: too late, or once more."""
        if extended in self._given_up:
            self._given_up.remove(extended)
            self.counters.late_packets += 1
        else:
            self.counters.duplicates += 1

    def next_timeout(self) -> float | None:
        """When a hole is given up."""
        return None if self._hole_since is None else self._hole_since + self.hold

    def handle_timeout(self, now: float) -> list[ReceivedFrame]:
        """Give up a hole whose deadline has come, and give what follows it."""
        if self._hole_since is None or now < self._hole_since + self.hold:
            return []
        self.counters.holes += 1
        self._lose_track()
        return self._release(now)

    def request_key_frame(self) -> None:
        """Want a key frame, though the frames that are given could be decoded: somebody begins to."""
        self._key_wish.is_wanted = True

    def take_key_frame_request(self, now: float) -> bool:
        """Tell whether to ask for a key frame now; it is repeated until one comes, as long as packets do."""
        wish = self._key_wish
        if self._next is not None and not wish.is_wanted:
            return False
        if now - wish.asked_at < KEY_FRAME_INTERVAL:
            return False
        if self._key_starts and now - wish.seen_at < self.hold:
            return False  # one is on its way
        if self._highest < 0:
            return False  # nothing came yet; the first packets are those of a key frame
        wish.asked_at = now
        return True

    def _release(self, now: float) -> list[ReceivedFrame]:
        frames: list[ReceivedFrame] = []
        while self._next is not None or self._find_key_frame():
            end = self._end_of_frame()
            if end is None:
                break
            frame = self._take(end, now)
            if frame is not None:
                frames.append(frame)
        if self._next is None or self._scanned > self._highest:
            self._hole_since = None
        elif frames or self._hole_since is None:
            self._hole_since = now
        return frames

    def _end_of_frame(self) -> int | None:
        """Find where the frame at `_next` ends, if all of it is there."""
        packets, start = self._packets, self._next
        if start is None:
            return None
        while (padding := packets.get(start)) is not None and not padding.payload:
            del packets[start]  # a probe between frames
            start += 1
        self._next = start
        first = packets.get(start)
        position = max(self._scanned, start)
        while first is not None and (packet := packets.get(position)) is not None:
            if packet.payload and packet.timestamp != first.timestamp:
                return position  # the next frame has begun
            position += 1
            if packet.marker and packet.payload:
                return position
        self._scanned = position
        return None

    def _take(self, end: int, now: float) -> ReceivedFrame | None:
        start = end if self._next is None else self._next
        taken = [self._packets.pop(number) for number in range(start, end)]
        assembled = self._depacketizer.assemble([packet.payload for packet in taken if packet.payload])
        self._next = self._scanned = end
        if self._key_starts:
            self._key_starts = {number for number in self._key_starts if number >= end}
        if assembled is None:
            self.counters.broken_frames += 1
            self._lose_track()
            return None
        self.counters.frames += 1
        if assembled.key_frame:
            self.counters.key_frames += 1
            self._key_wish.is_wanted = False
        return ReceivedFrame(assembled.data, assembled.key_frame, taken[0].timestamp, now, end)

    def _find_key_frame(self) -> bool:
        """Go on at the first key frame that is whole; what lies before it is useless."""
        for start in sorted(self._key_starts):
            self._next = self._scanned = start
            if self._end_of_frame() is not None:
                self._note_given_up(start)
                for number in [number for number in self._packets if number < start]:
                    del self._packets[number]
                self._scanned = start
                return True
        self._next = None
        return False

    def _note_given_up(self, start: int) -> None:
        """Remember which packets are missing before the key frame that goes on."""
        oldest = start - MAX_PACKETS
        if self._lost_at is not None:
            missing = range(max(self._lost_at, oldest), start)
            self._given_up = {number for number in self._given_up if number >= oldest}
            self._given_up.update(number for number in missing if number not in self._packets)
            self._lost_at = None

    def _lose_track(self) -> None:
        # A key frame that began before the hole may be the one that is not whole.
        self._lost_at, self._next = self._next, None
        self._hole_since = None

    def _make_room(self) -> None:
        """Drop the older half; it waited in vain."""
        if self._next is not None:
            self.counters.holes += 1
            self._lose_track()
        for number in sorted(self._packets)[: MAX_PACKETS // 2]:
            del self._packets[number]
        self._key_starts = {number for number in self._key_starts if number in self._packets}
