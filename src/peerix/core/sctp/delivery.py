"""How fast the path delivers (draft-ietf-ccwg-bbr section 4.1), measured without a word of state in a chunk.

Chunks leave in flushes, and all chunks of a flush have one time of departure. So what has to be remembered of the
moment of sending is kept once a flush, and found again by that time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerix.core.sctp.outstanding import Delivered

MAX_FLUSHES = 16_384
"""Flushes without an answer that are remembered; chunks of older ones give no sample."""

MIN_INTERVAL = 0.0002
"""Seconds; less is not told apart, as one clock reading a wake-up may give no time at all between sending and SACK."""


@dataclass(slots=True)
class DeliverySample:
    """What one SACK told. Bytes are user bytes, times seconds.

    :ivar acked: newly acknowledged.
    :ivar lost: found to be lost at this SACK.
    :ivar flight: in flight before the SACK.
    :ivar sent_flight: in flight when the chunk had left that was sent last of those acknowledged; 0 if not known.
    :ivar rate: bytes a second that the path delivered, 0 when this SACK cannot tell.
    :ivar app_limited: the sender had nothing to send, so the path may be faster than `rate`.
    :ivar rtt: the latest round trip, None when no chunk that was sent once is acknowledged.
    :ivar srtt: the smoothed round trip.
    :ivar round_start: a round trip is over: what was sent at the last round's start is acknowledged.
    :ivar recovering: in fast recovery (RFC 9260 section 7.2.4).
    """

    acked: int
    lost: int = 0
    flight: int = 0
    sent_flight: int = 0
    rate: float = 0.0
    app_limited: bool = False
    rtt: float | None = None
    srtt: float | None = None
    round_start: bool = False
    recovering: bool = False


class DeliverySampler:
    """Watches what leaves and what arrives."""

    __slots__ = ("_app_limited_to", "_delivered", "_delivered_at", "_first_sent_at", "_flushes", "_round_ends")

    def __init__(self) -> None:
        self._flushes: deque[tuple[float, int, float, float, bool, int]] = deque(maxlen=MAX_FLUSHES)
        """Time, then `_delivered`, `_delivered_at`, `_first_sent_at`, app limited, and flight after it."""
        self._delivered = 0
        self._delivered_at = 0.0
        self._first_sent_at: float | None = None
        self._app_limited_to = -1
        self._round_ends = 0

    def note_sent(self, flight_before: int, flight: int, now: float) -> None:
        """A flush has left; `flight` is in flight with it."""
        flushes = self._flushes
        # What another path had in flight when this one was begun says nothing of this one.
        if not flight_before or self._first_sent_at is None:
            self._first_sent_at = self._delivered_at = now
        elif flushes and flushes[-1][0] >= now:
            flushes[-1] = (*flushes[-1][:5], flight)
            return
        limited = self._delivered < self._app_limited_to
        flushes.append((now, self._delivered, self._delivered_at, self._first_sent_at, limited, flight))

    def note_app_limited(self, flight: int) -> None:
        """There was nothing more to send, though the path would have taken it."""
        self._app_limited_to = self._delivered + max(flight, 1)

    def sample(self, delivered: Delivered, min_rtt: float, now: float) -> DeliverySample:
        """Take what a SACK told for the first time."""
        self._delivered += delivered.size
        self._delivered_at = now
        result = DeliverySample(delivered.size)
        flushes, sent_at = self._flushes, delivered.sent_at
        while flushes and flushes[0][0] < sent_at:
            flushes.popleft()
        if not flushes or flushes[0][0] != sent_at:
            return result
        _, before, before_at, first_sent_at, result.app_limited, result.sent_flight = flushes[0]
        self._first_sent_at = sent_at
        if before >= self._round_ends:
            self._round_ends = self._delivered
            result.round_start = True
        interval = max(sent_at - first_sent_at, now - before_at)
        # Shorter than a round trip can be: SACKs that were held up came all at once.
        if interval >= min_rtt:
            result.rate = (self._delivered - before) / max(interval, MIN_INTERVAL)
        return result
