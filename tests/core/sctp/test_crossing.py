"""What crosses on the way, and what is said at once."""

from __future__ import annotations

from peerix.core.sctp import SctpConfig, StreamsReset, StreamsResetDone
from tests.core.sctp.pairs import START, connected, exchange, received


def test_requests_to_reset_that_cross_are_both_granted() -> None:
    a, b = connected()
    a.send_message(1, 53, b"x", now=START)
    b.send_message(1, 53, b"y", now=START)
    exchange(a, b)
    for end in (a, b):
        end.poll_events()
        end.reset_streams([1], START)
    from_a, from_b = a.packets_to_send(START, 8), b.packets_to_send(START, 8)
    b.receive_packets(from_a, START)
    a.receive_packets(from_b, START)
    exchange(a, b)
    for end in (a, b):
        events = [event for event in end.poll_events() if isinstance(event, StreamsReset | StreamsResetDone)]
        assert sorted(map(repr, events)) == ["StreamsReset(stream_ids=(1,))", repr(StreamsResetDone((1,)))]


def test_a_reader_that_has_read_tells_the_sender_at_once() -> None:
    a, b = connected(b_config=SctpConfig(receive_limit=100_000))
    for _ in range(50):
        a.send_message(0, 53, bytes(10_000), now=START)
    exchange(a, b)
    unread = sum(len(message.data) for message in received(b))
    assert 0 < unread < 500_000
    b.release(unread)
    news = b.packets_to_send(START, 8)
    assert news
    a.receive_packets(news, START)
    assert a.packets_to_send(START, 8)
