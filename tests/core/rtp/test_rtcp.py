"""RTCP packets on the wire."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.rtcp import (
    MAX_NACK_WORDS,
    ExtendedReport,
    FullIntraRequest,
    Goodbye,
    MaximumBitrate,
    Nack,
    PictureLoss,
    ReceiverDelay,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceChunk,
    SourceDescription,
    TransportFeedback,
    read_compound,
    write_compound,
    write_rtcp,
)

U8 = st.integers(0, 0xFF)
U32 = st.integers(0, 0xFFFFFFFF)
U64 = st.integers(0, (1 << 64) - 1)
BLOCKS = st.lists(
    st.builds(ReportBlock, U32, U8, st.integers(-(1 << 23), (1 << 23) - 1), U32, U32, U32, U32), max_size=4
)
ITEMS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=12)), max_size=3).map(tuple)


@st.composite
def feedbacks(draw: st.DrawFn) -> TransportFeedback:
    steps = draw(st.lists(st.none() | st.integers(-300, 300) | st.integers(-32768, 32767), max_size=60))
    arrivals: list[int | None] = []
    time = 0
    for step in steps:
        if step is None:
            arrivals += [None] * draw(st.integers(1, 20))
        else:
            time += step
            arrivals.append(time)
    return TransportFeedback(
        draw(U32),
        draw(U32),
        draw(st.integers(0, 65535)),
        draw(st.integers(-(1 << 23), (1 << 23) - 1)),
        draw(U8),
        tuple(arrivals),
    )


PACKETS: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(SenderReport, U32, U64, U32, U32, U32, BLOCKS.map(tuple)),
    st.builds(ReceiverReport, U32, BLOCKS.map(tuple)),
    st.builds(SourceDescription, st.lists(st.builds(SourceChunk, U32, ITEMS), max_size=3).map(tuple)),
    st.builds(Goodbye, st.lists(U32, max_size=3).map(tuple), st.binary(max_size=20)),
    st.builds(Nack, U32, U32, st.lists(st.integers(0, 65535), max_size=40, unique=True).map(sorted).map(tuple)),
    st.builds(PictureLoss, U32, U32),
    st.builds(FullIntraRequest, U32, st.lists(st.tuples(U32, U8), max_size=3).map(tuple)),
    st.builds(MaximumBitrate, U32, st.integers(0, (1 << 18) - 1), st.lists(U32, max_size=3).map(tuple)),
    st.builds(
        ExtendedReport, U32, st.none() | U64, st.lists(st.builds(ReceiverDelay, U32, U32, U32), max_size=3).map(tuple)
    ),
    feedbacks(),
)


@given(st.lists(PACKETS, max_size=4))
def test_a_compound_is_read_back(packets: list[RtcpPacket]) -> None:
    assert read_compound(write_compound(packets)) == packets


@given(st.binary(max_size=120) | PACKETS.map(write_rtcp), st.integers(0, 200), U8)
def test_no_bytes_make_the_reader_raise(data: bytes, position: int, value: int) -> None:
    broken = bytearray(data)
    if broken:
        broken[position % len(broken)] = value
    read_compound(bytes(broken))
    read_compound(data[:position])


def test_a_broken_packet_loses_nothing_before_it() -> None:
    loss = PictureLoss(1, 2)
    assert read_compound(write_rtcp(loss) + write_rtcp(loss)[:8]) == [loss]


def test_a_malformed_body_loses_nothing_after_it() -> None:
    short_report = bytes.fromhex("81c90001 00000001")  # a receiver report of one block without the block
    assert read_compound(short_report + write_rtcp(PictureLoss(1, 2))) == [PictureLoss(1, 2)]


def test_unknown_packets_are_passed_over() -> None:
    app = bytes.fromhex("80cc0002 00000001 6e616d65")
    assert read_compound(app + write_rtcp(PictureLoss(1, 2))) == [PictureLoss(1, 2)]


def test_padding_is_taken_off_the_last_packet() -> None:
    data = bytes.fromhex("a1ce0003 00000001 00000002 00000004")
    assert read_compound(data) == [PictureLoss(1, 2)]


def test_a_receiver_report_of_known_bytes_is_read() -> None:
    data = bytes.fromhex("81c90007 00000001 00000002 40ffffff 0001ff03 00000010 aabbccdd 00010000")
    block = ReportBlock(2, 64, -1, 0x1FF03, 16, 0xAABBCCDD, 65536)
    assert read_compound(data) == [ReceiverReport(1, (block,))]


def test_a_nack_puts_sixteen_followers_in_a_mask() -> None:
    data = write_rtcp(Nack(1, 2, (65535, 0, 15, 16)))
    assert data.hex() == "81cd0004" + "00000001" + "00000002" + "ffff8001" + "00100000"


def test_a_nack_is_bounded() -> None:
    lost = tuple(range(0, 65536, 32))
    (nack,) = read_compound(write_rtcp(Nack(1, 2, lost)))
    assert isinstance(nack, Nack)
    assert nack.lost == lost[:MAX_NACK_WORDS]


def test_a_large_bitrate_loses_its_last_bits_only() -> None:
    (remb,) = read_compound(write_rtcp(MaximumBitrate(1, 123_456_789, (7,))))
    assert isinstance(remb, MaximumBitrate)
    assert 0 <= 123_456_789 - remb.bitrate < 1024


def test_the_canonical_name_of_a_chunk_is_found() -> None:
    chunk = SourceChunk(1, ((2, b"name"), (1, b"cname")))
    assert chunk.cname == b"cname"
    assert SourceChunk(1, ()).cname is None


def test_transport_feedback_of_known_bytes_is_read() -> None:
    # Chunks: a run of 3 small deltas, then a list of two-bit statuses: large, lost, large.
    data = bytes.fromhex("8fcd0007 00000001 00000002 0005 0006 000004 09 2003 e200 0a1400 0028 ff38 00")
    arrivals = (10, 30, 30, 70, None, -130)
    assert read_compound(data) == [TransportFeedback(1, 2, 5, 4, 9, arrivals)]


def test_a_long_run_of_lost_packets_is_one_chunk() -> None:
    feedback = TransportFeedback(1, 2, 0, 0, 0, (0, *([None] * 5000), 3))
    assert len(write_rtcp(feedback)) < 40
    assert read_compound(write_rtcp(feedback)) == [feedback]


def test_feedback_whose_deltas_are_missing_is_refused() -> None:
    data = bytearray(write_rtcp(TransportFeedback(1, 2, 0, 0, 0, (1, 2, 3, 4, 5, 6, 7, 8))))
    data[20:22] = b"\x20\x09"  # a run of 9 where 8 deltas and 2 bytes of padding follow
    data[14:16] = b"\x00\x09"
    assert len(read_compound(bytes(data))) == 1
    data[20:22] = b"\x20\x0b"
    data[14:16] = b"\x00\x0b"
    assert read_compound(bytes(data)) == []


def test_feedback_that_claims_too_many_packets_is_refused() -> None:
    feedback = TransportFeedback(1, 2, 0, 0, 0, (1, *([None] * 8190), 2))
    assert read_compound(write_rtcp(feedback)) == [feedback]
    feedback = TransportFeedback(1, 2, 0, 0, 0, (1, *([None] * 8191), 2))
    assert read_compound(write_rtcp(feedback)) == []
