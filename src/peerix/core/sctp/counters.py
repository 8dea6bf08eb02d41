"""Plain counts of one association, for statistics and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class SentCounters:
    """What went out."""

    packets: int = 0
    messages: int = 0
    message_bytes: int = 0
    chunks: int = 0
    retransmitted_chunks: int = 0
    abandoned_messages: int = 0
    fast_recoveries: int = 0
    timeouts: int = 0
    tail_probes: int = 0
    reneged: int = 0


@dataclass(slots=True)
class ReceivedCounters:
    """What came in, and what of it was dropped."""

    packets: int = 0
    messages: int = 0
    message_bytes: int = 0
    sacks: int = 0
    duplicate_chunks: int = 0
    bad_checksums: int = 0
    bad_tags: int = 0
    malformed: int = 0
    refused_chunks: int = 0


@dataclass(slots=True)
class Counters:
    """Both directions."""

    sent: SentCounters = field(default_factory=SentCounters)
    received: ReceivedCounters = field(default_factory=ReceivedCounters)
