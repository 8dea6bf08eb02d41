"""The goals, and whether the results reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figures_data import LOOPS, stack_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.figures_data import Results

NOT_MEASURED = "not measured"
ALL = "peerix, {loop}"
AT_1200 = "peerix, {loop}, 1200"
FOUND = "peerix, {loop}, found"
LONG = "peerix, {loop}, default"
LIBWEBRTC = "wrtc"


@dataclass(slots=True, frozen=True)
class Limit:
    """What is to be reached: a number, or so many times the figure of another stack in the same run."""

    number: float
    peer: str = ""


@dataclass(slots=True, frozen=True)
class Goal:
    """A line of the table.

    :ivar goal: in words; `limits` are the same in figures.
    :ivar source: the file of the results.
    :ivar row: whose figure it is, for a loop.
    :ivar columns: the figure is their sum,
    :ivar divided_by: over the least of these, if there are any.
    :ivar none_of: columns that have to be zero.
    :ivar loops: for which it is a goal; the others are shown as well.
    """

    what: str
    goal: str
    source: str
    row: str
    columns: tuple[str, ...]
    limits: tuple[Limit, ...]
    more_is_better: bool = True
    digits: int = 0
    divided_by: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    loops: tuple[str, ...] = LOOPS

    def measured(self, results: Results, loop: str) -> float | None:
        """Our figure on a loop."""
        row = self.row.format(loop=loop)
        total = results.total(self.source, row, self.columns)
        if total is None or not self.divided_by:
            return total
        divisors = [results.value(self.source, row, column) for column in self.divided_by]
        return total / min(found) if (found := [each for each in divisors if each]) else None

    def limits_on(self, results: Results, loop: str) -> list[float | None]:
        """The limits in figures; None where the other stack was not measured."""
        return [self._limit(results, limit, loop) for limit in self.limits]

    def _limit(self, results: Results, limit: Limit, loop: str) -> float | None:
        if not limit.peer:
            return limit.number
        value = self.peer(results, limit.peer, loop)
        return None if value is None else limit.number * value

    def peer(self, results: Results, stack: str, loop: str) -> float | None:
        """The figure of another stack: on the same loop, on asyncio if it does not run on trio, or without a loop."""
        for row in (f"{stack}, {loop}", f"{stack}, asyncio", *results.labels(self.source, stack)):
            value = results.total(self.source, row, self.columns)
            if value is not None:
                return value
        return None

    def best_peer(self, results: Results) -> tuple[str, float] | None:
        """The best of the other stacks, with its name."""
        totals = (
            (label, results.total(self.source, label, self.columns))
            for label in results.rows.get(self.source, {})
            if stack_of(label) != "peerix"
        )
        found = [(label, total) for label, total in totals if total is not None]
        best: Callable[..., tuple[str, float]] = max if self.more_is_better else min
        return best(found, key=lambda entry: entry[1]) if found and not self.divided_by else None

    def reaches(self, results: Results, loop: str) -> bool | None:
        """Whether the goal is reached on a loop; None when that was not measured."""
        value, limits = self.measured(results, loop), self.limits_on(results, loop)
        if value is None or None in limits:
            return None
        if any(results.value(self.source, self.row.format(loop=loop), column) != 0 for column in self.none_of):
            return False
        known = [limit for limit in limits if limit is not None]
        return all(value >= limit if self.more_is_better else value <= limit for limit in known)

    def verdict(self, results: Results) -> str:
        """Say in words whether it is reached."""
        outcomes = {loop: self.reaches(results, loop) for loop in self.loops}
        missed = [loop for loop, outcome in outcomes.items() if outcome is False]
        unknown = [loop for loop, outcome in outcomes.items() if outcome is None]
        if not missed and not unknown:
            return "reached"
        if len(unknown) == len(outcomes):
            absent = self._absent_peers(results)
            return f"no {absent} in the run" if absent else NOT_MEASURED
        words = [f"missed on {', '.join(missed)}"] if 0 < len(missed) < len(outcomes) else ["missed"] * bool(missed)
        words += [f"{NOT_MEASURED} on {', '.join(unknown)}"] if unknown else []
        return "; ".join(words)

    def _absent_peers(self, results: Results) -> str:
        if any(self.measured(results, loop) is None for loop in self.loops):
            return ""
        peers = [limit.peer for limit in self.limits if limit.peer]
        return ", ".join(peer for peer in peers if self.peer(results, peer, self.loops[0]) is None)


def show(value: float | None, digits: int) -> str:
    """Put a figure into a cell."""
    return "-" if value is None else f"{value:,.{digits}f}"


def goals_table(results: Results, goals: tuple[Goal, ...]) -> list[str]:
    """A line a goal."""
    lines = [f"| what | goal | best other stack | {' | '.join(LOOPS)} | |", "|---|---|---|---|---|---|---|"]
    for goal in goals:
        best = goal.best_peer(results)
        peer = "-" if best is None else f"{show(best[1], goal.digits)} ({best[0]})"
        cells = [show(goal.measured(results, loop), goal.digits) for loop in LOOPS]
        verdict = goal.verdict(results).replace("missed", "**missed**")
        lines.append(f"| {goal.what} | {goal.goal} | {peer} | {' | '.join(cells)} | {verdict} |")
    return lines


CPU = ("CPU s/GB, send", "CPU s/GB, receive")
DATA = "data_channel"
LINKS = "long_links"

GOALS = (
    Goal(
        "MB/s, messages of 64 KiB, loopback, one process, packets of 1,200 bytes",
        "above wrtc and at least 7 times aiortc",
        DATA,
        AT_1200,
        ("MB/s, one process",),
        (Limit(1, LIBWEBRTC), Limit(7, "aiortc")),
        digits=1,
    ),
    Goal(
        "the same, packet size found",
        "at least 3 times wrtc",
        DATA,
        FOUND,
        ("MB/s, one process",),
        (Limit(3, LIBWEBRTC),),
        digits=1,
    ),
    Goal(
        "MB/s, two processes, 1,200 bytes",
        "above wrtc",
        DATA,
        AT_1200,
        ("MB/s, two processes",),
        (Limit(1, LIBWEBRTC),),
        digits=1,
    ),
    Goal(
        "the same, found",
        "at least 3 times wrtc",
        DATA,
        FOUND,
        ("MB/s, two processes",),
        (Limit(3, LIBWEBRTC),),
        digits=1,
    ),
    Goal(
        "CPU s/GB, send and receive, 1,200 bytes",
        "at most that of wrtc",
        DATA,
        AT_1200,
        CPU,
        (Limit(1, LIBWEBRTC),),
        more_is_better=False,
        digits=1,
    ),
    Goal(
        "the same, found",
        "at most a third of wrtc's",
        DATA,
        FOUND,
        CPU,
        (Limit(1 / 3, LIBWEBRTC),),
        more_is_better=False,
        digits=1,
    ),
    Goal(
        "64-byte messages/s on a raw channel, one process",
        "at least 100,000",
        DATA,
        FOUND,
        ("64-byte messages/s",),
        (Limit(100_000),),
    ),
    Goal(
        "small messages/s by `peer.send`, RTT 50 ms, in order, each acknowledged",
        "at least 5,000",
        "rooms",
        ALL,
        ("messages/s, RTT 50 ms",),
        (Limit(5000),),
        none_of=("misplaced", "unacknowledged"),
    ),
    Goal(
        "`peerix send` of 1 GB, two processes on loopback, checksums on: % of the raw channel's MB/s",
        "at least 60",
        "rooms",
        ALL,
        ("file / raw, %",),
        (Limit(60),),
    ),
    Goal(
        "round trip p50 of 64 bytes, two processes, us",
        "at most 150 on uvloop and trio",
        DATA,
        FOUND,
        ("round trip p50, us",),
        (Limit(150),),
        more_is_better=False,
        loops=("uvloop", "trio"),
    ),
    Goal(
        "set-up on loopback, from create_offer to the open channel, ms",
        "at most 5",
        DATA,
        FOUND,
        ("set-up, ms",),
        (Limit(5),),
        more_is_better=False,
        digits=1,
    ),
    Goal(
        "KiB RSS of a connected pair, idle",
        "under 260",
        DATA,
        FOUND,
        ("KiB RSS a pair, idle",),
        (Limit(260),),
        more_is_better=False,
    ),
    Goal(
        "the same, after 100 MB",
        "under 320",
        DATA,
        FOUND,
        ("after 100 MB",),
        (Limit(320),),
        more_is_better=False,
    ),
    Goal(
        "CPU of 50 idle pairs, %",
        "under 1",
        "scale",
        ALL,
        ("idle CPU of 50 pairs, %",),
        (Limit(1),),
        more_is_better=False,
        digits=2,
    ),
    Goal("MB/s, RTT 50 ms, 1 % loss", "at least 5", LINKS, LONG, ("RTT 50 ms, 1 %: MB/s",), (Limit(5),), digits=2),
    Goal("MB/s, RTT 100 ms, 2 % loss", "at least 3", LINKS, LONG, ("RTT 100 ms, 2 %: MB/s",), (Limit(3),), digits=2),
    Goal(
        "MB/s, RTT 50 ms, 40 Mbit/s, queue of 256 KiB",
        "at least 4.45: 95 % of the ceiling at 1,472 bytes",
        LINKS,
        LONG,
        ("RTT 50 ms, 40 Mbit/s: MB/s",),
        (Limit(4.45),),
        digits=2,
    ),
    Goal(
        "the same: queue p95, ms",
        "under 30",
        LINKS,
        LONG,
        ("RTT 50 ms, 40 Mbit/s: queue p95, ms",),
        (Limit(30),),
        more_is_better=False,
        digits=1,
    ),
    Goal(
        "ping p95 of 64 bytes beside a bulk transfer, 20 Mbit/s, RTT 20 ms, queue of 256 KiB, ms",
        "under 40",
        LINKS,
        LONG,
        ("RTT 20 ms, 20 Mbit/s: ping beside bulk p95, ms",),
        (Limit(40),),
        more_is_better=False,
        digits=1,
    ),
    Goal(
        "MB/s, Chromium to Python, one channel",
        "at least Chromium to Chromium",
        DATA,
        FOUND,
        ("MB/s, from Chromium",),
        (Limit(1, "chromium"),),
        digits=1,
    ),
    Goal(
        "MB/s, Python to Chromium, one channel",
        "at least Chromium to Chromium",
        DATA,
        FOUND,
        ("MB/s, to Chromium",),
        (Limit(1, "chromium"),),
        digits=1,
    ),
    Goal(
        "CPU of a byte, 10 GB over the least of 1 MB to 1 GB",
        "flat: at most 1.25",
        "growth",
        ALL,
        ("CPU s/GB, 10 GB",),
        (Limit(1.25),),
        more_is_better=False,
        digits=2,
        divided_by=("CPU s/GB, 1 MB", "CPU s/GB, 10 MB", "CPU s/GB, 100 MB", "CPU s/GB, 1 GB"),
    ),
    Goal(
        "CPU of a message, 100,000 queued over the least of 100 to 10,000",
        "flat: at most 1.25",
        "growth",
        ALL,
        ("CPU us a message, 100,000 queued",),
        (Limit(1.25),),
        more_is_better=False,
        digits=2,
        divided_by=tuple(f"CPU us a message, {count} queued" for count in ("100", "1,000", "10,000")),
    ),
    Goal(
        "CPU of a new connection, the last 50 of 500 over the first 50",
        "flat: at most 1.25",
        "scale",
        ALL,
        ("last tenth",),
        (Limit(1.25),),
        more_is_better=False,
        digits=2,
        divided_by=("CPU ms a pair, first tenth of 500",),
    ),
    Goal(
        "memory of a connection, the last 50 of 500 over the first 50",
        "flat: at most 1.25",
        "scale",
        ALL,
        ("last tenth, KiB",),
        (Limit(1.25),),
        more_is_better=False,
        digits=2,
        divided_by=("KiB RSS a pair, first tenth",),
    ),
)
"""What is wanted. A file, row and column that a benchmark does not write are "not measured"."""
