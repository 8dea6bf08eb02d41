"""Streams of packets that no honest sender makes: nothing raises, nothing grows beyond its bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerix.core.rtp.audio_buffer import MAX_HOLE, MAX_UNITS, AudioUnit
from peerix.core.rtp.audio_receiver import AudioFormats, AudioReceiver
from peerix.core.rtp.header_extensions import NO_EXTENSIONS, HeaderExtensions, PlayoutDelay, VideoOrientation
from peerix.core.rtp.nack import MAX_MISSING
from peerix.core.rtp.packet import RtpPacket
from peerix.core.rtp.payload import VIDEO_DEPACKETIZERS
from peerix.core.rtp.rtcp import SenderReport
from peerix.core.rtp.video_receiver import VideoReceiver

NEAR = st.integers(0, 40) | st.sampled_from((65_535, 65_530, 30_000, 2_990)) | st.integers(0, 65_535)
TIMES = st.integers(0, 5).map(lambda number: number * 960) | st.integers(0, 0xFFFFFFFF)
PAYLOADS = st.binary(max_size=12) | st.sampled_from((b"\x10\x10key", b"\x10\x11delta", b"\x78opus", b"\0\x01again"))
EXTENSIONS = st.just(NO_EXTENSIONS) | st.builds(
    HeaderExtensions,
    orientation=st.none() | st.builds(VideoOrientation, st.sampled_from((0, 90))),
    playout_delay=st.none() | st.builds(PlayoutDelay, st.floats(0, 40), st.floats(0, 40)),
)


def packets(payload_types: tuple[int, ...]) -> st.SearchStrategy[RtpPacket]:
    return st.builds(RtpPacket, st.sampled_from(payload_types), st.booleans(), NEAR, TIMES, st.integers(1, 2), PAYLOADS)


@given(
    st.lists(st.tuples(packets((96, 97, 98, 99, 100, 5)), EXTENSIONS, st.floats(0, 0.4)), max_size=30),
    st.booleans(),
)
def test_no_packets_of_video_make_a_receiver_raise(
    arrivals: list[tuple[RtpPacket, HeaderExtensions, float]], nack: bool
) -> None:
    formats = {
        number: VIDEO_DEPACKETIZERS[name] for number, name in ((96, "VP8"), (98, "VP9"), (99, "H264"), (100, "AV1"))
    }
    receiving = VideoReceiver(7, formats, {97: 96}, nack=nack)
    now = 1.0
    for packet, extensions, wait in arrivals:
        now += wait
        if packet.payload_type == 97:
            receiving.receive_retransmission(packet, NO_EXTENSIONS, now)
        else:
            receiving.receive(packet, extensions, now)
        receiving.receive_sender_report(SenderReport(packet.ssrc, packet.timestamp, packet.timestamp, 1, 1), now)
        receiving.feedback(now, 0.05)
        deadline = receiving.next_timeout()
        if deadline is not None and deadline <= now:
            receiving.handle_timeout(now)
            receiving.feedback(now, 0.05)
            following = receiving.next_timeout()
            assert following is None or following > now
        if receiving.statistics is not None:
            receiving.statistics.report_block(now)
        assert receiving.nack is None or receiving.nack.missing <= MAX_MISSING


@given(st.lists(st.tuples(packets((111, 0, 63, 126, 5)), EXTENSIONS, st.floats(0, 0.4)), max_size=30))
def test_no_packets_of_audio_make_a_receiver_raise(
    arrivals: list[tuple[RtpPacket, HeaderExtensions, float]],
) -> None:
    receiving = AudioReceiver(AudioFormats({111: "OPUS", 0: "PCMU"}, frozenset({63}), frozenset({126})))
    now = 1.0
    units: list[AudioUnit] = []
    for packet, extensions, wait in arrivals:
        now += wait
        units += receiving.receive(packet, extensions, now)
        deadline = receiving.next_timeout()
        if deadline is not None and deadline <= now:
            units += receiving.handle_timeout(now)
            following = receiving.next_timeout()
            assert following is None or following > now
    assert all(0 < unit.duration <= MAX_HOLE * 48_000 for unit in units)
    assert len(units) <= 3 * len(arrivals) + MAX_UNITS
