"""RTP timestamps as times of our own clock, so that what was captured together is played together.

The time of a frame is when it would have come by the fastest recent transit, so that jitter does not show. Before a
sender report, that is known of each stream by itself. After it, the timestamps of all streams are times of one wall
clock, the sender's (RFC 3550 section 6.4.1), and one transit is looked for among them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.rtp.clock import Unwrapper
from peerix.core.rtp.recent_minimum import RecentMinimum

if TYPE_CHECKING:
    from peerix.core.rtp.clock import SenderClock

SLEW = 0.005
"""Seconds by which times are corrected in a second: less than anybody hears or sees."""

JUMP = 0.5
"""Seconds; a larger correction is made at once: something has begun anew."""

SETTLING = 0.5
"""Seconds from the beginning of a stream in which corrections are made at once."""

TOO_LATE = 5.0
"""Seconds behind the fastest transit that no buffer on the way explains: the timestamps have begun anew."""


class SenderTimeline:
    """How the wall clock of the other side relates to our clock: one for all streams that came over one transport.

    :ivar steps: how often that clock was set anew.
    """

    __slots__ = ("_fastest", "steps")

    def __init__(self) -> None:
        self._fastest = RecentMinimum()
        self.steps = 0

    def take(self, transit: float, now: float) -> float:
        """Take a transit, our clock minus the wall clock of the sender, and give the fastest."""
        return self._fastest.take(transit, now)

    def step(self) -> None:
        """Forget what is known: the sender has set its clock."""
        self._fastest.forget()
        self.steps += 1


class StreamTimeline:
    """The times of one stream; they never go back."""

    __slots__ = (
        "_begun_at",
        "_fastest",
        "_last",
        "_relation",
        "_reported",
        "_sender",
        "_shift",
        "_steps",
        "_unwrapper",
        "_updated_at",
    )

    def __init__(self, sender: SenderTimeline) -> None:
        self._sender = sender
        self._unwrapper = Unwrapper(32)
        self._fastest = RecentMinimum()
        self._relation: float | None = None
        """The sender's wall clock minus the stream's own one, seconds."""
        self._reported = False
        self._steps = 0
        self._shift: float | None = None
        """Our clock minus the stream's own one, seconds."""
        self._begun_at = self._updated_at = 0.0
        self._last = float("-inf")

    def report_received(self) -> None:
        """Look anew how the stream's clock relates to the wall clock: a sender report has come."""
        self._reported = True

    def time_of(self, timestamp: int, clock: SenderClock, now: float) -> float:
        """Give the time of what has this timestamp and came now.

        :param clock: what sender reports said of the source that it is from.
        """
        media = self._unwrapper.unwrap(timestamp) / clock.clock_rate
        transit = now - media
        if self._has_begun_anew(transit):
            self._fastest.forget()
            self._relation, self._reported = None, False
        wanted = self._fastest.take(transit, now)
        wall = clock.wall_clock(timestamp)
        if wall is None:
            self._relation = None
        elif self._relation is not None or self._reported:
            wanted = self._by_wall_clock(wall - media, transit, now)
        self._last = max(self._last, media + self._follow(wanted, now))
        return self._last

    def _has_begun_anew(self, transit: float) -> bool:
        """Tell whether the timestamps go on elsewhere: no path becomes so much faster, no buffer holds so much."""
        fastest = self._fastest.value
        return not fastest - JUMP <= transit <= fastest + TOO_LATE and fastest != float("inf")

    def _by_wall_clock(self, relation: float, transit: float, now: float) -> float:
        """Give the shift that the sender's wall clock tells."""
        sender, known, reported = self._sender, self._relation, self._reported
        self._relation, self._reported = relation, False
        if known is None:
            # What was seen of this stream before its first report counts too: so it goes on as it was.
            self._steps = sender.steps
            return relation + sender.take(self._fastest.value - relation, now)
        if reported:
            if abs(relation - known) > JUMP and self._steps == sender.steps:
                sender.step()
            self._steps = sender.steps
        if self._steps != sender.steps and self._shift is not None:
            return self._shift  # the clock was set, as another stream told, and this one has the old relation
        return relation + sender.take(transit - relation, now)

    def _follow(self, wanted: float, now: float) -> float:
        """Correct the shift, slowly once somebody listens."""
        shift = self._shift
        if shift is None:
            self._begun_at = now
            shift = wanted
        elif abs(wanted - shift) > JUMP or now - self._begun_at < SETTLING:
            shift = wanted
        else:
            most = SLEW * max(now - self._updated_at, 0.0)
            shift += min(max(wanted - shift, -most), most)
        self._shift, self._updated_at = shift, now
        return shift
