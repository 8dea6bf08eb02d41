"""The scoreboard of chunks that were sent."""

from __future__ import annotations

import sys

from peerix.core.sctp.messages import OutboundMessage, OutboundStream
from peerix.core.sctp.outstanding import Outstanding


def test_a_window_of_chunks_that_is_acknowledged_leaves_no_memory_behind() -> None:
    message = OutboundMessage(OutboundStream(0), 53, b"data", 0, None)
    outstanding = Outstanding(1)
    empty = sys.getsizeof(outstanding.chunks)
    for _ in range(1000):
        outstanding.add_settled(message, 0.0)
    outstanding.acknowledge(999, ())
    assert sys.getsizeof(outstanding.chunks) > 10_000
    outstanding.acknowledge(1000, ())
    assert sys.getsizeof(outstanding.chunks) <= empty
