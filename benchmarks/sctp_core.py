"""The SCTP core by itself: two associations in a plain loop, no DTLS, no sockets, no event loop.

Time is CPU time of this process, so that a busy machine spoils little.

`python -m benchmarks.sctp_core [--json FILE] [--seconds N]`
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import describe_machine
from peerix.core.sctp import Association, MessageReceived, MessagesReceived, SctpConfig

PACKETS_PER_FLUSH = 64
HIGH_WATER = 4_194_304


@dataclass(slots=True)
class Case:
    """What is measured."""

    name: str
    packet_size: int
    message_size: int
    loss: float = 0.0
    streams: int = 1
    zero_checksum: bool = False
    interleaving: bool = False


@dataclass(slots=True)
class Figure:
    """What came out."""

    case: Case
    megabytes_per_second: float
    messages_per_second: float
    microseconds_per_packet: float
    retransmitted: int
    timeouts: int


CASES = [
    Case(f"{size} B{name}", size, 65_536, zero_checksum=zero, interleaving=interleaved)
    for size in (1160, 8900, 16_000)
    for name, zero, interleaved in (("", False, False), (", zero checksum, I-DATA", True, True))
]
CASES += [
    Case("1160 B, 1 % loss", 1160, 65_536, loss=0.01),
    Case("16000 B, 1 % loss", 16_000, 65_536, loss=0.01),
    Case("64-byte messages", 1160, 64),
    Case("64-byte messages, 16 streams, I-DATA", 1160, 64, streams=16, interleaving=True),
    Case("64-byte messages, 16000 B", 16_000, 64),
]


def connect(case: Case) -> tuple[Association, Association]:
    """Make two associations that know each other."""
    config = SctpConfig(zero_checksum=case.zero_checksum, interleaving=case.interleaving, path_mtu_discovery=False)
    a = Association(random_bytes=os.urandom, max_packet_size=case.packet_size, config=config)
    b = Association(random_bytes=os.urandom, max_packet_size=case.packet_size, config=config)
    now = time.monotonic()
    a.connect(now)
    b.connect(now)
    for _ in range(4):
        b.receive_packets(a.packets_to_send(now, PACKETS_PER_FLUSH), now)
        a.receive_packets(b.packets_to_send(now, PACKETS_PER_FLUSH), now)
    a.poll_events()
    b.poll_events()
    return a, b


def measure(case: Case, seconds: float) -> Figure:
    """Send one way for so many seconds."""
    a, b = connect(case)
    message = os.urandom(case.message_size)
    chance = random.Random(7)
    received = messages = turn = 0
    fill = min(HIGH_WATER, 64 * max(case.message_size, 1024)) // case.message_size
    start, cpu_start = time.perf_counter(), time.process_time()
    now = start
    while now - start < seconds:
        now = time.perf_counter()
        for _ in range(fill - a.total_buffered // case.message_size):
            a.send_message(turn % case.streams, 53, message, now=now)
            turn += 1
        packets = a.packets_to_send(now, PACKETS_PER_FLUSH)
        if case.loss:
            packets = [packet for packet in packets if chance.random() >= case.loss]
        b.receive_packets(packets, now)
        for event in b.poll_events():
            if isinstance(event, MessageReceived):
                received += len(event.data)
                messages += 1
                b.release(len(event.data))
            elif isinstance(event, MessagesReceived):
                size = sum(map(len, event.messages))
                received += size
                messages += len(event.messages)
                b.release(size)
        a.receive_packets(b.packets_to_send(now, PACKETS_PER_FLUSH), now)
        for association in (a, b):
            deadline = association.next_timeout()
            if deadline is not None and deadline <= now:
                association.handle_timeout(now)
    elapsed = time.process_time() - cpu_start
    sent = a.counters.sent
    return Figure(
        case,
        received / elapsed / 1e6,
        messages / elapsed,
        elapsed / max(sent.packets, 1) * 1e6,
        sent.retransmitted_chunks,
        sent.timeouts,
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each case; the best of three runs counts")
    options = parser.parse_args()
    figures: list[Figure] = []
    print(f"{'case':40} {'MB/s':>8} {'messages/s':>11} {'us/packet':>10} {'resent':>7}")
    for case in CASES:
        runs = [measure(case, options.seconds) for _ in range(3)]
        figure = max(runs, key=lambda run: run.megabytes_per_second)
        figures.append(figure)
        print(
            f"{case.name:40} {figure.megabytes_per_second:8.1f} {figure.messages_per_second:11,.0f}"
            f" {figure.microseconds_per_packet:10.2f} {figure.retransmitted:7}"
        )
    if options.json is not None:
        content = {"machine": describe_machine(), "figures": [asdict(figure) for figure in figures]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
