"""A retransmission timer with exponential back-off, and the retransmission timeout (RFC 9260 section 6.3)."""

from __future__ import annotations

RTO_ALPHA = 1 / 8
RTO_BETA = 1 / 4
CLOCK_GRANULARITY = 0.001


class RetransmissionTimeout:
    """Round-trip time and RTO of the path (RFC 9260 section 6.3.1).

    :ivar srtt: smoothed round trip in seconds, None before the first sample.
    :ivar rto: the timeout without back-off.
    """

    __slots__ = ("_initial", "_maximum", "_minimum", "min_rtt", "rto", "rttvar", "srtt")

    def __init__(self, initial: float, minimum: float, maximum: float) -> None:
        self._initial = initial
        self._minimum = minimum
        self._maximum = maximum
        self.reset()

    def reset(self) -> None:
        """Forget the path."""
        self.rto = self._initial
        self.srtt: float | None = None
        self.rttvar = 0.0
        self.min_rtt = 3600.0

    def add_sample(self, rtt: float) -> None:
        """Take a round trip that was measured on a chunk sent once (Karn)."""
        self.min_rtt = min(self.min_rtt, rtt)
        if self.srtt is None:
            self.srtt = rtt
            self.rttvar = rtt / 2
        else:
            self.rttvar += RTO_BETA * (abs(self.srtt - rtt) - self.rttvar)
            self.srtt += RTO_ALPHA * (rtt - self.srtt)
        variation = max(CLOCK_GRANULARITY, 4 * self.rttvar)
        self.rto = min(max(self.srtt + variation, self._minimum), self._maximum)

    @property
    def maximum(self) -> float:
        """RTO.Max."""
        return self._maximum


class RetransmissionTimer:
    """One timer: T1, T2, T3 or that of RE-CONFIG.

    :ivar deadline: when it expires, None while stopped.
    :ivar expirations: how often it expired since something was heard.
    """

    __slots__ = ("_timeout", "deadline", "expirations")

    def __init__(self, timeout: RetransmissionTimeout) -> None:
        self._timeout = timeout
        self.deadline: float | None = None
        self.expirations = 0

    @property
    def interval(self) -> float:
        """How long it runs now, with back-off (RFC 9260 section 6.3.3 E2)."""
        return min(self._timeout.rto * (1 << min(self.expirations, 16)), self._timeout.maximum)

    def start(self, now: float) -> None:
        """Start it anew."""
        self.deadline = now + self.interval

    def stop(self) -> None:
        """Stop it and forget the back-off."""
        self.deadline = None
        self.expirations = 0

    def take_expired(self, now: float) -> bool:
        """Whether it has expired by now; if so it is stopped and backed off."""
        if self.deadline is None or now < self.deadline:
            return False
        self.deadline = None
        self.expirations += 1
        return True
