"""When SACKs leave, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.sctp.chunks import SACK, Sack, read_chunk, read_sack
from tests.core.sctp.pairs import START, connected

if TYPE_CHECKING:
    from peerix.core.sctp import Association


def sacks(end: Association, now: float = START) -> list[Sack]:
    found: list[Sack] = []
    for packet in end.packets_to_send(now, 64):
        chunk = read_chunk(packet, 12)
        assert chunk is not None
        if chunk[0] == SACK:
            sack = read_sack(chunk[2])
            assert sack is not None
            found.append(sack)
    return found


def data_packets(a: Association, count: int) -> list[bytes]:
    for _ in range(count):
        a.send_message(0, 53, bytes(1000), now=START)
    packets = a.packets_to_send(START, 64)
    assert len(packets) == count
    return packets


def test_a_lone_packet_is_acknowledged_after_200_ms() -> None:
    a, b = connected()
    b.receive_packets(data_packets(a, 1), START)
    assert sacks(b) == []
    deadline = b.next_timeout()
    assert deadline is not None
    assert deadline == START + 0.2
    b.handle_timeout(deadline)
    assert len(sacks(b, deadline)) == 1


def test_the_second_packet_is_acknowledged_at_once() -> None:
    a, b = connected()
    first, second = data_packets(a, 2)
    b.receive_packets([first], START)
    assert sacks(b) == []
    b.receive_packets([second], START)
    assert len(sacks(b)) == 1


def test_a_batch_is_acknowledged_once() -> None:
    a, b = connected()
    b.receive_packets(data_packets(a, 10), START)
    assert len(sacks(b)) == 1
    assert sacks(b) == []


def test_the_i_bit_asks_for_an_answer_at_once() -> None:
    a, b = connected()
    packet = bytearray(data_packets(a, 1)[0])
    packet[13] |= 8
    b.receive_packets([bytes(packet)], START)
    assert len(sacks(b)) == 1


def test_a_gap_is_told_at_once() -> None:
    a, b = connected()
    packets = data_packets(a, 6)
    b.receive_packets([packets[0]], START)
    b.receive_packets([packets[2]], START)
    (sack,) = sacks(b)
    assert list(sack.gaps) == [2, 2]
    b.receive_packets([packets[4], packets[5]], START)
    (sack,) = sacks(b)
    assert list(sack.gaps) == [2, 2, 4, 5]


def test_a_filled_gap_is_told_at_once() -> None:
    a, b = connected()
    packets = data_packets(a, 3)
    b.receive_packets([packets[0], packets[2]], START)
    (before,) = sacks(b)
    b.receive_packets([packets[1]], START)
    (sack,) = sacks(b)
    assert (sack.cumulative_tsn - before.cumulative_tsn) & 0xFFFFFFFF == 2
    assert list(sack.gaps) == []


def test_a_duplicate_is_told_at_once() -> None:
    a, b = connected()
    packets = data_packets(a, 2)
    b.receive_packets(packets, START)
    sacks(b)
    b.receive_packets([packets[1]], START)
    (sack,) = sacks(b)
    assert list(sack.duplicates) == [sack.cumulative_tsn]
    assert b.counters.received.duplicate_chunks == 1


def test_a_sack_goes_along_with_data() -> None:
    a, b = connected()
    b.receive_packets(data_packets(a, 1), START)
    b.send_message(0, 53, b"answer", now=START)
    packets = b.packets_to_send(START, 64)
    assert len(packets) == 1
    assert packets[0][12] == SACK


def test_the_window_told_is_what_is_left() -> None:
    a, b = connected()
    b.set_receive_limit(100_000)
    b.receive_packets(data_packets(a, 10), START)
    (sack,) = sacks(b)
    assert sack.advertised_rwnd == 90_000
