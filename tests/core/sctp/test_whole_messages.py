"""Messages that have a packet each are written and taken in runs, as if each had been written and read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import Association, MessagesReceived, SctpConfig
from tests.core.sctp.pairs import START, Pair, connected, exchange, received
from tests.core.sctp.test_middle_fragments import outcome, runs_of
from tests.core.sctp.test_reassembly import WideOpen
from tests.support.simnet import Link

BOTH = pytest.mark.parametrize("interleaving", [False, True])
FULL = 1100
"""Bytes of a message whose packet has no room for a part of the next one."""

SIZES = st.lists(st.sampled_from([1, 40, 800, 867, 868, 1099, FULL, FULL, FULL, 1128, 1129, 2500]), max_size=25)


def pair(*, interleaving: bool, foretold: bool = True) -> tuple[Association, Association]:
    """Two ends that have used stream 0. With checksums nothing is foretold: every packet is read."""
    config = SctpConfig(
        congestion_control=WideOpen, interleaving=interleaving, zero_checksum=foretold, path_mtu_discovery=False
    )
    a, b = connected(config)
    a.send_message(0, 53, b"first", now=START)
    exchange(a, b)
    b.poll_events()
    b.release(5)
    return a, b


def queue(a: Association, sizes: list[int]) -> list[bytes]:
    messages = [bytes([number]) * size for number, size in enumerate(sizes)]
    for data in messages:
        a.send_message(0, 53, data, now=START)
    return messages


@BOTH
@settings(max_examples=60, deadline=None)
@given(sizes=SIZES)
def test_packets_written_in_runs_are_those_written_one_by_one(interleaving: bool, sizes: list[int]) -> None:
    written: list[list[bytes]] = []
    for most in (1000, 1):
        a, _ = pair(interleaving=interleaving)
        queue(a, sizes)
        packets: list[bytes] = []
        while some := a.packets_to_send(START, most):
            packets += some
        written.append(packets)
    assert written[0] == written[1]


@BOTH
@settings(max_examples=60, deadline=None)
@given(
    sizes=SIZES,
    batches=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    lost=st.sets(st.integers(0, 25), max_size=3),
    repeated=st.sets(st.integers(0, 25), max_size=3),
)
def test_runs_give_what_reading_gives(
    interleaving: bool, sizes: list[int], batches: list[int], lost: set[int], repeated: set[int]
) -> None:
    outcomes: list[object] = []
    for foretold in (True, False):
        a, b = pair(interleaving=interleaving, foretold=foretold)
        queue(a, sizes)
        arriving: list[bytes] = []
        for place, packet in enumerate(a.packets_to_send(START, 1000)):
            arriving += [packet] * ((place not in lost) + (place in repeated))
        start, seen = 0, []
        for number in range(len(arriving)):
            size = batches[number % len(batches)]
            b.receive_packets(arriving[start : start + size], START)
            seen.append(outcome(b))
            start += size
        outcomes.append(seen)
    assert outcomes[0] == outcomes[1]


@BOTH
def test_a_run_is_one_event_and_none_of_its_packets_is_read(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    messages = queue(a, [FULL] * 20)
    packets = a.packets_to_send(START, 1000)
    assert runs_of(b).whole.receive(packets, 0) == 20
    assert b.poll_events() == [MessagesReceived(0, 53, messages)]


@BOTH
@pytest.mark.parametrize("limit", [0, 10])
def test_a_run_is_no_longer_than_the_flush(interleaving: bool, limit: int) -> None:
    a, _ = pair(interleaving=interleaving)
    queue(a, [FULL] * 11)
    assert len(a.packets_to_send(START, limit)) == limit
    assert len(a.packets_to_send(START, 1000)) == 11 - limit


@BOTH
def test_a_small_message_shares_the_packet_of_the_last_one(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    messages = queue(a, [FULL, FULL, FULL, 4])
    packets = a.packets_to_send(START, 1000)
    assert len(packets) == 3
    b.receive_packets(packets, START)
    assert [message.data for message in received(b)] == messages


@BOTH
def test_a_run_stops_where_the_window_ends(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    queue(a, [FULL] * 40)
    packets = a.packets_to_send(START, 1000)
    b.set_receive_limit(20_000)
    b.hold(1)
    end = runs_of(b).whole.receive(packets, 0)
    assert 15 < end < 20
    assert runs_of(b).whole.receive(packets, end) == end


@BOTH
def test_packets_that_are_cut_short_are_no_run(interleaving: bool) -> None:
    a, b = pair(interleaving=interleaving)
    queue(a, [FULL] * 2)
    packets = a.packets_to_send(START, 1000)
    for size in range(60):
        assert runs_of(b).whole.receive([packet[:size] for packet in packets], 0) == 0


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_messages_that_have_a_packet_each_arrive_once_whatever_the_path_does(interleaving: bool, seed: int) -> None:
    link = Link(latency=0.02, loss=0.1, duplication=0.1, jitter=0.03)
    config = SctpConfig(interleaving=interleaving, path_mtu_discovery=False)
    path = Pair(link, config=config, seed=seed).connect(seconds=60)
    a = path.a.association
    messages = [number.to_bytes(4, "big") * (FULL // 4) for number in range(400)]
    for data in messages:
        a.send_message(0, 53, data, now=path.now)
    assert path.run(300, lambda: not a._outbound.outstanding.is_waiting and not a.total_buffered)
    assert [data for _, data in path.b.messages] == messages
    assert a.outstanding_bytes == a.unacknowledged_amount(0) == 0


def test_messages_are_queued_together_or_not_at_all() -> None:
    a, b = pair(interleaving=True)
    with pytest.raises(LocalProtocolError):
        a.put_all(0, 53, [b"one", b""])
    assert a.total_buffered == 0
    a.put_all(0, 53, [])
    a.put_all(0, 53, [b"one", b"two"])
    assert a.total_buffered == 6
    exchange(a, b)
    assert b.poll_events() == [MessagesReceived(0, 53, [b"one", b"two"])]
