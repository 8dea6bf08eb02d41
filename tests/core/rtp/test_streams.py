"""Whole streams over links that lose, in virtual time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from peerix.core.rtp.audio_receiver import AudioFormats, AudioReceiver
from peerix.core.rtp.header_extensions import (
    ABS_SEND_TIME,
    MID,
    NO_EXTENSIONS,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    VIDEO_ORIENTATION,
    AudioLevel,
    ColorSpace,
    ExtensionMap,
    HeaderExtensions,
    PlayoutDelay,
    VideoOrientation,
    abs_send_time,
)
from peerix.core.rtp.packet import RtpPacket, read_packet
from peerix.core.rtp.payload import (
    RedEncoder,
    Vp8Depacketizer,
    Vp8Packetizer,
    Vp9Depacketizer,
    Vp9Packetizer,
    write_telephone_event,
    write_tone,
)
from peerix.core.rtp.rtcp import Nack, PictureLoss, SenderReport, read_compound, write_compound
from peerix.core.rtp.send_stream import MAX_PADDING, SendStream, StreamParameters
from peerix.core.rtp.video_receiver import VideoReceiver
from tests.core.rtp.link import Link

if TYPE_CHECKING:
    from peerix.core.rtp.audio_buffer import AudioUnit
    from peerix.core.rtp.video_buffer import ReceivedFrame

EXTENSIONS = ExtensionMap(
    enumerate((MID, RID, REPAIRED_RID, ABS_SEND_TIME, TRANSPORT_SEQUENCE, VIDEO_ORIENTATION, PLAYOUT_DELAY), 1)
)
SSRC, RTX_SSRC = 1000, 2000


def sender(*, rtx: bool = True, random_bytes: bytes = bytes(8)) -> SendStream:
    return SendStream(
        StreamParameters(
            SSRC,
            90_000,
            EXTENSIONS,
            mid="1",
            rid="h",
            rtx_ssrc=RTX_SSRC if rtx else None,
            rtx_payload_types={96: 97},
            wall_offset=1e9,
        ),
        random_bytes,
    )


def receiver() -> VideoReceiver:
    return VideoReceiver(7, {96: Vp8Depacketizer, 98: Vp9Depacketizer}, {97: 96})


def encoded(index: int) -> bytes:
    return bytes((0x10 if index == 0 else 0x11,)) + index.to_bytes(2, "big") + bytes(5000)


def run(
    seed: int, loss: float, *, frames: int = 90, jitter: float = 0.0
) -> tuple[list[ReceivedFrame], VideoReceiver, int]:
    """Send frames of 30 a second over 60 ms of round trip; requests travel back over a link with the same loss."""
    there, back = Link(seed, loss=loss, jitter=jitter), Link(seed + 1, loss=loss)
    sending, receiving, packetizer = sender(), receiver(), Vp8Packetizer()
    received: list[ReceivedFrame] = []
    key_frame_requests = 0
    for millisecond in range(frames * 33 + 1500):
        now = 10.0 + millisecond / 1000
        if millisecond % 33 == 0 and millisecond // 33 < frames:
            index = millisecond // 33
            payloads = packetizer.packetize(encoded(index), 1100)
            for packet in sending.number(payloads, 96, index * 2970, now):
                there.send(sending.write(packet, 0, now), now)
        for _, data in there.receive(now):
            arrived = read_packet(data)
            assert arrived is not None
            if arrived.ssrc == RTX_SSRC:
                received += receiving.receive_retransmission(arrived, NO_EXTENSIONS, now)
            else:
                received += receiving.receive(arrived, EXTENSIONS.read(arrived), now)
        received += receiving.handle_timeout(now)
        for request in receiving.feedback(now, 0.06):
            back.send(write_compound([request]), now)
        for _, data in back.receive(now):
            for request in read_compound(data):
                key_frame_requests += isinstance(request, PictureLoss)
                for lost in sending.take_lost(request.lost if isinstance(request, Nack) else (), now):
                    again = sending.write_again(lost, 0, now)
                    assert again is not None
                    there.send(again, now)
    return received, receiving, key_frame_requests


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.1])
def test_every_frame_arrives_over_a_link_that_loses(loss: float) -> None:
    frames, receiving, requests = run(5, loss)
    assert [frame.data for frame in frames] == [encoded(index) for index in range(90)]
    assert requests == 0
    assert receiving.buffer is not None
    assert receiving.buffer.counters.holes == 0


def test_frames_wait_only_for_the_round_trips_of_their_repair() -> None:
    frames, _, _ = run(5, 0.02)
    delays = sorted(frame.received_at - 10.0 - index * 0.033 for index, frame in enumerate(frames))
    assert delays[len(delays) // 2] < 0.032
    assert delays[-1] < 0.03 + 3 * 0.09


def test_reordering_costs_no_frame_and_few_requests() -> None:
    frames, receiving, _ = run(5, 0.0, jitter=0.003)
    assert len(frames) == 90
    assert receiving.nack is not None
    assert receiving.nack.requested == 0


def test_playout_is_advised_after_the_frame_came() -> None:
    frames, _, _ = run(5, 0.02, frames=200)
    settled = frames[50:]
    late = [frame for frame in settled if frame.received_at > frame.playout_at + 0.001]
    assert len(late) <= len(settled) * 0.06


def packet_of(sending: SendStream, index: int, payload: bytes = b"") -> RtpPacket:
    payloads = [payload] if payload else Vp8Packetizer().packetize(encoded(index)[:100], 1100)
    (numbered,) = sending.number(payloads, 96, index * 3000, 1.0)
    packet = read_packet(sending.write(numbered, 5, 1.0))
    assert packet is not None
    return packet


def test_a_packet_carries_its_extensions() -> None:
    packet = packet_of(sender(), 0)
    assert EXTENSIONS.read(packet) == HeaderExtensions(
        mid="1", rid="h", abs_send_time=abs_send_time(1.0), transport_sequence=5
    )


def test_a_retransmission_names_the_encoding_that_it_repairs() -> None:
    sending = sender()
    packet = packet_of(sending, 0)
    (lost,) = sending.take_lost([packet.sequence_number], 1.1)
    again = read_packet(sending.write_again(lost, 6, 1.1) or b"")
    assert again is not None
    assert (again.ssrc, again.payload_type, again.payload[2:]) == (RTX_SSRC, 97, packet.payload)
    read = EXTENSIONS.read(again)
    assert (read.mid, read.rid, read.repaired_rid, read.transport_sequence) == ("1", None, "h", 6)


def test_without_a_retransmission_stream_nothing_is_sent_again() -> None:
    sending = sender(rtx=False)
    packet = packet_of(sending, 0)
    assert sending.take_lost([packet.sequence_number], 1.1) == []
    assert sending.write_probe(500, 1, 1.1) is None


def test_the_overhead_is_that_of_the_larger_stream() -> None:
    sending = sender()
    packet = packet_of(sending, 0)
    (lost,) = sending.take_lost([packet.sequence_number], 1.1)
    lost.marks = HeaderExtensions(orientation=VideoOrientation(90), playout_delay=PlayoutDelay(0.0, 0.1))
    again = sending.write_again(lost, 6, 1.1)
    assert again is not None
    assert len(again) == sending.overhead + len(packet.payload)


def test_probes_are_repetitions_or_padding() -> None:
    sending, receiving = sender(), receiver()
    assert sending.write_probe(500, 1, 1.0) is None
    receiving.receive(packet_of(sending, 0), NO_EXTENSIONS, 1.0)
    for size, length in ((500, 106), (200, 0), (9000, 106)):
        packet = read_packet(sending.write_probe(size, 1, 1.0) or b"")
        assert packet is not None
        assert (packet.ssrc, len(packet.payload)) == (RTX_SSRC, length)
        assert packet.padding <= MAX_PADDING
        assert receiving.receive_retransmission(packet, NO_EXTENSIONS, 1.0) == []


def test_a_probe_that_repeats_a_packet_is_not_counted_as_discarded() -> None:
    sending, receiving = sender(), receiver()
    receiving.receive(packet_of(sending, 0), NO_EXTENSIONS, 1.0)
    probe = read_packet(sending.write_probe(500, 1, 1.0) or b"")
    assert probe is not None
    receiving.receive_retransmission(probe, NO_EXTENSIONS, 1.0)
    assert receiving.buffer is not None
    assert (receiving.buffer.counters.late_packets, receiving.buffer.counters.duplicates) == (0, 1)


def test_streams_begin_at_random_and_do_not_wrap_soon() -> None:
    for seed in range(50):
        random_bytes = random.Random(seed).randbytes(8)
        packet = packet_of(sender(random_bytes=random_bytes), 0)
        assert packet.sequence_number < 1 << 15
        assert packet.timestamp == int.from_bytes(random_bytes[4:], "big")


def test_a_sender_that_changes_its_ssrc_begins_anew() -> None:
    receiving, sending = receiver(), sender()
    assert len(receiving.receive(packet_of(sending, 0), NO_EXTENSIONS, 1.0)) == 1
    packet = packet_of(sender(random_bytes=b"\x55" * 8), 0)
    packet.ssrc = 5
    assert len(receiving.receive(packet, NO_EXTENSIONS, 1.0)) == 1
    assert receiving.statistics is not None
    assert receiving.statistics.ssrc == 5


def test_a_sender_that_changes_its_codec_goes_on_with_a_key_frame() -> None:
    receiving, sending = receiver(), sender()
    receiving.receive(packet_of(sending, 0), NO_EXTENSIONS, 1.0)
    late = packet_of(sending, 1)
    packet = packet_of(sending, 2, Vp9Packetizer().packetize(b"\x82key", 100)[0])
    packet.payload_type = 98
    (frame,) = receiving.receive(packet, NO_EXTENSIONS, 1.0)
    assert (frame.data, receiving.payload_type) == (b"\x82key", 98)
    assert receiving.receive(late, NO_EXTENSIONS, 1.0) == []
    assert receiving.payload_type == 98


def test_unknown_payload_types_are_dropped() -> None:
    receiving = receiver()
    assert receiving.receive(RtpPacket(5, False, 1, 1, 1, b"x"), NO_EXTENSIONS, 1.0) == []
    assert receiving.receive_retransmission(RtpPacket(97, False, 1, 1, 1, b"xyz"), NO_EXTENSIONS, 1.0) == []
    assert receiving.statistics is None
    assert receiving.feedback(1.0, None) == []
    assert receiving.next_timeout() is None


def test_the_sender_says_how_pictures_are_turned_and_delayed() -> None:
    receiving = receiver()
    extensions = HeaderExtensions(orientation=VideoOrientation(90), playout_delay=PlayoutDelay(0.2, 0.4))
    (frame,) = receiving.receive(packet_of(sender(), 0), extensions, 1.0)
    assert frame.rotation == 90
    assert frame.playout_at == pytest.approx(1.2)


def test_a_picture_is_turned_by_what_its_own_packets_say() -> None:
    sending, receiving = sender(), receiver()
    first, second, third = (packet_of(sending, index) for index in range(3))
    assert receiving.receive(first, NO_EXTENSIONS, 1.0)[0].rotation == 0
    turned = HeaderExtensions(orientation=VideoOrientation(270))
    assert receiving.receive(third, turned, 1.0) == []
    assert [frame.rotation for frame in receiving.receive(second, NO_EXTENSIONS, 1.1)] == [0, 270]
    receiving.receive(second, HeaderExtensions(orientation=VideoOrientation(90)), 1.1)
    assert receiving.receive(packet_of(sending, 3), NO_EXTENSIONS, 1.1)[0].rotation == 270


def test_what_colours_mean_holds_until_something_else_is_said() -> None:
    sending, receiving, full = sender(), receiver(), ColorSpace(1, 1, 1, is_full_range=True)
    said: list[ColorSpace | None] = []
    for index, colors in enumerate((None, full, None)):
        extensions = HeaderExtensions(color_space=colors)
        frames = receiving.receive(packet_of(sending, index), extensions, 1.0)
        said += [frame.color_space for frame in frames]
    assert said == [None, full, full]


def test_capture_times_come_from_sender_reports() -> None:
    sending, receiving = sender(), receiver()
    receiving.receive(packet_of(sending, 0), NO_EXTENSIONS, 5.0)
    report = sending.statistics.sender_report(2.0)
    assert report is not None
    receiving.receive_sender_report(SenderReport(99, 1, 1, 1, 1), 5.0)
    assert receiving.clock.wall_clock(0) is None
    receiving.receive_sender_report(report, 5.0)
    assert receiving.clock.wall_clock(90_000) == pytest.approx(1e9 + 2.0, abs=1e-3)
    assert receiving.statistics is not None
    assert receiving.statistics.report_block(5.0).last_sender_report


AUDIO = AudioFormats({111: "OPUS", 0: "PCMU"}, frozenset({63}), frozenset({126}))


def run_audio(seed: int, loss: float, *, red: bool) -> list[AudioUnit]:
    link, receiving, encoder = Link(seed, loss=loss, jitter=0.01), AudioReceiver(AUDIO), RedEncoder(111)
    units: list[AudioUnit] = []
    for millisecond in range(200 * 20 + 1000):
        now = 10.0 + millisecond / 1000
        index = millisecond // 20
        if millisecond % 20 == 0 and index < 200:
            payload = b"\x78" + bytes((index,)) * 40
            link.send(encoder.encode(payload, index * 960, 1200) if red else payload, now)
        for _, data in link.receive(now):
            index = data[-1]
            packet = RtpPacket(63 if red else 111, False, index, index * 960, 1, data)
            units += receiving.receive(packet, HeaderExtensions(audio_level=AudioLevel(9)), now)
        units += receiving.handle_timeout(now)
    assert receiving.level == AudioLevel(9)
    return units


def test_audio_has_no_gap_in_time_and_loses_only_what_was_lost() -> None:
    units = run_audio(3, 0.05, red=False)
    assert sum(unit.duration for unit in units) >= 198 * 960
    lost = [unit for unit in units if unit.payload is None]
    assert 3 <= sum(unit.duration for unit in lost) / 960 <= 20


def test_redundancy_makes_single_losses_good() -> None:
    plain, red = run_audio(3, 0.1, red=False), run_audio(3, 0.1, red=True)
    assert [unit.payload for unit in red if unit.payload][:3] == [b"\x78" + bytes((i,)) * 40 for i in range(3)]
    missing = [sum(unit.duration for unit in units if unit.payload is None) for units in (plain, red)]
    assert missing[1] < missing[0] / 3


def test_a_change_of_codec_changes_the_clock() -> None:
    receiving = AudioReceiver(AUDIO)
    (unit,) = receiving.receive(RtpPacket(111, False, 1, 960, 1, b"\x78a"), NO_EXTENSIONS, 1.0)
    assert (unit.duration, receiving.payload_type) == (960, 111)
    (unit,) = receiving.receive(RtpPacket(0, False, 2, 1120, 1, bytes(160)), NO_EXTENSIONS, 1.02)
    assert (unit.duration, receiving.payload_type) == (160, 0)
    assert receiving.statistics is not None
    assert receiving.statistics.clock_rate == 8000


def test_a_change_of_payload_type_goes_on_counting() -> None:
    receiving = AudioReceiver(AudioFormats({111: "OPUS", 112: "OPUS"}))
    for number, payload_type in enumerate((111, 111, 112, 112)):
        receiving.receive(RtpPacket(payload_type, False, number, number * 960, 1, b"\x78a"), NO_EXTENSIONS, 1.0)
    assert receiving.buffer is not None
    assert receiving.buffer.counters.packets == 4


def test_lost_opus_is_handed_on_with_the_packet_that_repeats_it() -> None:
    receiving = AudioReceiver(AUDIO)
    repeating = b"\x08\x40" + bytes(20)
    for number in (0, 2):
        receiving.receive(RtpPacket(111, False, number, number * 960, 1, repeating), NO_EXTENSIONS, 1.0)
    lost, _ = receiving.handle_timeout(2.0)
    assert (lost.payload, lost.recovery) == (None, repeating)


def test_audio_reports_go_to_their_source_only() -> None:
    receiving = AudioReceiver(AUDIO)
    receiving.receive_sender_report(SenderReport(1, 1 << 32, 0, 1, 1), 1.0)
    receiving.receive(RtpPacket(111, False, 1, 960, 1, b"\x78a"), NO_EXTENSIONS, 1.0)
    receiving.receive_sender_report(SenderReport(2, 1 << 32, 0, 1, 1), 1.0)
    assert receiving.clock is not None
    assert receiving.clock.wall_clock(0) is None
    receiving.receive_sender_report(SenderReport(1, 1 << 32, 0, 1, 1), 1.0)
    assert receiving.clock.wall_clock(0) is not None


def test_a_tone_is_told_once() -> None:
    receiving = AudioReceiver(AUDIO)
    for number, event in enumerate(write_tone("5", 480, 160)):
        receiving.receive(RtpPacket(126, not number, number, 77, 1, write_telephone_event(event)), NO_EXTENSIONS, 1.0)
    assert [tone.digit for tone in receiving.tones] == ["5"]


def test_audio_of_no_known_format_is_dropped() -> None:
    receiving = AudioReceiver(AUDIO)
    assert receiving.receive(RtpPacket(9, False, 1, 960, 1, b"x"), NO_EXTENSIONS, 1.0) == []
    assert receiving.receive(RtpPacket(63, False, 1, 960, 1, b"\xff"), NO_EXTENSIONS, 1.0) == []
    assert receiving.next_timeout() is None
    assert receiving.handle_timeout(1.0) == []
