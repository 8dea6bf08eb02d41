"""A queue that stays: every packet waits, though the queue does not grow.

Delays that grow tell of a queue (`trendline`); those in a full one do not grow any more. It costs delay, and losses
whose repair keeps it full. So the least delay of late is compared with the least one of all (as in RFC 8289 section 3).
While it is too much, the bitrate falls until the queue empties. Where that does not help, though less is sent than came
through before, others fill the queue: it is put up with, since those who back off before TCP get nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.bandwidth.rates import DECREASE, HEADROOM, AcknowledgedRate
from peerix.core.rtp.recent_minimum import RecentMinimum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerix.core.rtp.bandwidth.sent_packets import PacketResult

INTERVAL = 0.3
"""Seconds in which every packet waits: a burst or a frame is no queue that stays."""

MIN_WAIT = 0.025
"""Seconds of waiting that are too much: more than jitter, less than what a queue holds that drops at its end."""

MIN_QUEUED = 2 * 1200 * 8
"""Bits in the queue from which on it is too much, on slow paths: one packet behind another is none."""

DRAIN_TIME = 3.0
"""Seconds within which the queue is to be empty; the bitrate falls while it empties slower."""

SETTLE_TIME = 0.2
"""Seconds after which a fall is felt, beside the round trip: encoders follow by and by."""

ALL = 0.95
"""When so much of what left arrives, all of it does: the two rates are never quite the same."""

LESS = 0.75
"""When no more than this is sent of what came through, all of it arrives, and the queue stays, others fill it."""

MAX_CUTS = 5
"""Falls after which that is taken for granted: who sends little is not to send less and less beside others."""

PATIENCE = 30.0
MAX_PATIENCE = 120.0
"""Seconds for which a queue of others is put up with; twice as long each time that they are found again."""


class QueueingDelay:
    """How long every packet waits beyond what the path takes. The two clocks are not the same one."""

    __slots__ = ("_base", "_least", "_limit", "_since")

    def __init__(self) -> None:
        self._base = RecentMinimum()
        self._least = float("inf")
        self._limit = float("inf")
        self._since: float | None = None

    def receive(self, delay: float, arriving: float | None, now: float) -> None:
        """Take the least delay that a feedback tells, and the bitrate that arrives."""
        if self._since is None:
            self._base.take(delay, now)  # a queue that stays for long is not to become the base
            self._limit = max(MIN_WAIT, MIN_QUEUED / arriving) if arriving else float("inf")
        waiting = delay - self._base.value
        if waiting < (self._limit / 2 if self.is_lasting(now) else self._limit):
            self._end()
            return
        if self._since is None:
            self._since = now
        self._least = min(self._least, waiting)

    def is_lasting(self, now: float) -> bool:
        """Whether every packet has waited too long for a while."""
        return self._since is not None and now - self._since >= INTERVAL

    def take_least(self) -> float:
        """Give the least wait since the last call, seconds."""
        least, self._least = self._least, float("inf")
        return least

    def begin_anew(self) -> None:
        """Take what waits now for a part of the path."""
        self._base.forget()
        self._end()

    def _end(self) -> None:
        self._since = None
        self._least = float("inf")


class StandingQueue:
    """Fed with what arrives; tells to which bitrate to go, bit/s.

    :ivar is_standing: there is a queue that stays: the bitrate is not to grow, nor the path to be probed.
    """

    __slots__ = (
        "_before",
        "_checked_at",
        "_cuts",
        "_delay",
        "_leaving",
        "_patience",
        "_patient_until",
        "_through",
        "_waited",
        "is_standing",
    )

    def __init__(self) -> None:
        self._delay = QueueingDelay()
        self._leaving = AcknowledgedRate()
        """At which rate left what the last feedback tells of."""
        self._before = 0.0
        """The bitrate before the first fall."""
        self._through = 0.0
        """What has come through then, or less where it turned out that no more fits."""
        self._cuts = 0
        self._checked_at = 0.0
        self._waited = 0.0
        """The least wait before the last check."""
        self._patience = PATIENCE
        self._patient_until = float("-inf")
        self.is_standing = False

    def receive(
        self, results: Sequence[PacketResult], bitrate: float, arriving: float | None, round_trip: float, now: float
    ) -> float | None:
        """Take what a feedback tells; gives a bitrate to go to, where there is a reason.

        :param bitrate: the one in force.
        :param arriving: what comes through.
        """
        for one in results:
            self._leaving.receive(one.size, one.sent_at)
        delays = [one.arrived_at - one.sent_at for one in results if one.arrived_at is not None]
        if not delays:
            return None
        self._delay.receive(min(delays), arriving, now)
        if arriving is None or not self._delay.is_lasting(now):
            self._end()
        elif not self.is_standing:
            self._begin(bitrate, arriving, now)
        elif now - self._checked_at >= round_trip + SETTLE_TIME:
            return self._check(bitrate, arriving, now)
        return None

    def _begin(self, bitrate: float, arriving: float, now: float) -> None:
        if now < self._patient_until:
            return
        self.is_standing = True
        self._before, self._through, self._cuts = bitrate, arriving, 0
        self._checked_at, self._waited = now, self._delay.take_least()

    def _check(self, bitrate: float, arriving: float, now: float) -> float | None:
        """Fall when the queue does not empty."""
        elapsed, waited, self._waited = now - self._checked_at, self._waited, self._delay.take_least()
        self._checked_at = now
        if (waited - self._waited) * DRAIN_TIME >= self._waited * elapsed:
            return None
        leaving = self._leaving.bitrate() or 0.0
        if arriving < ALL * leaving:  # more than comes through: it is we who fill it
            self._through, self._cuts = min(self._through, arriving), 0
        elif self._cuts == MAX_CUTS or (leaving < LESS * self._through and ALL * arriving < leaving):
            return self._put_up(bitrate, now)
        self._cuts += 1
        return min(bitrate, arriving) * DECREASE

    def _put_up(self, bitrate: float, now: float) -> float:
        """Leave a queue alone that others fill; gives the bitrate that was before."""
        self.is_standing = False
        self._delay.begin_anew()
        self._patient_until = now + self._patience
        self._patience = min(2 * self._patience, MAX_PATIENCE)
        return max(bitrate, min(self._before, self._through * HEADROOM))

    def _end(self) -> None:
        if self.is_standing and self._cuts:
            self._patience = PATIENCE  # it was ours
        self.is_standing = False
