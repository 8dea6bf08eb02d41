"""Headers that are foretold: read like all others, or not at all."""

from __future__ import annotations

import pytest

from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    MID,
    TRANSPORT_SEQUENCE,
    VIDEO_ORIENTATION,
    ExtensionMap,
    HeaderExtensions,
    VideoOrientation,
)
from peerix.core.rtp.packet import RtpPacket, read_packet, write_packet
from peerix.core.rtp.packet_writer import PacketWriter
from peerix.core.rtp.routing import Route
from peerix.core.rtp.steady_header import SteadyHeader, foretell

EXTENSIONS = ExtensionMap(((9, MID), (2, ABS_SEND_TIME), (12, TRANSPORT_SEQUENCE), (13, VIDEO_ORIENTATION)))
ROUTE = Route("0", "", retransmission=False)


def packet(mid: str = "0", *, payload_type: int = 96, number: int = 1, marks: HeaderExtensions | None = None) -> bytes:
    """A packet as senders write it."""
    writer = PacketWriter(0xFEED, EXTENSIONS, HeaderExtensions(mid=mid))
    last = number % 2 == 0
    return writer.write(payload_type, last, number, number * 3000, b"payload", number * 7, number * 11, 0, marks)


def foretold(data: bytes) -> SteadyHeader | None:
    """What one packet tells of those that follow."""
    read = read_packet(data)
    assert read is not None
    return foretell(read, EXTENSIONS.read(read), EXTENSIONS, ROUTE)


def steady() -> SteadyHeader:
    """What an ordinary packet tells."""
    header = foretold(packet())
    assert header is not None
    return header


@pytest.mark.parametrize("number", [1, 2, 300, 9362])
def test_a_foretold_packet_is_read_like_any_other(number: int) -> None:
    data = packet(number=number)
    header = steady()
    assert header.read(data) == read_packet(data)
    at = header.sequence_at
    assert int.from_bytes(data[at : at + 2], "big") == number * 7


@pytest.mark.parametrize(
    "data",
    [
        packet("1"),
        packet(payload_type=97),
        packet(marks=HeaderExtensions(orientation=VideoOrientation(90))),
        packet()[:20],
        b"\xb0" + packet()[1:],
        write_packet(RtpPacket(96, False, 1, 3000, 0xFEED, b"payload")),
    ],
    ids=["another section", "another payload type", "turned", "cut off", "padded", "without extensions"],
)
def test_another_header_is_not_taken_for_a_foretold_one(data: bytes) -> None:
    assert steady().read(data) is None


def test_a_packet_that_tells_of_a_turn_foretells_nothing() -> None:
    assert foretold(packet(marks=HeaderExtensions(orientation=VideoOrientation(90)))) is None


def test_elements_that_end_beyond_the_extension_foretell_no_more_than_there_is() -> None:
    broken = write_packet(RtpPacket(96, False, 1, 3000, 0xFEED, b"payload", (), 0xBEDE, b"\x90\x30\xcf\x01"))
    header = foretold(broken)
    assert header is not None
    assert header.read(broken) == read_packet(broken)
    assert header.sequence_at == 0
