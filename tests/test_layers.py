"""Samples of a profiler, counted by layer."""

from __future__ import annotations

import pytest

from benchmarks.layers import jobs, layer_of, sample, shares

STACKS = """\
run_job (/p/benchmarks/process.py:33);run (/p/anyio/_core/_eventloop.py:83);_read (/p/src/peerix/rtc/udp_port.py:9) 30
run_job (/p/benchmarks/process.py:33);_flush (/p/src/peerix/rtc/pump.py:9);send (/p/OpenSSL/SSL.py:1) 50
<module> (/p/benchmarks/worker.py:1);_find (<frozen importlib._bootstrap>:9);read (/p/src/peerix/core/sctp/wire.py:1) 99
run_job (/p/benchmarks/process.py:33);<lambda> (<string>:1) 20
"""


def test_a_sample_counts_for_the_innermost_function_and_start_up_not_at_all() -> None:
    assert shares(STACKS) == {"sockets": 30, "DTLS": 50, "other": 20}


@pytest.mark.parametrize(
    ("place", "layer"),
    [
        ("peerix/core/session/media/transport.py", "RTP"),
        ("peerix/core/session/session.py", "session"),
        ("peerix/rtc/datagram_socket.py", "sockets"),
        ("peerix/rtc/data_channel.py", "connection objects"),
        ("asyncio/base_events.py", "event loop"),
    ],
)
def test_layers_are_told_by_file(place: str, layer: str) -> None:
    assert layer_of(f"work (/somewhere/{place}:12)") == layer


@pytest.mark.slow
def test_a_process_is_sampled() -> None:
    found = sample(jobs("asyncio", quick=True)["messages of 64 KiB"])
    assert sum(found.values()) == pytest.approx(100)
    assert found["SCTP"] > 5
