"""What RFC 8831 and 8832 say of ids that are free again, of long labels, and of opens that cannot be read."""

from __future__ import annotations

import pytest

from peerix.core.datachannel import ReadyState
from peerix.core.datachannel.dcep import PPID_DCEP
from peerix.core.errors import LocalProtocolError
from peerix.core.sctp import AssociationClosed, StreamsReset, StreamsResetDone
from tests.core.datachannel.test_channels import End, joined, pair
from tests.core.sctp.pairs import START


@pytest.mark.parametrize("first", [StreamsReset, StreamsResetDone])
def test_an_id_is_not_free_while_one_direction_is_open(first: type[StreamsReset | StreamsResetDone]) -> None:
    a, _, ours, _ = joined()
    assert ours.id is not None
    a.close(ours)
    second = StreamsResetDone if first is StreamsReset else StreamsReset
    a.channels.handle_events([first((ours.id,))], START)
    assert ours.state is ReadyState.CLOSING
    with pytest.raises(LocalProtocolError):
        a.open(negotiated=True, id=ours.id)
    a.channels.handle_events([second((ours.id,))], START)
    assert (ours.state.value, a.open(negotiated=True, id=ours.id).state) == ("closed", ReadyState.OPEN)


@pytest.mark.parametrize("option", ["label", "protocol"])
def test_a_label_is_limited_in_bytes_and_not_in_characters(option: str) -> None:
    a, _ = pair()
    a.open(**{option: "ü" * 32_767})
    with pytest.raises(LocalProtocolError):
        a.open(**{option: "ü" * 32_768})


def test_an_open_that_cannot_be_read_is_answered_by_a_reset() -> None:
    a, b = pair()
    a.association.send_message(4, PPID_DCEP, b"\x03short", now=START)
    seen: list[object] = []
    for _ in range(10):
        b.association.receive_packets(a.association.packets_to_send(START, 64), START)
        b.poll()
        a.association.receive_packets(b.association.packets_to_send(START, 64), START)
        seen += a.association.poll_events()
    assert StreamsReset((4,)) in seen


def test_what_was_sent_but_not_acknowledged_is_not_buffered() -> None:
    a, _, ours, _ = joined()
    a.send(ours, b"x" * 500)
    assert ours.buffered_amount == 500
    a.association.packets_to_send(START, 64)
    assert (ours.buffered_amount, ours.unacknowledged_amount) == (0, 500)


def test_nothing_is_buffered_by_opening_a_channel() -> None:
    a, _ = pair()
    channel = End.open(a, "a label that has to travel")
    a.association.packets_to_send(START, 64)
    assert channel.buffered_amount == 0


def test_a_channel_that_was_never_open_is_counted_neither_as_opened_nor_as_closed() -> None:
    end = End(1, is_client=True)
    end.close(end.open())
    assert (end.channels.opened, end.channels.left_open) == (0, 0)


def test_channels_are_no_longer_open_when_they_begin_to_close_or_their_association_ends() -> None:
    a, _, ours, _ = joined()
    a.open(negotiated=True, id=7)
    a.close(ours)
    assert (a.channels.opened, a.channels.left_open) == (2, 1)
    a.channels.handle_events([AssociationClosed("over", by_peer=True)], START)
    assert (a.channels.opened, a.channels.left_open) == (2, 2)
