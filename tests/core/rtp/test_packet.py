"""RTP packets on the wire."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.packet import RtpPacket, is_rtcp, read_packet, write_packet

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)


@st.composite
def packets(draw: st.DrawFn) -> RtpPacket:
    profile = draw(st.none() | U16)
    words = draw(st.integers(0, 8)) if profile is not None else 0
    return RtpPacket(
        draw(st.integers(0, 127)),
        draw(st.booleans()),
        draw(U16),
        draw(U32),
        draw(U32),
        draw(st.binary(max_size=40)),
        tuple(draw(st.lists(U32, max_size=15))),
        profile,
        draw(st.binary(min_size=4 * words, max_size=4 * words)),
        draw(st.integers(0, 255)),
    )


@given(packets())
def test_what_is_written_is_read_back(packet: RtpPacket) -> None:
    assert read_packet(write_packet(packet)) == packet


@given(st.binary(max_size=80) | packets().map(write_packet))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    for end in range(len(data) + 1):
        packet = read_packet(data[:end])
        assert packet is None or len(packet.payload) <= end


def test_a_packet_of_known_bytes_is_read() -> None:
    data = bytes.fromhex("90e1 1234 00000005 cafebabe bede0001 10300000 68656c6c6f")
    assert read_packet(data) == RtpPacket(
        97, True, 0x1234, 5, 0xCAFEBABE, b"hello", (), 0xBEDE, bytes.fromhex("10300000")
    )


def test_padding_longer_than_the_packet_is_refused() -> None:
    packet = RtpPacket(96, False, 1, 2, 3, b"abc")
    data = bytearray(write_packet(packet))
    data[0] |= 0x20
    data[-1] = 4
    assert read_packet(bytes(data)) is None
    data[-1] = 3
    read = read_packet(bytes(data))
    assert read is not None
    assert read.payload == b""
    data[-1] = 0
    assert read_packet(bytes(data)) is None


def test_an_extension_longer_than_the_packet_is_refused() -> None:
    assert read_packet(bytes.fromhex("9060 0001 00000002 00000003 bede0002 10300000")) is None


def test_another_version_is_refused() -> None:
    assert read_packet(bytes.fromhex("4060000100000002 00000003")) is None


def test_rtcp_is_told_by_its_second_byte() -> None:
    assert is_rtcp(bytes((0x80, 200)))
    assert not is_rtcp(bytes((0x80, 0x80 | 96)))
    assert not is_rtcp(b"\x80")
