"""How packets are framed between processes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerix.core.errors import RemoteProtocolError, SignalingError
from peerix.drivers.broadcast.frames import MAX_NAMESPACE, MAX_PACKET, FrameReader, write_frame

PACKETS = st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=200)), max_size=8)


@given(PACKETS, st.integers(1, 64))
def test_what_is_written_is_read_however_it_is_cut(packets: list[tuple[str, bytes]], size: int) -> None:
    stream = b"".join(write_frame(namespace, data) for namespace, data in packets)
    reader = FrameReader()
    read = [packet for at in range(0, len(stream), size) for packet in reader.receive_bytes(stream[at : at + size])]
    assert read == packets


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_the_error_of_the_protocol(data: bytes) -> None:
    with suppress(RemoteProtocolError):
        FrameReader().receive_bytes(data)


def test_the_largest_packet_is_carried() -> None:
    packet = bytes(MAX_PACKET)
    assert FrameReader().receive_bytes(write_frame("room", packet)) == [("room", packet)]


def test_a_larger_packet_is_refused_by_the_writer() -> None:
    with pytest.raises(SignalingError, match="too large"):
        write_frame("room", bytes(MAX_PACKET + 1))


def test_a_namespace_that_is_too_long_is_refused_by_the_writer() -> None:
    with pytest.raises(SignalingError, match="too long"):
        write_frame("x" * (MAX_NAMESPACE + 1), b"")


def test_a_length_beyond_the_bound_is_refused_before_the_bytes_are_kept() -> None:
    with pytest.raises(RemoteProtocolError):
        FrameReader().receive_bytes(b"\xff\xff\xff\xff\x00\x01")
