"""Writes docs/performance.md and its plots from benchmarks/results: ``python -m benchmarks.figures``.

In the page, what stands between ``<!-- results: NAME -->`` and ``<!-- end of NAME -->`` is made here, and made anew
each time; all else is written by people. A part of which nothing was measured stays empty, but for the table of goals.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.figures_data import LOOPS, read_results
from benchmarks.figures_goals import AT_1200, CPU, GOALS, goals_table
from benchmarks.figures_plots import Panel, Plot, draw, readable
from benchmarks.report import RESULTS, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.figures_data import Results

    Part: TypeAlias = Callable[[Results], list[str]]

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PLOTS_FOLDER = "performance"
"""Beside the page."""

PAYLOAD = 1128
"""Bytes of a message in a full packet of 1,200 bytes: 1,160 of SCTP, without its header and that of I-DATA."""

SCTP_CASE = "1160 B, zero checksum, I-DATA"
"""The same packet in `benchmarks.sctp_core`."""

PLOTS = (
    Plot(
        "throughput",
        "Throughput on loopback (longer is better)",
        (
            Panel("MB/s, one process", "data_channel", ("MB/s, one process",)),
            Panel("MB/s, two processes", "data_channel", ("MB/s, two processes",)),
            Panel("64-byte messages a second, one process", "data_channel", ("64-byte messages/s",)),
            Panel("MB/s, from Chromium to the stack", "data_channel", ("MB/s, from Chromium",)),
            Panel("MB/s, from the stack to Chromium", "data_channel", ("MB/s, to Chromium",)),
        ),
    ),
    Plot(
        "cpu",
        "CPU time to move a gigabyte (shorter is better)",
        (Panel("CPU seconds a GB", "data_channel", CPU, ("send", "receive")),),
    ),
    Plot(
        "latency",
        "Round trips and set-up on loopback (shorter is better)",
        (
            Panel("Round trip of 64 bytes, two processes, median, us", "data_channel", ("round trip p50, us",)),
            Panel("99th percentile, us", "data_channel", ("round trip p99, us",)),
            Panel("From create_offer to the open channel, ms", "data_channel", ("set-up, ms",)),
        ),
    ),
    Plot(
        "memory",
        "Memory of a connected pair (shorter is better)",
        (
            Panel("KiB, idle", "data_channel", ("KiB RSS a pair, idle",)),
            Panel("KiB, after 100 MB", "data_channel", ("after 100 MB",)),
        ),
    ),
    Plot(
        "long_links",
        "Long, lossy and narrow links",
        (
            Panel("RTT 50 ms, no loss: MB/s (longer is better)", "long_links", ("RTT 50 ms: MB/s",)),
            Panel("RTT 50 ms, 1 % loss: MB/s", "long_links", ("RTT 50 ms, 1 %: MB/s",)),
            Panel("RTT 100 ms, 2 % loss: MB/s", "long_links", ("RTT 100 ms, 2 %: MB/s",)),
            Panel("RTT 50 ms, 40 Mbit/s: MB/s", "long_links", ("RTT 50 ms, 40 Mbit/s: MB/s",)),
            Panel(
                "The same: wait in the queue, p95, ms (shorter is better)",
                "long_links",
                ("RTT 50 ms, 40 Mbit/s: queue p95, ms",),
            ),
            Panel(
                "RTT 20 ms, 20 Mbit/s: ping beside a transfer, p95, ms (shorter is better)",
                "long_links",
                ("RTT 20 ms, 20 Mbit/s: ping beside bulk p95, ms",),
            ),
        ),
    ),
    Plot(
        "media",
        "A track of VP8 pictures, 1280x720",
        (
            Panel(
                "CPU seconds a second outside the codec (shorter is better)", "media", ("CPU s/s outside the codec",)
            ),
            Panel("Age of a picture that is shown, median, ms (shorter is better)", "media", ("age p50, ms",)),
            Panel("2 % loss: pictures a second of 30 (longer is better)", "media", ("2 % loss: pictures/s",)),
        ),
    ),
)


def table(results: Results, source: str, *, turned: bool = False) -> list[str]:
    """All figures of a file; `turned` has a line for each column, for files with many."""
    rows = results.rows.get(source, {})
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines, heads = (columns, list(rows)) if turned else (list(rows), columns)
    if not rows:
        return []
    found = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for line in lines:
        places = [(head, line) if turned else (line, head) for head in heads]
        values = [results.value(source, row, column) for row, column in places]
        found.append(f"| {line} | " + " | ".join("-" if value is None else readable(value) for value in values) + " |")
    return found


def section(title: str, source: str, plots: Iterable[str], *intro: str, turned: bool = False) -> Part:
    """Make a part of the page: a heading, what the table is of, the plots of a file and its table."""

    def write_section(results: Results) -> list[str]:
        rows = table(results, source, turned=turned)
        if not rows:
            return []
        drawn = [plot for plot in PLOTS if plot.name in plots and draw(results, plot)]
        images = [f"![{plot.title}]({PLOTS_FOLDER}/{plot.name}.svg)" for plot in drawn]
        return [
            f"## {title}",
            "",
            *intro,
            *[""] * bool(intro),
            *(line for image in images for line in (image, "")),
            *rows,
        ]

    return write_section


def write_goals(results: Results) -> list[str]:
    """The table of goals."""
    return goals_table(results, GOALS)


def write_small_buffers(results: Results) -> list[str]:
    """Runs of `benchmarks.data_channel` under other limits of the system, which are files of their own."""
    sources = [source for source in results.rows if re.fullmatch(r"data_channel_.+", source)]
    lines: list[str] = []
    for source in sources:
        limit = int(results.machines[source].get("rmem_max", "0"))
        lines += [f"### With rmem_max {limit:,}", "", *write_buffers(results, source), "", *table(results, source), ""]
    return lines[:-1]


def write_buffers(results: Results, source: str) -> list[str]:
    """The buffers of sockets that were granted."""
    by_size: dict[tuple[int, int], list[str]] = {}
    for label, sizes in results.buffers.get(source, {}).items():
        by_size.setdefault(sizes, []).append(label)
    return [
        f"* socket buffers granted to {'; '.join(labels)}: receive {sizes[0]:,}, send {sizes[1]:,} bytes"
        for sizes, labels in by_size.items()
    ]


def write_machine(results: Results) -> list[str]:
    """Where the files come from."""
    lines: list[str] = []
    for name in ("cpu", "system", "python", "packages", "programs"):
        values = dict.fromkeys(machine[name] for machine in results.machines.values() if name in machine)
        lines += [f"* {name}: {value}" for value in values]
    lines += write_buffers(results, "data_channel")
    lines += [f"* {source}: {note}" for source, notes in results.notes.items() for note in notes]
    if not lines:
        return []
    lines = ["## Where it was measured", "", *lines]
    lines += ["", "| results | commit | rmem_max | load |", "|---|---|---|---|"]
    for source, machine in results.machines.items():
        cells = [machine.get(name, "-") for name in ("commit", "rmem_max", "load")]
        lines.append(f"| {source} | " + " | ".join(cells) + " |")
    return lines


def write_packet_cost(results: Results) -> list[str]:
    """How much of the CPU time of a packet the SCTP core takes."""
    core = results.value("sctp_core", SCTP_CASE, "microseconds per packet")
    whole = {loop: results.total("data_channel", AT_1200.format(loop=loop), CPU) for loop in LOOPS}
    costs = {loop: seconds * PAYLOAD / 1000 for loop, seconds in whole.items() if seconds is not None}
    if core is None or not costs:
        return []
    lines = [
        "### A packet of 1,200 bytes",
        "",
        "CPU microseconds at both ends together, in two processes, and what the SCTP core takes of that when it runs",
        "alone in a plain loop. The rest is DTLS, the system's network, the event loop and the layers between.",
        "",
        "| | the whole, us | SCTP core, us | share |",
        "|---|---|---|---|",
    ]
    return lines + [f"| {loop} | {cost:.1f} | {core:.1f} | {core / cost:.0%} |" for loop, cost in costs.items()]


PARTS: dict[str, Part] = {
    "goals": write_goals,
    "loopback": section("On loopback", "data_channel", ("throughput", "cpu", "latency", "memory")),
    "small buffers": write_small_buffers,
    "gigabyte": section(
        "A whole gigabyte between two processes", "gigabyte", (), "From the first message to the last; aiortc: 100 MB."
    ),
    "long links": section("Long links", "long_links", ("long_links",), turned=True),
    "fairness": section(
        "Beside other traffic",
        "fairness",
        (),
        "Two flows on a link of 20 Mbit/s, round trip 40 ms, with a queue of one bandwidth-delay product. Wanted is a",
        "share of 0.25 to 0.75 beside the kernel's TCP, and of 0.35 to 0.65 beside another data channel.",
    ),
    "rooms": section(
        "Rooms",
        "rooms",
        (),
        "Two members of a room, in a process each. Small messages go through a relay that delays them; each is",
        "acknowledged. The file is sent by `peerix send`, with checksums at both ends, beside a raw channel.",
        turned=True,
    ),
    "scale": section(
        "Many connections",
        "scale",
        (),
        "Connections that one process makes one after the other and keeps, pairs that do nothing, and rooms in which",
        "everybody connects with everybody, spread over so many processes.",
        turned=True,
    ),
    "growth": section(
        "What does not grow",
        "growth",
        (),
        "CPU time of both ends: for a GB, by how much there is in all, and for a message, by how many are queued at",
        "once.",
        turned=True,
    ),
    "media": section(
        "Sound and pictures",
        "media",
        ("media",),
        "A track of 1280x720 at 30 pictures a second; `benchmarks/media.py` says of each line how it is measured.",
        turned=True,
    ),
    "compiled": section(
        "The compiled core",
        "compiled",
        (),
        "The same source, where the modules that packets go through are compiled by mypyc: `make compiled`. It was",
        "tried, and is not what is shipped; no other table has it. One process, round trips in two.",
        turned=True,
    ),
    "layers": section(
        "By layer",
        "layers",
        (),
        "Percent of the time in which a process with both ends ran, by `python -m benchmarks.layers`. A sample counts",
        "for the innermost Python function, so a system call counts for sockets, and OpenSSL for DTLS.",
    ),
    "packet cost": write_packet_cost,
    "core": section(
        "The SCTP core alone",
        "sctp_core",
        (),
        "Two associations in a plain loop, no DTLS, no sockets, no event loop; by CPU time of the process.",
    ),
    "machine": write_machine,
}


def fill_in(page: str, results: Results) -> str:
    """Write all parts of the page anew.

    :raises ValueError: the page has a part that is not known, or one without an end.
    """
    pattern = re.compile(r"(<!-- results: (.+?) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
    names = re.findall(r"<!-- results: (.+?) -->", page)
    if names != [found[2] for found in pattern.finditer(page)]:
        raise ValueError("a part of the page has no end")
    if unknown := set(names) - PARTS.keys():
        raise ValueError(f"the page has parts that are not known: {', '.join(sorted(unknown))}")
    return pattern.sub(lambda found: found[1] + _body(PARTS[found[2]](results)) + found[3], page)


def _body(lines: list[str]) -> str:
    return "\n".join(["", *lines, "", ""]) if lines else ""


def write_plots(results: Results, folder: Path) -> None:
    """Draw what was measured; plots of what is not there any more go."""
    for plot in PLOTS:
        path = folder / f"{plot.name}.svg"
        if drawn := draw(results, plot):
            write(path, drawn)
        else:
            path.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Write the page and its plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="where the JSON files are")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="the page that is to be filled in")
    options = parser.parse_args(arguments)
    results = read_results(options.results)
    page = fill_in(options.page.read_text(encoding="utf-8"), results)
    write_plots(results, options.page.with_name(PLOTS_FOLDER))
    write(options.page, page)
    for goal in GOALS:
        print(f"{goal.verdict(results):40} {goal.what}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
