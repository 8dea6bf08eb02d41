"""Whose packets an association takes: those with its tag (RFC 9260 8.5)."""

from __future__ import annotations

import pytest

from peerix.core.sctp import Association, AssociationState
from peerix.core.sctp.chunks import ABORT, FLAG_TAG_REFLECTED, SHUTDOWN_ACK, write_chunk
from peerix.core.sctp.wire import write_packet
from tests.core.sctp.pairs import START, connected, exchange, received


def tags(association: Association) -> tuple[int, int]:
    wire = association._wire
    return wire.local_tag, wire.remote_tag


def packet(tag: int, chunk: bytes) -> bytes:
    return write_packet(5000, 5000, tag, chunk)


def test_a_packet_with_another_tag_is_dropped_and_counted() -> None:
    a, b = connected()
    a.send_message(0, 53, b"forged", now=START)
    (sent,) = a.packets_to_send(START, 8)
    forged = sent[:4] + (tags(b)[0] ^ 1).to_bytes(4, "big") + bytes(4) + sent[12:]
    b.receive_packets([forged], START)
    assert received(b) == []
    assert b.counters.received.bad_tags == 1
    b.receive_packets([sent], START)
    assert [message.data for message in received(b)] == [b"forged"]


@pytest.mark.parametrize("flags", [0, FLAG_TAG_REFLECTED])
def test_an_abort_counts_with_our_tag_or_with_its_own_reflected(flags: int) -> None:
    _, b = connected()
    b.receive_packets([packet(tags(b)[1 if flags else 0], write_chunk(ABORT, flags))], START)
    assert b.state is AssociationState.CLOSED


@pytest.mark.parametrize("flags", [0, FLAG_TAG_REFLECTED])
def test_an_abort_with_a_strange_tag_does_not(flags: int) -> None:
    a, b = connected()
    b.receive_packets([packet(tags(b)[1 if flags else 0] ^ 1, write_chunk(ABORT, flags))], START)
    a.send_message(0, 53, b"still here", now=START)
    exchange(a, b)
    assert [message.data for message in received(b)] == [b"still here"]


def test_an_answer_to_a_shutdown_that_never_was_changes_nothing() -> None:
    _, b = connected()
    b.receive_packets([packet(tags(b)[0], write_chunk(SHUTDOWN_ACK))], START)
    assert b.state is AssociationState.ESTABLISHED
