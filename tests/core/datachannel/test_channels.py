"""Data channels over two associations whose packets arrive at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from peerix.core.datachannel import (
    Channel,
    ChannelClosed,
    ChannelClosing,
    ChannelError,
    ChannelEvent,
    ChannelMessage,
    ChannelMessages,
    ChannelOpened,
    ChannelReceived,
    DataChannels,
    ReadyState,
)
from peerix.core.errors import LocalProtocolError, MessageTooLarge
from tests.core.sctp.pairs import START, association

if TYPE_CHECKING:
    from peerix.core.sctp import Association


class End:
    def __init__(self, seed: int, *, is_client: bool) -> None:
        self.association: Association = association(seed)
        self.channels = DataChannels(self.association)
        self.channels.set_role(is_dtls_client=is_client)
        self.events: list[ChannelEvent] = []

    def open(self, label: str = "chat", **options: Any) -> Channel:
        return self.channels.open(label, now=START, **options)

    def send(self, channel: Channel, data: str | bytes) -> None:
        self.channels.send(channel, data, START)

    def close(self, channel: Channel) -> None:
        self.channels.close(channel, START)

    def poll(self) -> None:
        for received in self.association.poll_events():
            self.channels.handle_events([received], START)
        for event in self.channels.poll_events():
            if isinstance(event, ChannelMessages):
                self.events += [ChannelMessage(event.channel, data, len(data)) for data in event.messages]
            else:
                self.events.append(event)

    def take(self) -> list[ChannelEvent]:
        self.poll()
        taken, self.events = self.events, []
        return taken


def flush(a: End, b: End) -> None:
    for _ in range(1000):
        there = a.association.packets_to_send(START, 64)
        b.association.receive_packets(there, START)
        b.poll()
        back = b.association.packets_to_send(START, 64)
        a.association.receive_packets(back, START)
        a.poll()
        if not there and not back:
            return


def pair() -> tuple[End, End]:
    a, b = End(1, is_client=True), End(2, is_client=False)
    a.association.connect(START)
    flush(a, b)
    return a, b


def joined(**options: Any) -> tuple[End, End, Channel, Channel]:
    a, b = pair()
    ours = a.open(**options)
    flush(a, b)
    a.take()
    (received,) = b.take()
    assert isinstance(received, ChannelReceived)
    return a, b, ours, received.channel


def held(end: End) -> int:
    return end.association._window.held


def states(*channels: Channel) -> list[ReadyState]:
    return [channel.state for channel in channels]


def test_a_channel_is_open_on_both_sides_after_one_message() -> None:
    a, b = pair()
    channel = a.open("chat", protocol="p", priority=512)
    assert a.take() == [ChannelOpened(channel)]
    flush(a, b)
    (received,) = b.take()
    assert isinstance(received, ChannelReceived)
    theirs = received.channel
    assert (theirs.label, theirs.protocol, theirs.priority, theirs.id) == ("chat", "p", 512, channel.id)
    assert states(channel, theirs) == [ReadyState.OPEN] * 2


def test_the_dtls_client_takes_even_ids_and_the_server_odd_ones() -> None:
    a, b = pair()
    a.open(negotiated=True, id=0)
    assert [a.open().id for _ in range(2)] == [2, 4]
    assert [b.open().id for _ in range(2)] == [1, 3]


def test_a_channel_asked_for_early_opens_when_the_association_is_up() -> None:
    a, b = End(1, is_client=True), End(2, is_client=False)
    channel = a.open()
    assert a.take() == []
    assert channel.state is ReadyState.CONNECTING
    a.association.connect(START)
    flush(a, b)
    assert a.take() == [ChannelOpened(channel)]
    assert isinstance(b.take()[0], ChannelReceived)


def test_ids_are_given_when_the_role_is_known() -> None:
    channels = DataChannels(association())
    first = channels.open("first", now=START)
    second = channels.open("second", now=START)
    assert (first.id, second.id) == (None, None)
    channels.set_role(is_dtls_client=False)
    assert (first.id, second.id) == (1, 3)


def test_a_negotiated_channel_says_nothing_on_the_wire() -> None:
    a, b = pair()
    ours, theirs = a.open(negotiated=True, id=7), b.open(negotiated=True, id=7)
    assert a.association.packets_to_send(START, 8) == []
    a.send(ours, b"hello")
    flush(a, b)
    assert b.take()[-1] == ChannelMessage(theirs, b"hello", 5)


@pytest.mark.parametrize("size", [0, 1, 65_535])
def test_labels_are_counted_in_bytes(size: int) -> None:
    a, b = pair()
    label = "ü" * (size // 2) + "x" * (size % 2)
    channel = a.open(label)
    flush(a, b)
    (received,) = b.take()
    assert isinstance(received, ChannelReceived)
    assert received.channel.label == channel.label == label


@pytest.mark.parametrize(
    "options",
    [
        {"negotiated": True},
        {"id": 3},
        {"negotiated": True, "id": 1024},
        {"negotiated": True, "id": -1},
        {"max_retransmits": 1, "max_packet_life_time": 1},
        {"max_retransmits": -1},
        {"max_packet_life_time": 1 << 32},
        {"priority": 70_000},
        {"label": "ü" * 32_768},
        {"protocol": "x" * 65_536},
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    a, _ = pair()
    with pytest.raises(LocalProtocolError):
        a.channels.open(str(options.pop("label", "")), now=START, **options)


def test_an_id_in_use_is_refused() -> None:
    a, _ = pair()
    a.open(negotiated=True, id=7)
    with pytest.raises(LocalProtocolError, match="7"):
        a.open(negotiated=True, id=7)


@pytest.mark.parametrize("message", ["text", "schön 🎉", b"bytes", "", b"", b"x" * 60_000])
def test_messages_arrive_as_what_they_were_sent(message: str | bytes) -> None:
    a, b, ours, theirs = joined()
    a.send(ours, message)
    flush(a, b)
    size = len(message.encode()) if isinstance(message, str) else len(message)
    assert b.take() == [ChannelMessage(theirs, message, size)]
    assert held(b) == size


def test_messages_of_a_received_channel_come_back() -> None:
    a, b, ours, theirs = joined()
    b.send(theirs, "answer")
    flush(a, b)
    assert a.take() == [ChannelMessage(ours, "answer", 6)]


def test_unordered_messages_go_in_order_until_the_open_was_acknowledged() -> None:
    a, b = pair()
    channel = a.open(ordered=False)
    a.send(channel, b"early")
    stream = a.association._outbound.queue.streams[0]
    assert [message[2] for message in stream.messages if isinstance(message, tuple)] == [0, 0]
    flush(a, b)
    a.send(channel, b"late")
    assert [message[2] for message in stream.messages if isinstance(message, tuple)] == [4]


def test_any_message_of_the_peer_confirms_a_channel() -> None:
    a, b = pair()
    channel = a.open(ordered=False)
    b.association.receive_packets(a.association.packets_to_send(START, 8), START)
    b.poll()
    acknowledged = [event for event in b.take() if isinstance(event, ChannelReceived)]
    b.send(acknowledged[0].channel, b"x")
    flush(a, b)
    assert channel.confirmed


def test_reliability_reaches_the_association_in_its_units() -> None:
    a, _, ours, theirs = joined(max_packet_life_time=1_500)
    a.send(ours, b"x")
    message = a.association._outbound.queue.streams[0].messages[0]
    assert not isinstance(message, tuple)
    limits = message.limits
    assert limits is not None
    assert (limits.max_retransmits, limits.expires_at) == (None, START + 1.5)
    assert theirs.max_packet_life_time == 1_500


def test_a_message_above_the_limit_of_the_peer_is_refused() -> None:
    a, _, ours, _ = joined()
    a.channels.max_message_size = 10
    a.send(ours, b"x" * 10)
    with pytest.raises(MessageTooLarge, match="11 bytes"):
        a.send(ours, "x" * 11)


def test_messages_that_are_sent_together_are_messages_of_their_own() -> None:
    a, b, ours, _ = joined()
    a.channels.send_all(ours, [b"one", b"two", b"x" * 5000], START)
    flush(a, b)
    assert [event.data for event in b.take() if isinstance(event, ChannelMessage)] == [b"one", b"two", b"x" * 5000]


def test_of_messages_that_are_sent_together_one_above_the_limit_stops_all() -> None:
    a, _, ours, _ = joined()
    a.channels.max_message_size = 10
    with pytest.raises(MessageTooLarge, match="11 bytes"):
        a.channels.send_all(ours, [b"x" * 10, b"x" * 11], START)
    assert ours.buffered_amount == 0


def test_messages_are_not_sent_together_before_the_channel_is_open() -> None:
    end = End(1, is_client=True)
    with pytest.raises(LocalProtocolError):
        end.channels.send_all(end.open(), [b"x"], START)


def test_a_peer_that_says_nothing_takes_64_kib() -> None:
    a, _, ours, _ = joined()
    a.send(ours, bytes(65_536))
    with pytest.raises(MessageTooLarge):
        a.send(ours, bytes(65_537))


def test_no_limit_is_announced_as_zero() -> None:
    a, _, ours, _ = joined()
    a.channels.max_message_size = 0
    a.send(ours, bytes(1_000_000))


def test_the_buffered_amount_is_what_has_not_left() -> None:
    a, b, ours, _ = joined()
    a.send(ours, bytes(60_000))
    assert ours.buffered_amount == ours.unacknowledged_amount == 60_000
    flush(a, b)
    assert ours.buffered_amount == ours.unacknowledged_amount == 0


def test_text_that_is_not_utf_8_closes_the_channel_and_is_released() -> None:
    a, b, ours, theirs = joined()
    a.association.send_message(0, 51, b"\xff\xfe", now=START)
    flush(a, b)
    error = b.take()[0]
    assert isinstance(error, ChannelError)
    assert "UTF-8" in str(error.error)
    assert states(ours, theirs) == [ReadyState.CLOSED] * 2
    assert held(b) == 0


def test_half_a_surrogate_pair_does_not_close_it() -> None:
    a, b, ours, theirs = joined()
    a.send(ours, "a\ud800b")
    flush(a, b)
    assert b.take() == [ChannelMessage(theirs, "a\ufffdb", 5)]


def test_closing_is_seen_by_the_peer_and_ends_both() -> None:
    a, b, ours, theirs = joined()
    a.close(ours)
    assert ours.state is ReadyState.CLOSING
    flush(a, b)
    assert b.take() == [ChannelClosing(theirs), ChannelClosed(theirs)]
    assert a.take() == [ChannelClosed(ours)]


def test_what_was_sent_before_closing_arrives() -> None:
    a, b, ours, theirs = joined()
    for _ in range(20):
        a.send(ours, bytes(60_000))
    a.close(ours)
    flush(a, b)
    events = b.take()
    assert len([event for event in events if isinstance(event, ChannelMessage)]) == 20
    assert events[-1] == ChannelClosed(theirs)


def test_closing_from_both_sides_at_once_ends_both() -> None:
    a, b, ours, theirs = joined()
    a.close(ours)
    b.close(theirs)
    flush(a, b)
    assert a.take() == [ChannelClosed(ours)]
    assert b.take() == [ChannelClosed(theirs)]


def test_an_id_is_used_again_after_both_directions_were_reset() -> None:
    a, b, ours, _ = joined()
    for turn in range(5):
        used = ours.id
        a.send(ours, b"x")
        a.close(ours)
        assert a.open(f"other {turn}").id != used
        flush(a, b)
        ours = a.open(f"again {turn}")
        assert ours.id == used
        flush(a, b)


def test_a_channel_closed_before_it_opened_is_just_gone() -> None:
    a, b = End(1, is_client=True), End(2, is_client=False)
    channel = a.open()
    a.close(channel)
    a.association.connect(START)
    flush(a, b)
    assert a.take() == [ChannelClosed(channel)]
    assert b.take() == []


def test_nothing_can_be_sent_on_a_closing_channel() -> None:
    a, _, ours, _ = joined()
    a.close(ours)
    with pytest.raises(LocalProtocolError, match="closing"):
        a.send(ours, b"late")


def test_what_arrives_on_a_closing_channel_is_released() -> None:
    a, b, ours, theirs = joined()
    b.send(theirs, b"late")
    late = b.association.packets_to_send(START, 8)
    a.close(ours)
    a.association.receive_packets(late, START)
    assert a.take() == []
    assert held(a) == 0


def test_messages_on_unknown_streams_are_dropped_and_released() -> None:
    a, b = pair()
    b.association.send_message(9, 53, b"stray", now=START)
    flush(a, b)
    assert a.take() == []
    assert (a.channels.dropped, held(a)) == (1, 0)


def test_an_open_on_a_stream_in_use_leaves_what_is_there() -> None:
    a, b, ours, theirs = joined()
    a.association.send_message(0, 50, bytes.fromhex("030001000000000000010000") + b"x", now=START)
    flush(a, b)
    assert b.take() == []
    a.send(ours, b"still here")
    flush(a, b)
    assert b.take() == [ChannelMessage(theirs, b"still here", 10)]


def test_a_malformed_open_resets_its_stream() -> None:
    a, b = pair()
    a.association.send_message(4, 50, b"\x03short", now=START)
    flush(a, b)
    assert b.take() == []
    assert b.channels.dropped == 1
    assert a.open(negotiated=True, id=4).state is ReadyState.OPEN


def test_unknown_payload_identifiers_are_dropped() -> None:
    a, b, _, _ = joined()
    for ppid in (0, 49, 52, 54, 55, 58):
        a.association.send_message(0, ppid, b"x", now=START)
    flush(a, b)
    assert b.take() == []
    assert (b.channels.dropped, held(b)) == (6, 0)


def test_the_end_of_the_association_closes_all_channels() -> None:
    a, b, ours, theirs = joined()
    a.association.abort("done", START)
    flush(a, b)
    assert a.take() == [ChannelClosed(ours)]
    assert b.take() == [ChannelClosed(theirs)]
    assert a.channels.channels == []


def test_running_out_of_ids_is_an_error_of_that_channel_only() -> None:
    a, _ = pair()
    channels = [a.open() for _ in range(512)]
    a.take()
    extra = a.open()
    error, closed = a.take()
    assert isinstance(error, ChannelError)
    assert closed == ChannelClosed(extra)
    assert set(states(*channels)) == {ReadyState.OPEN}


def test_a_thousand_channels_work() -> None:
    a, b = pair()
    channels = [a.open(str(number)) for number in range(512)]
    channels += [b.open(str(number)) for number in range(512)]
    flush(a, b)
    for number, channel in enumerate(channels):
        (a if number < 512 else b).send(channel, str(number))
    flush(a, b)
    got = [event.data for end in (a, b) for event in end.take() if isinstance(event, ChannelMessage)]
    assert sorted(map(str, got), key=int) == [str(number) for number in range(1024)]


def test_only_open_ordered_and_reliable_channels_have_a_plain_limit() -> None:
    a, b, ours, theirs = joined()
    assert (ours.plain_limit, theirs.plain_limit) == (a.channels.max_message_size, b.channels.max_message_size)
    a.channels.max_message_size = 10
    assert ours.plain_limit == 10
    a.channels.max_message_size = 0
    assert ours.plain_limit > 2**60
    a.close(ours)
    assert ours.plain_limit == 0
    b.channels.max_message_size = 10
    flush(a, b)
    assert theirs.plain_limit == 0


@pytest.mark.parametrize("options", [{"ordered": False}, {"max_retransmits": 3}, {"max_packet_life_time": 50}])
def test_other_channels_have_none(options: dict[str, Any]) -> None:
    _, _, ours, theirs = joined(**options)
    assert ours.plain_limit == theirs.plain_limit == 0
